# SPDX-License-Identifier: Apache-2.0
"""Find the live recording of a call in the lists of all nodes together. Pure.

Nothing says that nodes share their live recordings, which is why "there is none" needs the list of
every node.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bridges.imagicle.answers import Next
from bridges.imagicle.client import Answer, Node
from bridges.imagicle.messages import Live
from bridges.shared.call_parties import Parties
from bridges.shared.match_call import Ambiguous, Candidate, Chosen, pick
from bridges.shared.phone_numbers import Match, Numbering

Goal = Callable[[Live | None], bool]
"""Tells whether a recording, None once it is in no list, is as it was asked to be."""

GONE: Final[Goal] = lambda live: live is None  # noqa: E731
SILENT: Final[Goal] = lambda live: live is None or live.paused  # noqa: E731
PAUSED: Final[Goal] = lambda live: live is not None and live.paused  # noqa: E731
RUNNING: Final[Goal] = lambda live: live is not None and not live.paused  # noqa: E731


@dataclass(frozen=True, slots=True)
class WantedCall:
    """The call whose recording is looked for.

    `number` is the line as Imagicle writes it, `line` as we do. `alone`: the line has no other
    call on this PBX, so what it records is this call. `nameable`: it may be named instead of a
    recording, because no other call of it is known here.
    """

    told: Parties
    number: str
    line: str
    numbering: Numbering
    window: float
    alone: bool
    nameable: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The recording of the call, the node that listed it, and why it is the one."""

    live: Live
    node: Node
    why: str

    def __str__(self) -> str:
        """Return it as outcomes name it."""
        return f"recording {self.live.id}, {self.why}"


@dataclass(frozen=True, slots=True)
class NodeLists:
    """The answers of the nodes to one request for a list."""

    answers: tuple[Answer, ...]

    @property
    def read(self) -> tuple[Answer, ...]:
        """The answers that are lists."""
        return tuple(answer for answer in self.answers if answer.items is not None)

    @property
    def unread(self) -> tuple[Answer, ...]:
        """The answers of nodes that gave no list."""
        return tuple(answer for answer in self.answers if answer.items is None)

    @property
    def by_line(self) -> tuple[Answer, ...]:
        """Those among them where the line can still be named."""
        return tuple(answer for answer in self.unread if answer.row.next is Next.BY_LINE)

    def read_by(self, node: Node) -> bool:
        """Return whether that node returned its list."""
        return any(answer.node is node for answer in self.read)

    def seen(self, recording: str) -> dict[Node, Live]:
        """Return where a recording is listed, and as what."""
        return {
            answer.node: live
            for answer in self.read
            for live in answer.items or ()
            if live.is_(recording)
        }

    def choose(self, wanted: WantedCall, *, alone: bool) -> Found | Ambiguous | None:
        """Return the recording of the call, None when no list holds any."""
        places: dict[str, tuple[Live, Node]] = {}
        for answer in self.read:
            for live in answer.items or ():
                places.setdefault(live.id.lower(), (live, answer.node))
        candidates = [
            Candidate((live, node), live.label(node.mask), live.began, _numbers(live))
            for live, node in places.values()
        ]
        chosen = pick(candidates, wanted.told, wanted.numbering, window=wanted.window, only=alone)
        if isinstance(chosen, Chosen):
            return Found(*chosen.item, chosen.why)
        return chosen

    def elsewhere(self, wanted: WantedCall) -> str | None:
        """Return what else has the remote party and the time of the call, in lists of all lines.

        Such a one says that the line's number is written in another way over there.
        """
        for answer in self.read:
            for live in answer.items or ():
                same = any(
                    wanted.numbering.match(live.remote, other) is not Match.NO
                    for other in wanted.told.others
                )
                if same and _near(live.began, wanted.told.began, wanted.window):
                    return live.label(answer.node.mask)
        return None


def _numbers(live: Live) -> tuple[str, ...]:
    return (live.remote,) if live.remote else ()


def _near(some: Sequence[float], others: Sequence[float], window: float) -> bool:
    return any(abs(one - other) <= window for one in some for other in others)
