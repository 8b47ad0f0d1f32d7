# SPDX-License-Identifier: Apache-2.0
"""The typed AMI events, one NamedTuple for each event that the daemon uses. No decoding here.

Field meanings are Asterisk's own. Ids that an event lacks are empty strings.
`ami.events.packet_to_event` makes these from packets.
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
    """A channel's connected line changed."""

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

    `bridge_type`: what made the bridge (`basic` for calls between parties, `parking`, `stasis`,
    `base` for a conference). `technology`: how it mixes (`simple_bridge`, `softmix`, `native_rtp`,
    `holding_bridge` for parties that wait and do not hear each other).
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
    """A conference started, or the recording of its mix started or stopped.

    `recorded` is None when the conference itself starts; without another event its mix is not
    recorded.
    """

    bridge_id: str
    conference: str
    recorded: bool | None


class BridgeMerge(NamedTuple):
    """All channels in `from_bridge` are about to move to `to_bridge`; their own events follow."""

    to_bridge: str
    from_bridge: str


class DialBegin(NamedTuple):
    """A channel dials another. The dialling side is empty for an Originate."""

    channel: str
    uniqueid: str
    linkedid: str
    dest_channel: str
    dest_uniqueid: str
    dest_linkedid: str


class DialEnd(NamedTuple):
    """A dial attempt ended; `status` as in DIALSTATUS."""

    uniqueid: str
    linkedid: str
    dest_uniqueid: str
    dest_linkedid: str
    status: str


class BlindTransfer(NamedTuple):
    """A party was transferred blind. The transferee is empty when a whole bridge was."""

    result: str
    transferer_uniqueid: str
    transferer_linkedid: str
    transferee_uniqueid: str
    transferee_linkedid: str
    context: str
    exten: str


class AttendedTransfer(NamedTuple):
    """Two calls of one person were joined by a transfer.

    `parties`: (uniqueid, linkedid) of every channel the event names: both legs of the transferer,
    the transferee, the target and, where a Local channel joins the calls, its two halves.
    """

    result: str
    parties: tuple[tuple[str, str], ...]


class Pickup(NamedTuple):
    """A channel picked up a call that rang at another (`target`), which then ends."""

    uniqueid: str
    linkedid: str
    target_uniqueid: str
    target_linkedid: str


class MixMonitorStart(NamedTuple):
    """A MixMonitor started on a channel."""

    channel: str
    uniqueid: str
    linkedid: str


class MixMonitorStop(NamedTuple):
    """A MixMonitor was stopped on a channel. A hang-up alone raises no such event."""

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


class MonitorStart(NamedTuple):
    """A Monitor (Asterisk 20 and older) started on a channel, which has one at most."""

    channel: str
    uniqueid: str
    linkedid: str


class MonitorStop(NamedTuple):
    """A channel's Monitor ended, by a stop or with the channel: a hang-up raises it too."""

    channel: str
    uniqueid: str
    linkedid: str


class ChanSpyStart(NamedTuple):
    """A channel (`spyer`) began to listen to another (`spyee`): ChanSpy, ExtenSpy, an ARI snoop."""

    spyer_channel: str
    spyer_uniqueid: str
    spyer_linkedid: str
    spyee_channel: str
    spyee_uniqueid: str
    spyee_linkedid: str


class ChanSpyStop(NamedTuple):
    """A channel (`spyer`) ended listening to another (`spyee`); either may go on to live."""

    spyer_channel: str
    spyer_uniqueid: str
    spyer_linkedid: str
    spyee_channel: str
    spyee_uniqueid: str
    spyee_linkedid: str


class PresenceStateChange(NamedTuple):
    """A presence state was set. `subtype` and `message` are whatever its author wrote."""

    presentity: str
    status: str
    subtype: str
    message: str


class DTMFEnd(NamedTuple):
    """A digit was received from a phone. The repr hides the digit."""

    channel: str
    uniqueid: str
    linkedid: str
    digit: str

    def __repr__(self) -> str:
        """Return the channel without the digit, which may be of a card number."""
        return f"DTMFEnd(channel={self.channel!r}, uniqueid={self.uniqueid!r}, digit=hidden)"


class UserEvent(NamedTuple):
    """A UserEvent raised by a dialplan or by a manager.

    The ids are those of the channel that raised it, otherwise what its author sent under these
    names, if anything. `fields`: the author's other headers; the repr shows only their names,
    because values may be private.
    """

    name: str
    channel: str
    uniqueid: str
    linkedid: str
    fields: Mapping[str, str]

    def __repr__(self) -> str:
        """Return the event without the values of its fields."""
        return (
            f"UserEvent(name={self.name!r}, channel={self.channel!r}, "
            f"uniqueid={self.uniqueid!r}, fields={sorted(self.fields)!r})"
        )


class ExtensionSet(NamedTuple):
    """A dialplan set the variable `OFFRECORD_EXTENSION` on a channel."""

    uniqueid: str
    extension: str


class FullyBooted(NamedTuple):
    """Asterisk has booted. Also sent to each manager after its login."""

    status: str


class OriginateResponse(NamedTuple):
    """The result of an `Originate` with `Async`; sent to every manager.

    `context`, `exten`: where the near end was to continue. `answered` is False when there was no
    answer, and also when there is no such extension to dial.
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
    | MonitorStart
    | MonitorStop
    | ChanSpyStart
    | ChanSpyStop
    | PresenceStateChange
    | DTMFEnd
    | UserEvent
    | ExtensionSet
    | FullyBooted
    | OriginateResponse
    | Shutdown
)
