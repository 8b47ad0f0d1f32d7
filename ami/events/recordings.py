# SPDX-License-Identifier: Apache-2.0
"""Decodes the events about what records a channel or listens to it: MixMonitor, Monitor, ChanSpy.

A part of `ami.events.packet_to_event`, which calls these decoders. All are of class `call`. None
names a file, an id of a recording or the application behind it (checked on 16.28 and 22.10). A
packet without the ids it is about gives None.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from ami.events.headers import ids, value
from ami.events.types import (
    ChanSpyStart,
    ChanSpyStop,
    Event,
    MixMonitorMute,
    MixMonitorStart,
    MixMonitorStop,
    MonitorStart,
    MonitorStop,
    PresenceStateChange,
)


def _mixmonitor_start(packet: bytes) -> Event | None:
    channel, uniqueid, linkedid = ids(packet.decode("utf-8", "replace"))
    return MixMonitorStart(channel, uniqueid, linkedid) if uniqueid else None


def _mixmonitor_stop(packet: bytes) -> Event | None:
    channel, uniqueid, linkedid = ids(packet.decode("utf-8", "replace"))
    return MixMonitorStop(channel, uniqueid, linkedid) if uniqueid else None


def _mixmonitor_mute(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    channel, uniqueid, linkedid = ids(text)
    if not uniqueid:
        return None
    direction, state = value(text, "\r\nDirection: "), value(text, "\r\nState: ")
    return MixMonitorMute(channel, uniqueid, linkedid, direction.lower(), state not in {"0", ""})


def _monitor_start(packet: bytes) -> Event | None:
    channel, uniqueid, linkedid = ids(packet.decode("utf-8", "replace"))
    return MonitorStart(channel, uniqueid, linkedid) if uniqueid else None


def _monitor_stop(packet: bytes) -> Event | None:
    channel, uniqueid, linkedid = ids(packet.decode("utf-8", "replace"))
    return MonitorStop(channel, uniqueid, linkedid) if uniqueid else None


_SPYING: Final = tuple(
    f"\r\n{who}{header}: "
    for who in ("Spyer", "Spyee")
    for header in ("Channel", "Uniqueid", "Linkedid")
)


def _chanspy_start(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    event = ChanSpyStart(*(value(text, key) for key in _SPYING))
    return event if event.spyer_uniqueid and event.spyee_uniqueid else None


def _chanspy_stop(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    event = ChanSpyStop(*(value(text, key) for key in _SPYING))
    return event if event.spyer_uniqueid else None


def _presence_state_change(packet: bytes) -> Event | None:
    text = packet.decode("utf-8", "replace")
    keys = ("Presentity", "Status", "Subtype", "Message")
    event = PresenceStateChange(*(value(text, f"\r\n{key}: ") for key in keys))
    return event if event.presentity else None


DECODERS: Final[Mapping[bytes, Callable[[bytes], Event | None]]] = MappingProxyType(
    {
        b"Event: MixMonitorStart": _mixmonitor_start,
        b"Event: MixMonitorStop": _mixmonitor_stop,
        b"Event: MixMonitorMute": _mixmonitor_mute,
        b"Event: MonitorStart": _monitor_start,
        b"Event: MonitorStop": _monitor_stop,
        b"Event: ChanSpyStart": _chanspy_start,
        b"Event: ChanSpyStop": _chanspy_stop,
        b"Event: PresenceStateChange": _presence_state_change,
    }
)
"""The decoder for each packet, by the packet's first line."""
