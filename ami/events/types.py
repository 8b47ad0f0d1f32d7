# SPDX-License-Identifier: Apache-2.0
"""The AMI events the call graph and the daemon take notice of, one plain tuple each.

Field meanings are Asterisk's own. Ids that an event lacks are empty strings.
`ami.events.packet_to_event` makes them from packets.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Newchannel(NamedTuple):
    """A channel was made. `exten` is what was dialled, not who the channel is."""

    channel: str
    uniqueid: str
    linkedid: str
    state: str
    caller_number: str
    caller_name: str
    connected_number: str
    account: str
    context: str
    exten: str


class Newstate(NamedTuple):
    """A channel changed state (`Ring`, `Ringing`, `Up`, …)."""

    channel: str
    uniqueid: str
    linkedid: str
    state: str


class NewConnectedLine(NamedTuple):
    """A channel was told whom it is connected to."""

    channel: str
    uniqueid: str
    linkedid: str
    connected_number: str


class NewCallerid(NamedTuple):
    """A channel's own number or name changed."""

    channel: str
    uniqueid: str
    linkedid: str
    caller_number: str
    caller_name: str


class NewAccountCode(NamedTuple):
    """A channel's account code changed."""

    uniqueid: str
    linkedid: str
    account: str


class Rename(NamedTuple):
    """A channel got another name; its uniqueid stays."""

    channel: str
    new_name: str
    uniqueid: str


class Hangup(NamedTuple):
    """A channel is gone. `cause` is the ISDN cause code as text."""

    channel: str
    uniqueid: str
    linkedid: str
    cause: str


class LocalBridge(NamedTuple):
    """The two halves of a Local channel were tied together."""

    one_channel: str
    one_uniqueid: str
    one_linkedid: str
    two_channel: str
    two_uniqueid: str
    two_linkedid: str


class BridgeEnter(NamedTuple):
    """A channel joined a bridge.

    `bridge_type` tells who made the bridge (`basic` for calls between parties, `parking`,
    `stasis`, `base` for a conference), `technology` how it mixes (`simple_bridge`, `softmix`,
    `native_rtp`, `holding_bridge` for parties that wait and do not hear each other).
    """

    bridge_id: str
    bridge_type: str
    technology: str
    channel: str
    uniqueid: str
    linkedid: str


class BridgeLeave(NamedTuple):
    """A channel left a bridge."""

    bridge_id: str
    channel: str
    uniqueid: str
    linkedid: str


class BridgeDestroy(NamedTuple):
    """A bridge is gone."""

    bridge_id: str


class ConferenceMix(NamedTuple):
    """A conference began or ended, or the recording of its mix did.

    `recorded` is None for a conference that begins: one of which nothing else was told has none.
    """

    bridge_id: str
    conference: str
    recorded: bool | None


class BridgeMerge(NamedTuple):
    """Everyone in `from_bridge` is about to move to `to_bridge`; leaving and entering follow."""

    to_bridge: str
    from_bridge: str


class DialBegin(NamedTuple):
    """A channel began to dial another. The dialling side is empty for an Originate."""

    channel: str
    uniqueid: str
    linkedid: str
    dest_channel: str
    dest_uniqueid: str
    dest_linkedid: str


class DialEnd(NamedTuple):
    """A dial came to an end; `status` as in DIALSTATUS."""

    uniqueid: str
    linkedid: str
    dest_uniqueid: str
    dest_linkedid: str
    status: str


class BlindTransfer(NamedTuple):
    """A party was sent elsewhere without asking. The transferee is empty for a whole bridge."""

    result: str
    transferer_uniqueid: str
    transferer_linkedid: str
    transferee_uniqueid: str
    transferee_linkedid: str
    context: str
    exten: str


class AttendedTransfer(NamedTuple):
    """Two calls of one person were joined.

    `parties` holds (uniqueid, linkedid) of every channel the event names: both legs of the
    transferer, the transferee, the target and, where the calls were joined by a Local channel,
    its two halves.
    """

    result: str
    parties: tuple[tuple[str, str], ...]


class Pickup(NamedTuple):
    """Somebody took a call that rang elsewhere; the channel that rang ends."""

    uniqueid: str
    linkedid: str
    target_uniqueid: str
    target_linkedid: str


class MixMonitorStart(NamedTuple):
    """A MixMonitor began on a channel."""

    channel: str
    uniqueid: str
    linkedid: str


class MixMonitorStop(NamedTuple):
    """A MixMonitor was stopped on a channel. A mere hang-up raises no such event."""

    channel: str
    uniqueid: str
    linkedid: str


class MixMonitorMute(NamedTuple):
    """A channel's MixMonitors were muted or unmuted; `direction` is read, write or both."""

    channel: str
    uniqueid: str
    linkedid: str
    direction: str
    muted: bool


class DTMFEnd(NamedTuple):
    """A person pressed a digit (only digits received from a phone). The repr hides the digit."""

    channel: str
    uniqueid: str
    linkedid: str
    digit: str

    def __repr__(self) -> str:
        """Name the channel and not the digit: it may belong to a card number."""
        return f"DTMFEnd(channel={self.channel!r}, uniqueid={self.uniqueid!r}, digit=hidden)"


class UserEvent(NamedTuple):
    """An event raised by a dialplan or by a manager.

    A channel that raised it is named; else the ids are what its author gave as such, if anything.
    `fields` are the author's other headers by name; the repr shows the names alone, as values may
    be private.
    """

    name: str
    channel: str
    uniqueid: str
    linkedid: str
    fields: Mapping[str, str]

    def __repr__(self) -> str:
        """Show what came, without the values of its fields."""
        return (
            f"UserEvent(name={self.name!r}, channel={self.channel!r}, "
            f"uniqueid={self.uniqueid!r}, fields={sorted(self.fields)!r})"
        )


class ExtensionSet(NamedTuple):
    """A dialplan said whose channel this is, by the variable `OFFRECORD_EXTENSION`."""

    uniqueid: str
    extension: str


class FullyBooted(NamedTuple):
    """The PBX is up. Also sent to each manager after its login."""

    status: str


class OriginateResponse(NamedTuple):
    """What became of an `Originate` with `Async`, told once by the PBX to all.

    `context` and `exten` are where the near end was to go on. `answered` is False when nobody
    answered, and also when there is no such extension to dial.
    """

    context: str
    exten: str
    answered: bool


class Shutdown(NamedTuple):
    """The PBX is going down."""

    restart: bool


Event = (
    Newchannel
    | Newstate
    | NewConnectedLine
    | NewCallerid
    | NewAccountCode
    | Rename
    | Hangup
    | LocalBridge
    | BridgeEnter
    | BridgeLeave
    | BridgeDestroy
    | ConferenceMix
    | BridgeMerge
    | DialBegin
    | DialEnd
    | BlindTransfer
    | AttendedTransfer
    | Pickup
    | MixMonitorStart
    | MixMonitorStop
    | MixMonitorMute
    | DTMFEnd
    | UserEvent
    | ExtensionSet
    | FullyBooted
    | OriginateResponse
    | Shutdown
)
