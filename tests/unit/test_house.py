# SPDX-License-Identifier: Apache-2.0
"""The repository keeps its own rules."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from bridges.registry import UnknownKind, find, is_on_pbx, kind_now, known_kinds
from offrecord import __version__

ROOT = Path(__file__).parents[2]


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return [path for name in listed if (path := ROOT / name).is_file()]


def _code() -> list[Path]:
    """Return every Python file outside the tests, relative to the repository."""
    paths = [path.relative_to(ROOT) for path in _tracked("*.py")]
    return [path for path in paths if path.parts[0] != "tests"]


def test_every_source_file_names_its_licence() -> None:
    missing = [
        path
        for path in _tracked("*.py")
        if not path.read_text().startswith("# SPDX-License-Identifier: Apache-2.0\n")
    ]

    assert not missing


def test_no_source_file_is_too_long_to_read() -> None:
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in _code()}

    assert not {path: count for path, count in lengths.items() if count > 400}


def test_no_folder_holds_more_modules_than_one_can_take_in() -> None:
    folders = Counter(path.parent for path in _code() if path.name != "__init__.py")

    assert not {folder: count for folder, count in folders.items() if count > 12}


def test_every_package_says_in_one_sentence_what_it_is_for() -> None:
    openings = {
        path: (ast.get_docstring(ast.parse((ROOT / path).read_text())) or "").partition("\n\n")[0]
        for path in _code()
        if path.name == "__init__.py"
    }

    assert openings
    assert not {path: text for path, text in openings.items() if not _is_one_sentence(text)}


def _is_one_sentence(text: str) -> bool:
    """Return whether a text ends with a full stop and has no other sentence before it."""
    return bool(re.fullmatch(r"(?:(?![.!?]\s+[A-Z]).)+\.", text, re.DOTALL))


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
    assert {"asterisk", "noojee"} <= set(known_kinds())
    for kind in ("asterisk", "noojee"):
        assert find(kind).kind == kind


def test_a_kind_is_found_by_its_former_name_too() -> None:
    assert kind_now("mixmonitor") == find("mixmonitor").kind == "asterisk"
    assert kind_now("noojee") == "noojee"
    assert [is_on_pbx(kind) for kind in ("asterisk", "mixmonitor", "noojee", "tape")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(UnknownKind) as problem:
        find("asterix")

    assert "asterisk" in problem.value.known


def test_tests_share_by_the_kits_alone() -> None:
    """A test file and a `conftest.py` are nobody's library: what two need is in `tests/kits`."""
    taken = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in _tracked("tests/*.py", "bench/*.py", "scripts/*.py")
        for line in path.read_text().splitlines()
        if re.match(r"\s*(from|import) (tests\.(?!kits\b)|\.)", line)
    ]

    assert not taken
