# SPDX-License-Identifier: Apache-2.0
"""The rule about import names, with made-up packages beside ours."""

from pathlib import Path
from typing import cast

import pytest

from offrecord.checks.finding import Finding, State
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.rules.machine import packages


def installed(folder: Path, name: str, **files: str) -> None:
    """Put the metadata of a package into a folder, as an installer would."""
    info = folder / f"{name}-9.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.0\n")
    for file, text in files.items():
        (info / file.replace("_txt", ".txt")).write_text(text)


async def found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    monkeypatch.syspath_prepend(str(folder))
    return await packages(cast("CheckInputs", None))


async def test_another_package_with_a_name_of_ours_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "old-ami", top_level_txt="ami\nother\n")
    installed(tmp_path, "bridge-kit", RECORD="bridges/__init__.py,,\nbridges/far.py,,\n")
    ami, bridges = await found(tmp_path, monkeypatch)

    assert [one.state for one in (ami, bridges)] == [State.WARN] * 2
    assert ami.text == "the Python package old-ami installs `ami` as well"
    assert bridges.text == "the Python package bridge-kit installs `bridges` as well"
    assert "environment of its own" in ami.fix


async def test_packages_with_other_names_and_our_own_are_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, "amiable", top_level_txt="amiable\n")
    installed(tmp_path, "Offrecord", top_level_txt="ami\noffrecord\n")
    (one,) = await found(tmp_path, monkeypatch)

    assert (one.what, one.state) == ("packages", State.OK)
