# SPDX-License-Identifier: Apache-2.0
"""Look for what records a call, and change nothing: for calls whose route asks no PBX.

One question for each way of the table, so that a way without one fails a test. Where the question
has no answer that proves anything, the report says that it cannot be told. Who listens is asked by
the way of the taps, which knows whom the site names; see `LISTENERS`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from ami.errors import AmiDenied
from bridges.asterisk.ari.scene import recorders_of, scene_of
from bridges.asterisk.ways.applications import RECORDING
from bridges.asterisk.ways.conference import mixes_of
from bridges.asterisk.ways.table import BY_NAME
from bridges.asterisk.ways.way import ENDED, Sweep, WayReport, WayState
from bridges.model import Evidence, Outcome
from bridges.shared.answer_table import OrderEnd

LISTENERS: Final = frozenset({"spy", "listening_leg", "listening_program", "ari_snoop"})
"""The rows of the table that are listeners."""

NOT_TOLD: Final = "it cannot be told whether this PBX records the call, and no route stops it"

Look = Callable[[Sweep], Awaitable[WayReport]]


async def look_only(sweep: Sweep, listeners: Look | None = None) -> list[WayReport]:
    """Return a report of each way that this PBX has; `listeners` looks for those of `LISTENERS`.

    Raises `ami.errors.AmiError`.
    """
    looks = [look for name, look in LOOKS.items() if BY_NAME[name].exists_on(sweep.pbx.version)]
    if listeners is not None:
        looks.append(listeners)
    return [await look(sweep) for look in looks]


def seen(sweep: Sweep, reports: list[WayReport]) -> OrderEnd:
    """Return the end of a look from the reports of its ways."""
    runs = [one.detail for one in reports if one.state is WayState.RECORDS]
    if runs:
        plural = "s" if len(runs) == 1 else ""
        detail = f"{', '.join(runs)} record{plural} on this PBX and no route stops it"
        return OrderEnd(Outcome.FAILED, Evidence.READ_BACK, detail)
    if sweep.call_now() is None:
        return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, ENDED)
    dark = [one.detail for one in reports if one.state is WayState.NOT_SEEN]
    if sweep.look.problem:
        dark.append(f"the PBX did not show it ({sweep.look.problem})")
    elif not sweep.look.complete:
        dark.append("the PBX has more hidden channels than it names")
    if not sweep.pbx.graph.known:
        dark.append("the PBX's calls are not known")
    if dark:
        why = "; ".join(dark)
        return OrderEnd(Outcome.FAILED, Evidence.NONE, f"{NOT_TOLD}: {why}")
    return OrderEnd(Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE, "the PBX records none of it")


def _report(way: str, runs: list[str], dark: list[str] | None = None) -> WayReport:
    """Return the report of a way that runs on some channels, and may run on others."""
    row = BY_NAME[way]
    if runs:
        return WayReport(way, WayState.RECORDS, f"{row.one} on {', '.join(runs)}", len(runs))
    if dark:
        return WayReport(way, WayState.NOT_SEEN, f"{row.one} on {', '.join(dark)} is not known")
    return WayReport(way, WayState.NOTHING, "")


async def _named(sweep: Sweep, variable: str, uniqueid: str) -> bool:
    """Return whether a channel has a variable; False when the channel has gone."""
    since = sweep.clock()
    try:
        found = await sweep.pbx.getvar(uniqueid, variable)
    except AmiDenied as gone:
        found = gone.answer
        return False
    finally:
        sweep.note(since, f"Getvar {uniqueid} {variable}", found, Evidence.READ_BACK)
    return bool(found)


async def _mixmonitor(sweep: Sweep) -> WayReport:
    """Go by the events; where they did not tell, a channel without a file never had one."""
    call = sweep.call_now() or sweep.order.call
    runs = [channel.name for channel in call.channels if channel.monitors]
    silent = not sweep.pbx.graph.starts_seen
    doubtful = [c for c in call.channels if c.monitors is None or (silent and not c.monitors)]
    dark = [c.name for c in doubtful if await _named(sweep, "MIXMONITOR_FILENAME", c.uniqueid)]
    return _report("mixmonitor", runs, dark)


async def _monitor(sweep: Sweep) -> WayReport:
    """Go by the events; where they did not tell, MONITORED is empty on a channel without one.

    It is inherited by the called leg, so a channel that has it may have no Monitor.
    """
    call = sweep.call_now() or sweep.order.call
    runs = [channel.name for channel in call.channels if channel.runs_monitor]
    doubtful = [channel for channel in call.channels if channel.runs_monitor is None]
    dark = [c.name for c in doubtful if await _named(sweep, "MONITORED", c.uniqueid)]
    return _report("monitor", runs, dark)


async def _conference(sweep: Sweep) -> WayReport:
    call = sweep.call_now() or sweep.order.call
    mixes = [one.name for one in mixes_of(call, sweep.look.hidden)]
    told = {channel.mix for channel in call.channels if channel.mix}
    return _report("conference", mixes or [f"conference {name}" for name in sorted(told)])


async def _ari_bridge(sweep: Sweep) -> WayReport:
    call = sweep.call_now() or sweep.order.call
    return _report("ari_bridge", list(recorders_of(call, sweep.look.hidden)))


async def _ari_channel(sweep: Sweep) -> WayReport:
    """Report the channels that are alone in Stasis: only those can be recorded, and nobody sees."""
    alone = scene_of(sweep.call_now() or sweep.order.call, sweep.look).alone
    return _report("ari_channel", [], list(alone))


def _application(way: str) -> Look:
    applications = {name.lower() for name in RECORDING[way]}

    async def look(sweep: Sweep) -> WayReport:
        call = sweep.call_now() or sweep.order.call
        rows = [sweep.look.rows.get(channel.uniqueid) for channel in call.channels]
        runs = [row.channel for row in rows if row and row.application.lower() in applications]
        return _report(way, runs)

    return look


LOOKS: Final[Mapping[str, Look]] = {
    "mixmonitor": _mixmonitor,
    "monitor": _monitor,
    "conference": _conference,
    "ari_bridge": _ari_bridge,
    "ari_channel": _ari_channel,
    **{way: _application(way) for way in RECORDING},
}
"""What looks for each way of the table that is no listener."""
