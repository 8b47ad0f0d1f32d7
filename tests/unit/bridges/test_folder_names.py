# SPDX-License-Identifier: Apache-2.0
"""The same names in every recorder's folder: what a file is for is known from any other kind."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from bridges.registry import GROUP

ROOT = Path(__file__).parents[3]
NAMES = ("recorder", "settings", "client", "messages", "find_call", "answers", "execute")
"""What a kind can have; a part that it has is under this name and no other."""
EVERY_KIND = {"recorder", "settings", "answers", "execute"}
OWN = {
    "asterisk": {"look"},
    "genesys": {"bayeux", "notifications", "session", "session_pool"},
    "imagicle": {"attempt"},
    "noojee": {"ended_calls"},
    "voipnow": {"access_token", "call_events"},
}
"""What only one vendor has, by folder."""


def modules(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")} - {"__init__"}


def folders() -> set[str]:
    """Return the folders of our own kinds, by the entry points they are found through."""
    found = (entry.value.partition(":")[0] for entry in entry_points(group=GROUP))
    return {name.removeprefix("bridges.") for name in found if name.startswith("bridges.")}


def test_every_kind_has_a_folder_of_its_own() -> None:
    assert folders() == set(OWN)


@pytest.mark.parametrize("kind", OWN)
def test_a_folder_has_only_the_names_that_are_agreed(kind: str) -> None:
    found = modules(ROOT / "bridges" / kind)
    assert found - set(NAMES) == OWN[kind]
    assert found >= EVERY_KIND


def test_the_guide_names_the_same_files() -> None:
    guide = (ROOT / "docs" / "writing-a-recorder.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)\.py` \|", guide, re.MULTILINE)
    assert tuple(rows) == NAMES
    for own in set().union(*OWN.values()):
        assert f"`{own}.py`" in guide, own


def test_the_example_says_which_file_each_section_would_be() -> None:
    path = ROOT / "examples" / "offrecord-oreka" / "offrecord_oreka.py"
    example = path.read_text(encoding="utf-8")
    named = re.findall(r"^# In a folder: (\w+)\.py$", example, re.MULTILINE)
    assert set(named) == set(NAMES) - {"client"}
