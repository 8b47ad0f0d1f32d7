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

from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any, Protocol

from ami.pbx import Pbx
from bridges.model import Capabilities, Recorder

GROUP = "offrecord.recorders"


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
            kind = find(name)
            can = getattr(kind, "capabilities", None)
            if isinstance(can, Capabilities) and can.on_pbx:
                found.append(kind)
    return tuple(found)


def find(kind: str) -> RecorderKind:
    """Return the class of a kind; raises `UnknownKind`."""
    for entry in entry_points(group=GROUP, name=kind):
        found: RecorderKind = entry.load()
        return found
    raise UnknownKind(kind, known_kinds())
