# SPDX-License-Identifier: Apache-2.0
"""Recordings on the channels that listen to a call: each records the call too, and is stopped.

A supervisor's own leg may carry a MixMonitor or a Monitor, by the dialplan or by the supervisor's
own rule. Each is stopped as those on the call's channels are; the listening goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ami import recording_actions
from ami.calls.snapshots import Call
from bridges.asterisk.ways.listeners import recording_listeners, shown
from bridges.asterisk.ways.monitor import MonitorWay
from bridges.asterisk.ways.table import BY_NAME
from bridges.asterisk.ways.way import Sweep, WayState
from bridges.model import Evidence

_ROUNDS: Final = 4
"""How often these channels are drained again, because a recording began on one meanwhile."""


@dataclass(slots=True)
class ListeningLegs:
    """What was stopped on the channels that listen, in words, what goes on, and what is not known.

    `fix`: what the administrator can do about the last two.
    """

    stopped: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    fix: str = ""


class _OfListeners(Sweep):
    """A sweep of the channels that listen: they are not one call, and no others of theirs count."""

    def call_now(self) -> Call | None:
        """Return those that are still live, as if they were a call."""
        graph = self.pbx.graph
        live = [graph.channel(one.uniqueid) for one in self.order.call.channels]
        there = tuple(one for one in live if one is not None)
        return replace(self.order.call, channels=there) if there else None


async def stop_on_listeners(sweep: Sweep) -> ListeningLegs:
    """Stop every MixMonitor and Monitor on the channels that listen to the call.

    Raises AmiError as the ways of these do.
    """
    done, graph = ListeningLegs(), sweep.pbx.graph
    counts: dict[str, int] = {}
    for _ in range(_ROUNDS):
        call = sweep.call_now()
        found = recording_listeners(graph, call, sweep.look) if call is not None else ()
        fresh = [one for one in found if one not in counts or _runs(sweep, one)]
        if not fresh:
            break
        for uniqueid in fresh:
            counts[uniqueid] = counts.get(uniqueid, 0) + await _drain(sweep, uniqueid)
        await sweep.sleep(0)  # events that came with the answers are on their way to the graph
    else:
        done.fix = "see what starts them"
        done.wrong = [f"recordings keep starting on {_name(sweep, one)}, which listens"
                      for one in counts if _runs(sweep, one)]  # fmt: skip
    word = BY_NAME["mixmonitor"].counted
    done.stopped = [
        f"{word(number)} of {_name(sweep, one)}, which listens, stopped"
        for one, number in counts.items() if number
    ]  # fmt: skip
    await _stop_monitors(sweep, [*counts], done)
    return done


async def _stop_monitors(sweep: Sweep, uniqueids: Sequence[str], done: ListeningLegs) -> None:
    found = [sweep.pbx.graph.channel(one) for one in uniqueids]
    channels = tuple(one for one in found if one is not None)
    if not channels:
        return
    legs = Call(channels[0].linkedid, frozenset(), channels)
    order = replace(sweep.order, call=legs, presser=None)
    own = _OfListeners(sweep.pbx, order, sweep.look, sweep.clock, sweep.sleep, sweep.steps)
    report = await MonitorWay().stop(own)
    names = ", ".join(shown(one, one.extension) for one in channels)
    if report.state is WayState.STOPPED:
        done.stopped.append(f"{BY_NAME['monitor'].counted(report.count)} of who listens stopped")
    elif report.state is WayState.RECORDS:
        done.wrong.append(f"{names}, which listens: {report.detail}")
    elif report.state is WayState.NOT_SEEN:
        done.unseen.append(f"{names}, which listens: {report.detail}")
    done.fix = done.fix or report.fix


def plan_on_listeners(sweep: Sweep) -> Iterator[str]:
    """Return the stops that would be sent."""
    call = sweep.call_now()
    found = recording_listeners(sweep.pbx.graph, call, sweep.look) if call is not None else ()
    for uniqueid in found:
        yield f"StopMixMonitor Channel={uniqueid} ({_name(sweep, uniqueid)}, which listens)"


async def _drain(sweep: Sweep, uniqueid: str) -> int:
    name, since = _name(sweep, uniqueid), sweep.clock()
    drained = await recording_actions.drain(sweep.pbx, uniqueid)
    sent = f"StopMixMonitor {uniqueid} ({name}, which listens), {drained.stopped} stopped"
    sweep.note(since, sent, drained.answer, Evidence.READ_BACK)
    return drained.stopped


def _runs(sweep: Sweep, uniqueid: str) -> bool:
    channel = sweep.pbx.graph.channel(uniqueid)
    return channel is not None and bool(channel.monitors)


def _name(sweep: Sweep, uniqueid: str) -> str:
    channel, row = sweep.pbx.graph.channel(uniqueid), sweep.look.rows.get(uniqueid)
    if channel is not None:
        return shown(channel, channel.extension)
    return shown(row, None) if row is not None else uniqueid
