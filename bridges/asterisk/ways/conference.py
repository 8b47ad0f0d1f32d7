# SPDX-License-Identifier: Apache-2.0
"""The mix of a conference, recorded as a whole (`record_conference`, `ConfbridgeStartRecord`).

ConfBridge records through a channel of its own, `CBRec/NAME-…`, that no listing and no event shows;
it is a MixMonitor on that channel. Measured on 16.28 and 22.10 with the account as shipped:
StopMixMonitor by its exact name ends it, also one that began before the link, and the answer that
none is left proves it. A mute raises no event there and cannot be read back, so a pause is a stop.
"""

from collections.abc import Iterable
from typing import Final

from ami import recording_actions
from ami.calls.snapshots import Call
from ami.errors import AmiDenied
from bridges.asterisk.look import HiddenChannel, hidden_channels
from bridges.asterisk.ways.mixmonitor import TICK, stopped_instead
from bridges.asterisk.ways.way import ENDED, Sweep, WayReport, WayState
from bridges.model import Evidence

RECORDER: Final = "CBRec/"
_CONFERENCE: Final = "base"
"""The type of a ConfBridge's bridge."""

MOST_PEERS: Final = 10
"""Channels that BRIDGEPEER names at most."""

_TICKS: Final = 25
"""How often a recording is looked for of which an event told."""


class ConferenceWay:
    """The way of the conferences' mixes. It needs the look."""

    name = "conference"

    async def stop(self, sweep: Sweep) -> WayReport:
        """Stop the MixMonitor of every mix that channels of the call are in."""
        call = sweep.call_now()
        if call is None:
            return WayReport(self.name, WayState.ENDED, ENDED)
        mixes = {channel.mix for channel in call.channels}
        if mixes == {""} and not self._in_conference(sweep, call):
            return WayReport(self.name, WayState.NOTHING, "")
        found, complete = await self._recorders(sweep, call)
        stopped, gone = 0, 0
        for name in found:
            since = sweep.clock()
            drained = await recording_actions.drain(sweep.pbx, name)
            sent = f"StopMixMonitor {name}, {drained.stopped} stopped"
            sweep.note(since, sent, drained.answer, Evidence.READ_BACK)
            if not drained.proven:
                detail = f"recordings keep starting on {name}"
                return WayReport(self.name, WayState.RECORDS, detail, fix="see what starts them")
            stopped += drained.stopped
            gone += drained.gone
            sweep.pbx.graph.set_mix_stopped(conference_of(name))
        if complete and not found:
            for mix in filter(None, mixes):
                sweep.pbx.graph.set_mix_stopped(mix)
        return self._report(sweep, stopped, gone, complete=complete)

    def _report(self, sweep: Sweep, stopped: int, gone: int, *, complete: bool) -> WayReport:
        problem = sweep.look.problem or ("" if complete else "too many channels are hidden")
        if problem:
            detail = f"whether the conference as a whole is recorded is not known: {problem}"
            fix = "see the AMI link, and that the account has write = call,reporting"
            return WayReport(self.name, WayState.NOT_SEEN, detail, stopped, fix)
        if stopped:
            return WayReport(self.name, WayState.STOPPED, "", stopped)
        if sweep.call_now() is None:
            return WayReport(self.name, WayState.ENDED, ENDED)
        if gone:
            detail = "the recording of the conference ended meanwhile"
            return WayReport(self.name, WayState.STOPPED, detail)
        return WayReport(self.name, WayState.NOTHING, "")

    async def pause(self, sweep: Sweep) -> WayReport:
        """Stop: no mute of a mix can be proven."""
        why = "the recording of a conference cannot be muted"
        return stopped_instead(await self.stop(sweep), why)

    async def resume(self, sweep: Sweep) -> WayReport:  # noqa: ARG002
        """Do nothing: nothing was paused in this way."""
        return WayReport(self.name, WayState.NOTHING, "")

    def plan(self, sweep: Sweep) -> Iterable[str]:
        """Return a StopMixMonitor for each mix that the look or the events have named."""
        names = {one.name for one in mixes_of(sweep.order.call, sweep.look.hidden)}
        mixes = {channel.mix for channel in sweep.order.call.channels if channel.mix}
        names |= {f"{RECORDER}{mix}-…" for mix in mixes} if not names else set()
        return [f"StopMixMonitor Channel={name}" for name in sorted(names)]

    @staticmethod
    def _in_conference(sweep: Sweep, call: Call) -> bool:
        """Return whether a channel of the call is in a bridge of ConfBridge, by the listings."""
        look = sweep.look
        for channel in call.channels:
            row = look.rows.get(channel.uniqueid)
            bridge = look.bridges.get(row.bridge_id) if row is not None else None
            if bridge is not None and bridge.bridge_type == _CONFERENCE:
                return True
        return False

    async def _recorders(self, sweep: Sweep, call: Call) -> tuple[list[str], bool]:
        """Return the names of the channels that record a mix of the call, and whether that is all.

        The event of a mix comes before its channel is in the bridge, so one that events have told
        of is looked for again.
        """
        told = {channel.mix for channel in call.channels if channel.mix}
        hidden, complete = sweep.look.hidden, sweep.look.complete
        found: list[str] = []
        for _ in range(_TICKS):
            found = [one.name for one in mixes_of(call, hidden)]
            found += await self._in_large_ones(sweep, call, hidden, found)
            if told <= {conference_of(name) for name in found}:
                break
            await sweep.sleep(TICK)
            hidden, complete = await hidden_channels(sweep.pbx)
        return found, complete

    @staticmethod
    async def _in_large_ones(
        sweep: Sweep, call: Call, hidden: Iterable[HiddenChannel], found: list[str]
    ) -> list[str]:
        """Return the recorders of conferences that are too large for a recorder to name all."""
        names = {channel.name for channel in call.channels}
        more = []
        for one in hidden:
            large = one.name.startswith(RECORDER) and len(one.peers) >= MOST_PEERS
            if not large or one.name in found:
                continue
            fields = {"Conference": conference_of(one.name)}
            try:
                rows = await sweep.pbx.action_list("ConfbridgeList", fields, timeout=2.0)
            except AmiDenied as problem:
                if problem.permission:
                    raise
                continue  # it has ended
            if any(row.headers.get("Channel") in names for row in rows):
                more.append(one.name)
        return more


def conference_of(recorder: str) -> str:
    """Return the name of the conference in the name of the channel that records it."""
    return recorder.removeprefix(RECORDER).rpartition("-")[0]


def mixes_of(call: Call, hidden: Iterable[HiddenChannel]) -> list[HiddenChannel]:
    """Return the recorders in a bridge with a channel of the call."""
    names = {channel.name for channel in call.channels}
    return [
        one for one in hidden
        if one.name.startswith(RECORDER) and not names.isdisjoint(one.peers)
    ]  # fmt: skip
