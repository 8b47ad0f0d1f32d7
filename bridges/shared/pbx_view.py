# SPDX-License-Identifier: Apache-2.0
"""Facts of the PBX that recorders over HTTP look up: who is live on a line, is a call still up."""

from collections.abc import Callable, Sequence

from ami.calls.snapshots import Call, Channel
from ami.ports import HasGraph
from bridges.model import Order

LiveOn = Callable[[str], Sequence[Channel] | None]
"""The live channels of an extension; None while the PBX's calls are not known."""


def live_on(pbx: HasGraph) -> LiveOn:
    """Return the function that looks up the live channels of an extension on this PBX."""
    return lambda number: pbx.graph.live_on(number) if pbx.graph.known else None


def is_live(pbx: HasGraph) -> Callable[[Call], bool | None]:
    """Return the function that tells whether a call is still up; None while that is not known."""

    def answer(call: Call) -> bool | None:
        if not pbx.graph.known:
            return None
        return any(pbx.graph.channel(one.uniqueid) is not None for one in call.channels)

    return answer


def is_only_call(order: Order, number: str, live_on: LiveOn) -> bool:
    """Return whether an extension is live, and on no other call than that of the order."""
    live = live_on(number)
    return bool(live) and all(one.linkedid in order.call.lineage for one in live or ())
