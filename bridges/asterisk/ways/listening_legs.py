# SPDX-License-Identifier: Apache-2.0
"""Recordings on the channels that listen to a call: each records the call too, and is stopped.

A supervisor's own leg may carry a MixMonitor, by the dialplan or by the supervisor's own rule. It
is drained as the call's channels are; the listening goes on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ami import recording_actions
from bridges.asterisk.ways.listeners import recording_listeners, shown
from bridges.asterisk.ways.way import Sweep
from bridges.model import Evidence

_ROUNDS: Final = 4
"""How often these channels are drained again, because a recording began on one meanwhile."""


@dataclass(slots=True)
class ListeningLegs:
    """What was stopped on the channels that listen, in words, and what could not be."""

    stopped: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def stop_on_listeners(sweep: Sweep) -> ListeningLegs:
    """Stop every MixMonitor on the channels that listen to the call, until none is left.

    Raises as `ami.recording_actions.drain` does.
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
        done.wrong = [f"recordings keep starting on {_name(sweep, one)}, which listens"
                      for one in counts if _runs(sweep, one)]  # fmt: skip
    done.stopped = [
        f"{number} MixMonitor{'' if number == 1 else 's'} of {_name(sweep, one)}, which listens,"
        " stopped"
        for one, number in counts.items() if number
    ]  # fmt: skip
    return done


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
