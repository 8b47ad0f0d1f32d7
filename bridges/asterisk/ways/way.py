# SPDX-License-Identifier: Apache-2.0
"""What a way to record is to an order: looked for on one call, stopped, paused, resumed.

A way reports what it saw of this call and what it did. The evidence of a press is computed from
the reports of all ways together (`bridges.asterisk.answers`): a way that could not be looked at is
not a way in which nothing is recorded.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from ami.calls.snapshots import Call
from ami.ports import PbxPort
from bridges.asterisk.look import PbxLook
from bridges.model import Evidence, Order, Step


class WayState(StrEnum):
    """What is known of one way to record and one call, once the order was carried out on it."""

    NOTHING = "nothing"
    """It was looked for, and nothing of the call is recorded in this way."""
    STOPPED = "stopped"
    """It recorded; it is proven that it does no more, or holds silence where a pause was asked."""
    RESUMED = "resumed"
    """It held silence; it is proven that it records again."""
    TOLD = "told"
    """It was told to, said yes, and cannot be read back."""
    RECORDS = "records"
    """It records, or may record, and cannot be stopped by us."""
    NOT_SEEN = "not_seen"
    """Nobody can say whether it records."""
    ENDED = "ended"
    """The channels that it would record have gone; nothing was found before."""


ENDED: Final = "its channels have gone"
"""The sentence for `WayState.ENDED`."""


@dataclass(frozen=True, slots=True)
class WayReport:
    """What one way came to. `count`: recordings stopped, muted or resumed.

    `way`: the name of its row in the table. `detail`: a clause that names channels; empty where
    the state and the count say it all, as for what was plainly stopped or not there. `fix`: what
    the administrator can do about `RECORDS` and `NOT_SEEN`; empty otherwise.
    """

    way: str
    state: WayState
    detail: str
    count: int = 0
    fix: str = ""


@dataclass(slots=True)
class Sweep:
    """One order on one call, as every way is given it.

    `look` is what the PBX showed when the order came; the ways that act at once run before it is
    there. `steps` grow with each action sent, for the journal. `answered`: uniqueids of the
    channels that were alive when they were asked. `recorded_listeners`: uniqueids of channels that
    listen to the call and whose recording a way has found: what they are is known. `clock` returns
    seconds since the epoch.
    """

    pbx: PbxPort
    order: Order
    look: PbxLook
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    steps: list[Step] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    recorded_listeners: set[str] = field(default_factory=set)

    def note(self, since: float, sent: str, answer: str, evidence: Evidence) -> None:
        """Keep an action that was sent at `since`, with its answer, for the journal."""
        self.steps.append(Step(since, self.clock() - since, sent, answer, evidence))

    def call_now(self) -> Call | None:
        """Return the call as it is now, or None when none of its channels is left."""
        for channel in self.order.call.channels:
            found = self.pbx.graph.call_of(channel.uniqueid)
            if found is not None:
                return found
        return None


class Way(Protocol):
    """One way to record. Its methods raise `ami.errors.AmiError` and nothing else."""

    name: str
    """The name of its row in `bridges.asterisk.ways.table`."""

    async def stop(self, sweep: Sweep) -> WayReport:
        """Stop what records the call in this way, until that is proven."""

    async def pause(self, sweep: Sweep) -> WayReport:
        """Have what records the call in this way hold silence; stop it where that is not safe."""

    async def resume(self, sweep: Sweep) -> WayReport:
        """Have what this way paused record again."""

    def plan(self, sweep: Sweep) -> Iterable[str]:
        """Return the actions that `stop` would send, sending nothing."""
