# SPDX-License-Identifier: Apache-2.0
"""Kinds of recorders by name, ours and third parties', found by entry point.

A package adds a kind by an entry point of the group `offrecord.recorders` that names a class
with `kind`, `Settings` (a dataclass or pydantic model of its options; `bridges.shared.settings` has
bases) and `build`. What `build` returns is a `bridges.model.Recorder`.

To write one: `bridges.model` has the words, `bridges.shared.http_line` makes the requests,
`bridges.shared.recorder_base` constructs, opens and closes a recorder that is reached over HTTP,
`bridges.shared.answer_table` has the shape of an answer table, `bridges.shared.match_call` and
`bridges.shared.phone_numbers` help to find the call, `bridges.conformance` has the checks that it
must pass.
`docs/writing-a-recorder.md` goes through all of it, with `examples/offrecord-oreka`.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Final, Protocol

from ami.pbx import Pbx
from bridges.model import Capabilities, Recorder

GROUP = "offrecord.recorders"

FORMER: Final[Mapping[str, str]] = MappingProxyType({"mixmonitor": "asterisk"})
"""Kinds by a name that they had earlier, which configurations and journal entries still have."""


class RecorderKind(Protocol):
    """Interface of the class that an entry point of the group must name."""

    kind: str
    """The name of the kind, the same as the entry point's."""
    Settings: type[Any]
    """The keys of `[recorders.NAME]`; a `bridges.shared.settings.SecretText` is resolved before."""

    @classmethod
    def build(cls, name: str, settings: Any, pbx: Pbx) -> Recorder:
        """Return the recorder called `name`, not opened yet."""


class UnknownKind(Exception):
    """A kind that no installed package provides; `known` are those there are."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no recorder of kind {kind!r} is installed; known: {', '.join(known)}")
        self.kind = kind
        self.known = known


def known_kinds() -> tuple[str, ...]:
    """Return the names of all installed kinds, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def on_pbx_kinds() -> tuple[RecorderKind, ...]:
    """Return the installed kinds that say that the PBX itself records, without options of a site.

    A kind says so by a class attribute `capabilities`; one that cannot be loaded is passed over.
    """
    found = []
    for name in known_kinds():
        with suppress(ImportError, AttributeError):
            if is_on_pbx(name):
                found.append(find(name))
    return tuple(found)


def kind_now(kind: str) -> str:
    """Return the name that a kind has now, given any that it ever had."""
    return FORMER.get(kind, kind)


@cache
def is_on_pbx(kind: str) -> bool:
    """Return whether the PBX itself records in a kind; False for one that is not installed.

    A kind says so by `capabilities` of its class.
    """
    try:
        can = getattr(find(kind), "capabilities", None)
    except UnknownKind:
        return False
    return isinstance(can, Capabilities) and can.on_pbx


def find(kind: str) -> RecorderKind:
    """Return the class of a kind, also by a former name; raises `UnknownKind`."""
    for entry in entry_points(group=GROUP, name=kind_now(kind)):
        found: RecorderKind = entry.load()
        return found
    raise UnknownKind(kind, known_kinds())
