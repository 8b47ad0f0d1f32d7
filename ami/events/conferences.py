# SPDX-License-Identifier: Apache-2.0
"""Decodes the events about conferences and the recording of a conference's mix.

A part of `ami.events.packet_to_event`, which calls this decoder. The channel that records a
ConfBridge's mix (`CBRec/…`) is in no event and no listing. `ConfbridgeRecord` and
`ConfbridgeStopRecord`, of class `call`, announce its start and stop; the start comes before
`ConfbridgeStart` (measured on Asterisk 16.28 and 22.10).
"""

from typing import Final

from ami.events.headers import headers
from ami.events.types import ConferenceMix

_RECORDED: Final = {"ConfbridgeRecord": True, "ConfbridgeStopRecord": False}


def conference_mix(packet: bytes) -> ConferenceMix | None:
    """Decode a packet about a conference's start or the recording of its mix."""
    told = dict(headers(packet))
    bridge_id = told.get("BridgeUniqueid", "")
    recorded = _RECORDED.get(told.get("Event", ""))
    return ConferenceMix(bridge_id, told.get("Conference", ""), recorded) if bridge_id else None
