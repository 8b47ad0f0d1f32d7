# SPDX-License-Identifier: Apache-2.0
"""A scripted PBX with many calls: MixMonitors that drain and mute, hang-ups, and bad manners."""

import asyncio
from dataclasses import dataclass

from tests.kits.ami_peer import Action, AmiPeer, Answer, PeerChannel, PeerSession

MANNERS = ("silent", "cut", "slow", "goes_on")
"""What the PBX may do with a stop: do it and not answer; do it and cut the link; do it and answer
late; say Success and stop nothing."""


@dataclass
class CallChannel(PeerChannel):
    """A channel with numbers of its own. `muted`: what runs on it records silence."""

    number: str = ""
    connected: str = ""
    muted: bool = False

    def snapshot(self) -> str:
        return (
            f"Channel: {self.name}\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n"
            f"CallerIDNum: {self.number}\r\nCallerIDName: \r\n"
            f"ConnectedLineNum: {self.connected}\r\nConnectedLineName: \r\nLanguage: en\r\n"
            f"AccountCode: \r\nContext: lab\r\nExten: {self.connected}\r\nPriority: 2\r\n"
            f"Uniqueid: {self.uniqueid}\r\nLinkedid: {self.linkedid}\r\n"
        )

    @property
    def recording(self) -> bool:
        return self.monitors > 0 and not self.muted


class CallPeer(AmiPeer):
    """The PBX of a fault run. `misbehave` has the next stops meet one of `MANNERS`."""

    def __init__(self) -> None:
        super().__init__(read="call,dtmf,user,system", write="call,reporting,command")
        self._manners: list[str] = []

    def misbehave(self, manner: str, times: int) -> None:
        self._manners += [manner] * times

    def behave(self) -> None:
        self._manners.clear()

    def event(self, name: str, text: str, privilege: str = "call") -> None:
        for session in self.sessions:
            if session.writer.is_closing():
                session.logged_in = False  # it was killed, and this end is still learning of it
        super().event(name, text, privilege)

    def place(self, channel: CallChannel, monitors: int) -> None:
        """Put a channel up, with so many MixMonitors."""
        self.channels[channel.uniqueid] = channel
        self.event("Newchannel", channel.snapshot())
        bridge = (
            f"BridgeUniqueid: {channel.bridge}\r\nBridgeType: basic\r\nBridgeNumChannels: 2\r\n"
        )
        self.event("BridgeEnter", f"{bridge}{channel.snapshot()}")
        for _ in range(monitors):
            self.start(channel.uniqueid)

    def recorded(self, *uniqueids: str) -> bool:
        """Say whether one of these channels is recorded, by the PBX's own state."""
        found = [self.channels.get(uniqueid) for uniqueid in uniqueids]
        return any(isinstance(one, CallChannel) and one.recording for one in found)

    def _on_stopmixmonitor(self, session: PeerSession, action: Action) -> Answer:
        manner = self._manners.pop() if self._manners else ""
        channel = self.channels.get(action["Channel"])
        if manner == "goes_on" and channel is not None and channel.monitors:
            return b"Response: Success\r\n"
        answer = super()._on_stopmixmonitor(session, action)
        if manner == "cut":
            asyncio.get_running_loop().call_soon(session.cut)
        if manner == "slow" and answer is not None:
            said = self.reply(action, answer)
            asyncio.get_running_loop().call_later(1.5, _send, session, said)
        return None if manner in {"silent", "cut", "slow"} else answer

    def _on_mixmonitormute(self, session: PeerSession, action: Action) -> Answer:
        channel = self.channels.get(action["Channel"])
        if isinstance(channel, CallChannel) and channel.recorded:
            channel.muted = action["State"] == "1"
        return super()._on_mixmonitormute(session, action)


def _send(session: PeerSession, data: bytes) -> None:
    if not session.writer.is_closing():
        session.send(data)
