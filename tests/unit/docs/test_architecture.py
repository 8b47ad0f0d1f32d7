# SPDX-License-Identifier: Apache-2.0
"""The page about the rooms names every room and file that there is, and none that is not."""

import re

from tests.kits.docs_kit import ROOT, read

PAGE = "docs/architecture.md"
TOP = ("agi", "ami", "bridges", "lab", "noojee", "offrecord")


def rooms() -> list[str]:
    """Return the folders in the first two columns of the table, as paths."""
    rows = re.findall(r"^\| (?:\d+|-) \| ([^|]+) \|", read(PAGE), re.MULTILINE)
    return [room for row in rows for room in re.findall(r"`([\w/]+)/`", row)]


def test_every_room_has_a_line_and_every_line_a_room() -> None:
    there = {
        path.name for path in (ROOT / "offrecord").iterdir() if (path / "__init__.py").exists()
    }

    assert {room.removeprefix("offrecord/") for room in rooms() if "offrecord/" in room} == there
    assert {room.split("/")[0] for room in rooms()} == set(TOP)
    assert all((ROOT / room / "__init__.py").is_file() for room in rooms())


def test_a_line_begins_at_a_file_that_is_there() -> None:
    lines = re.findall(r"^\| (?:\d+|-) \|.*\|$", read(PAGE), re.MULTILINE)
    found = [file for line in lines for file in re.findall(r"`([\w/]+\.py)`", line)]
    files = [file for file in found if file.islower()]  # SUBJECT.py stands for one to choose

    assert len(files) >= len(lines) - 2  # a recorder has a guide of its own
    folders = (ROOT, ROOT / "offrecord", ROOT / "offrecord" / "setup", ROOT / "offrecord" / "web")
    assert not [file for file in files if not any((f / file).is_file() for f in folders)]


def test_the_way_of_a_press_is_eight_files_in_order() -> None:
    steps = re.findall(r"^(\d)\. \[?`([\w/]+)\.py`", read(PAGE), re.MULTILINE)
    picture = re.findall(r'class="num">(\d)</tspan>  <tspan class="mono">([\w/]+)<',
                         read("docs/images/way-through-the-code.svg"))  # fmt: skip

    assert [number for number, _ in steps] == [str(number) for number in range(1, 9)]
    assert [f"offrecord/{name}" if (ROOT / f"offrecord/{name}.py").is_file() else name
            for _, name in picture] == [name for _, name in steps]  # fmt: skip
    assert all((ROOT / f"{name}.py").is_file() for _, name in steps if "KIND" not in name)
