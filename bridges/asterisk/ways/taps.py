# SPDX-License-Identifier: Apache-2.0
"""Taps: whoever listens to a call without being a party of it.

Whether a tap records cannot be told, so a stop beside one is not proven, unless the site answers
for it in `[taps]`, or has every other one hung up. A recording on the listening channel itself is
one of this call, and is stopped with it (`listening_legs`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Protocol, runtime_checkable

from ami.errors import AmiError
from bridges.asterisk.look import answered, is_live
from bridges.asterisk.ways.listeners import Tap, find_taps
from bridges.asterisk.ways.listening_legs import ListeningLegs, plan_on_listeners, stop_on_listeners
from bridges.asterisk.ways.way import ENDED, Sweep, WayReport, WayState
from bridges.model import Evidence

FIX: Final = 'name its extension or context in [taps], or set on_stop = "hangup" there'

FIX_RECORDS: Final = (
    'take the option r out of that ChanSpy in the dialplan, or set on_stop = "hangup" in [taps]'
)

NO_CHANNEL: Final = "No such channel"

_TICK: Final = 0.02
"""Seconds between two looks for a channel that was told to hang up."""
_TICKS: Final = 50
_ROUNDS: Final = 3
"""How often listeners are looked for again, because one came while others were hung up."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,148}")
"""A uniqueid that Hangup takes as such. One between slashes would be a regular expression."""


@dataclass(frozen=True, slots=True)
class TapSettings:
    """`[taps]`: whose listening the site answers for, and what is done about the others.

    `extensions`, `contexts` and `apps` (applications of ARI) are shell patterns. `hang_up`: a stop
    or a pause ends whoever is not named.
    """

    extensions: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    hang_up: bool = False

    def names(self, one: Tap) -> bool:
        """Return whether the site answers for a listener."""
        return any(
            value and any(fnmatchcase(value, pattern) for pattern in patterns)
            for value, patterns in (
                (one.extension, self.extensions),
                (one.context, self.contexts),
                (one.app, self.apps),
            )
        )


REPORT: Final = TapSettings()
"""What counts without `[taps]`: nobody is named, and nobody is hung up."""


@runtime_checkable
class UsesTaps(Protocol):
    """A recorder that looks for taps on calls."""

    def use_taps(self, settings: TapSettings) -> None:
        """Take whose listening the site answers for, before the first order."""


class Taps:
    """The way of the taps. It comes after the ways that name `Sweep.recorded_listeners`.

    A snoop of which another way knows what it records is that way's to stop and to prove.
    """

    name = "taps"

    def __init__(self, settings: TapSettings = REPORT) -> None:
        self._settings = settings

    async def stop(self, sweep: Sweep) -> WayReport:
        """Stop what records on channels that listen, and report who listens.

        Those that the site does not name are hung up, where it says so.
        """
        if sweep.call_now() is None:
            return WayReport(self.name, WayState.ENDED, ENDED)
        missed = await self._look(sweep)
        legs = await stop_on_listeners(sweep)
        ended: dict[str, Tap] = {}
        wrong: dict[str, str] = {}
        heard: list[Tap] = []
        for _ in range(_ROUNDS):
            call = sweep.call_now()
            if call is None:
                heard = []
                break
            found = find_taps(sweep.pbx.graph, call, sweep.look)
            heard = [one for one in found if one.uniqueid not in ended]
            fresh = [one for one in self._to_end(sweep, heard) if one.uniqueid not in wrong]
            if not fresh:
                break
            for one in fresh:
                why = await self._hang_up(sweep, one)
                if why:
                    wrong[one.uniqueid] = why
                else:
                    ended[one.uniqueid] = one
        left = [one for one in heard if one.uniqueid not in ended]
        if missed is not None and not self._others(sweep, left):
            raise missed
        return self._report(sweep, left, tuple(ended.values()), wrong, legs)

    async def see(self, sweep: Sweep) -> WayReport:
        """Report who listens, and change nothing: for a call whose route asks no PBX."""
        call = sweep.call_now()
        if call is None:
            return WayReport(self.name, WayState.ENDED, ENDED)
        heard = find_taps(sweep.pbx.graph, call, sweep.look)
        others = "; ".join(_others(one) for one in self._others(sweep, heard))
        state = WayState.NOT_SEEN if others else WayState.NOTHING
        return WayReport(self.name, state, others, fix=FIX if others else "")

    @staticmethod
    async def _look(sweep: Sweep) -> AmiError | None:
        """Look again where the first look failed; return why there is none, None when there is."""
        try:
            sweep.look = await answered(sweep.pbx, sweep.look)
        except AmiError as problem:
            return problem
        return None

    async def pause(self, sweep: Sweep) -> WayReport:
        """Do as for a stop: a tap cannot be muted."""
        return await self.stop(sweep)

    async def resume(self, sweep: Sweep) -> WayReport:  # noqa: ARG002
        """Do nothing: nothing was paused in this way."""
        return WayReport(self.name, WayState.NOTHING, "")

    def plan(self, sweep: Sweep) -> Iterable[str]:
        """Return the stops and hang-ups that `stop` would send, as far as `look` shows."""
        yield from plan_on_listeners(sweep)
        call = sweep.call_now()
        heard = () if call is None else find_taps(sweep.pbx.graph, call, sweep.look)
        for one in self._to_end(sweep, heard):
            yield f"Hangup Channel={one.uniqueid} ({one.shown})"

    def _to_end(self, sweep: Sweep, heard: Sequence[Tap]) -> list[Tap]:
        """Return those that are to be hung up."""
        if not self._settings.hang_up:
            return []
        return [one for one in self._others(sweep, heard) if not one.party]

    def _others(self, sweep: Sweep, heard: Sequence[Tap]) -> list[Tap]:
        """Return those that neither the site answers for nor another way.

        No word of the site's counts against the option by which a ChanSpy records.
        """
        known = sweep.recorded_listeners
        unknown = [one for one in heard if one.uniqueid not in known]
        return [one for one in unknown if one.records or not self._settings.names(one)]

    async def _hang_up(self, sweep: Sweep, one: Tap) -> str:
        """Hang up a listener, until it has gone; return why it has not, empty when it has."""
        if not _PLAIN.fullmatch(one.uniqueid):
            return "its id is not plain"
        since = sweep.clock()
        answer = await sweep.pbx.action("Hangup", {"Channel": one.uniqueid})
        gone = answer.message == NO_CHANNEL
        if answer.ok:
            gone = await self._is_gone(sweep, one.uniqueid)
        sent = f"Hangup {one.uniqueid} ({one.shown})"
        level = Evidence.READ_BACK if gone else Evidence.ACCEPTED
        sweep.note(since, sent, NO_CHANNEL if gone else answer.message, level)
        if gone:
            return ""
        return "it was told to hang up and is still there" if answer.ok else answer.message[:100]

    async def _is_gone(self, sweep: Sweep, uniqueid: str) -> bool:
        for _ in range(_TICKS):
            if not await is_live(sweep.pbx, uniqueid):
                return True
            await sweep.sleep(_TICK)
        return False

    def _report(
        self,
        sweep: Sweep,
        heard: Sequence[Tap],
        ended: Sequence[Tap],
        wrong: dict[str, str],
        legs: ListeningLegs,
    ) -> WayReport:
        others = self._others(sweep, heard)
        named = [one for one in heard if one not in others and self._settings.names(one)]
        parts = [*legs.wrong, *legs.unseen, *legs.stopped]
        parts += [f"{one.shown}, which listened {one.how}, was hung up" for one in ended]
        parts += [f"{one.shown} listens {one.how}, as [taps] names it" for one in named]
        parts += [f"{_others(one)}{_why(wrong.get(one.uniqueid))}" for one in others]
        said = "; ".join(parts)
        if legs.wrong:
            return WayReport(self.name, WayState.RECORDS, said, fix=legs.fix)
        if any(one.sure for one in others):
            fix = FIX_RECORDS if any(one.records for one in others) else FIX
            return WayReport(self.name, WayState.RECORDS, said, fix=fix)
        if others or legs.unseen:
            fix = FIX if others else legs.fix
            return WayReport(self.name, WayState.NOT_SEEN, said, fix=fix)
        if not sweep.pbx.graph.known:
            why = "the PBX's calls are not known"
            said = "; ".join([*parts, f"who else listens to this call is not known: {why}"])
            return WayReport(self.name, WayState.NOT_SEEN, said, fix="see the AMI link")
        stopped = ended or legs.stopped
        return WayReport(self.name, WayState.STOPPED if stopped else WayState.NOTHING, said)


def _others(one: Tap) -> str:
    if not one.sure:
        return f"{one.shown} is in {one.how.removeprefix('by ')}; whom it listens to is not known"
    if one.records:
        return f"{one.shown} listens {one.how} and records it, by the option r"
    return f"{one.shown} listens {one.how}; whether that is recorded cannot be told"


def _why(problem: str | None) -> str:
    return f" ({problem})" if problem else ""
