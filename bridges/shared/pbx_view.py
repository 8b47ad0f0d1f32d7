# SPDX-License-Identifier: Apache-2.0
"""What bridges to other systems ask of the PBX: who is live on a line right now."""

from collections.abc import Callable, Sequence

from ami.calls.snapshots import Channel
from ami.ports import HasGraph

LiveOn = Callable[[str], Sequence[Channel] | None]
"""The live channels of an extension; None while the PBX's calls are not known."""


def live_on(pbx: HasGraph) -> LiveOn:
    """Return what tells the live channels of an extension of this PBX."""
    return lambda number: pbx.graph.live_on(number) if pbx.graph.known else None
