# SPDX-License-Identifier: Apache-2.0
"""The repository keeps its own rules."""

import re
import subprocess
from pathlib import Path

import pytest

from bridges.registry import UnknownKind, find, known_kinds
from offrecord import __version__

ROOT = Path(__file__).parents[2]


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return [path for name in listed if (path := ROOT / name).is_file()]


def test_every_source_file_names_its_licence() -> None:
    missing = [
        path
        for path in _tracked("*.py")
        if not path.read_text().startswith("# SPDX-License-Identifier: Apache-2.0\n")
    ]

    assert not missing


def test_no_source_file_is_too_long_to_read() -> None:
    lengths = {
        path: len(path.read_text().splitlines())
        for path in _tracked("*.py")
        if "tests" not in path.parts
    }

    assert not {path: count for path, count in lengths.items() if count > 400}


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_every_decision_is_half_a_page_and_numbered() -> None:
    decisions = _tracked("docs/decisions/*.md")

    assert decisions
    assert all(re.match(r"\d{4}-", path.name) for path in decisions)
    assert not [path for path in decisions if len(path.read_text().split()) > 480]


def test_pinned_versions_carry_no_address() -> None:
    text = (ROOT / "constraints.txt").read_text()

    assert "://" not in text
    assert "@" not in text


def test_our_own_kinds_are_found_like_anybody_elses() -> None:
    assert {"mixmonitor", "noojee"} <= set(known_kinds())
    for kind in ("mixmonitor", "noojee"):
        assert find(kind).kind == kind


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UnknownKind) as problem:
        find("mixmoniter")

    assert "mixmonitor" in problem.value.known
