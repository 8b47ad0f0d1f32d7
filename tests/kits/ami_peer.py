# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: D105
"""A scripted Asterisk manager interface on loopback, for contract tests.

Its greeting, answers and events are those recorded from Asterisk 16.28 and 22.10. It keeps a few
channels with their MixMonitors, so that listings, stops and events fit together. Any action can be
given another answer with `on`; every action received is kept in `received`.
"""

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from ami.settings import AmiSettings
from tests.kits.waiting import safety_net, written

Action = dict[str, str]
Answer = bytes | None
Handler = Callable[["PeerSession", Action], Answer | Awaitable[Answer]]

SECRET = "peer-secret-8d1f"

VERSIONS = {
    "16": ("Asterisk Call Manager/5.0.4", "16.28.0~dfsg-0+deb11u4"),
    "22": ("Asterisk Call Manager/11.0.0", "22.10.1+dfsg+~cs6.17.60671434-1"),
    "16.2": ("Asterisk Call Manager/5.0.0", "16.2.1~dfsg-1+deb10u2"),
    "11": ("Asterisk Call Manager/1.3", "11.25.3"),
}
"""By release the greeting and what CoreSettings tells; 16.2 and 11 lack what those had not yet."""

COMMANDS = {
    "BridgeList": "<none>",
    "Command": "command,all",
    "CoreSettings": "system,reporting,all",
    "CoreShowChannels": "system,reporting,all",
    "Events": "<none>",
    "Filter": "system,all",
    "GetConfig": "system,config,all",
    "Getvar": "call,reporting,all",
    "Hangup": "system,call,all",
    "ListCommands": "<none>",
    "Login": "<none>",
    "Logoff": "<none>",
    "MixMonitor": "system,all",
    "MixMonitorMute": "system,call,all",
    "ModuleCheck": "system,all",
    "Originate": "originate,all",
    "Ping": "<none>",
    "Redirect": "call,all",
    "Setvar": "call,all",
    "Status": "system,call,reporting,all",
    "StopMixMonitor": "system,call,all",
    "UpdateConfig": "config,all",
    "UserEvent": "user,all",
}
"""Actions with the classes that allow them, as ListCommands of both versions tells them."""


@dataclass
class PeerChannel:
    """One channel of the peer. `recorded` says that it ever carried a MixMonitor."""

    name: str
    uniqueid: str
    linkedid: str
    monitors: int = 0
    bridge: str = ""
    recorded: bool = False
    variables: dict[str, str] = field(default_factory=dict)

    def snapshot(self) -> str:
        return (
            f"Channel: {self.name}\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n"
            "CallerIDNum: 410\r\nCallerIDName: José\r\nConnectedLineNum: 411\r\n"
            "ConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: \r\nContext: lab\r\n"
            f"Exten: 411\r\nPriority: 2\r\nUniqueid: {self.uniqueid}\r\n"
            f"Linkedid: {self.linkedid}\r\n"
        )


class PeerSession:
    """One connection to the peer."""

    def __init__(self, number: int, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.writer = writer
        self.logged_in = False
        self.mask = ""

    def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    def cut(self) -> None:
        if not self.writer.is_closing():  # Python 3.11.2 cannot abort TLS that is closed already
            self.writer.transport.abort()


class AmiPeer:
    """The peer. `async with AmiPeer() as peer:` listens on a free port of 127.0.0.1."""

    def __init__(
        self,
        *,
        version: str = "22",
        read: str = "call,dtmf,user",
        write: str = "call,reporting",
        tls: ssl.SSLContext | None = None,
        unloaded: Iterable[str] = (),
    ) -> None:
        self.greeting, self.asterisk = VERSIONS[version]
        self.read, self.write = read.split(","), write.split(",")
        self.unloaded = set(unloaded)
        self.secret = SECRET
        self.received: list[Action] = []
        self.sessions: list[PeerSession] = []
        self.channels: dict[str, PeerChannel] = {}
        self.device_states: dict[str, str] = {}
        self.globals: dict[str, str] = {}
        self.hidden: set[str] = {"MixMonitor"} if version in {"16.2", "11"} else set()
        """Beginnings of the names of events that nobody is told."""
        self.handlers: dict[str, Handler] = {}
        self.greet = True
        self.port = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Condition()

    # life

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.silence()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def silence(self) -> None:
        """Stop listening and cut everyone off, as a PBX that dies does."""
        assert self._server is not None
        self._server.close()
        for session in self.sessions:
            session.cut()
        await self._server.wait_closed()

    def settings(self, **changes: object) -> AmiSettings:
        """Return settings for a client of this peer, fast and quiet enough for a test."""
        given: dict[str, object] = {
            "username": "offrecord",
            "secret": SECRET,
            "port": self.port,
            "backoff_base": 0.001,
            "backoff_cap": 0.005,
            "probe_timeout": 0,
            **changes,
        }
        return AmiSettings(**given)  # type: ignore[arg-type]

    # scripting

    def on(self, action: str, answer: Handler | bytes | str | None) -> None:
        """Answer `action` by a handler, with these headers, or (None) not at all."""
        if callable(answer):
            self.handlers[action] = answer
        else:
            said = answer.encode() if isinstance(answer, str) else answer
            self.handlers[action] = lambda _session, _action: said

    @property
    def session(self) -> PeerSession:
        return self.sessions[-1]

    def names(self) -> list[str]:
        """Return the names of the actions received, in order."""
        return [action["Action"] for action in self.received]

    async def until(self, condition: Callable[[], object], sentence: str = "") -> None:
        """Wait until `condition` holds; it is looked at after everything the peer takes in."""
        async with safety_net(sentence or written(condition)), self._changed:
            await self._changed.wait_for(condition)

    def event(self, name: str, text: str, privilege: str = "call") -> None:
        """Send an event to whoever is logged in and may read its class, unless it is hidden."""
        if name.startswith(tuple(self.hidden)):
            return
        for session in self.sessions:
            asked = session.mask in {"", "on"} or privilege in session.mask.split(",")
            if session.logged_in and asked and privilege in self.read:
                session.send(f"Event: {name}\r\nPrivilege: {privilege},all\r\n{text}\r\n")

    # channels

    def add(self, name: str, uniqueid: str, linkedid: str = "", monitors: int = 0) -> PeerChannel:
        channel = PeerChannel(name, uniqueid, linkedid or uniqueid)
        self.channels[uniqueid] = channel
        self.event("Newchannel", channel.snapshot())
        for _ in range(monitors):
            self.start(uniqueid)
        return channel

    def start(self, uniqueid: str) -> None:
        channel = self.channels[uniqueid]
        channel.monitors += 1
        channel.recorded = True
        self.event("MixMonitorStart", channel.snapshot())

    def hangup(self, uniqueid: str) -> None:
        channel = self.channels.pop(uniqueid)
        self.event("Hangup", f"{channel.snapshot()}Cause: 16\r\nCause-txt: Normal Clearing\r\n")

    # serving

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = PeerSession(len(self.sessions), writer)
        self.sessions.append(session)
        try:
            if self.greet:
                session.send(f"{self.greeting}\r\n")
            await self._note()
            while True:
                packet = await reader.readuntil(b"\r\n\r\n")
                lines = packet.decode().split("\r\n")
                action = dict(line.split(": ", 1) for line in lines if line)
                action["session"] = str(session.number)
                self.received.append(action)
                await self._answer(session, action)
                await self._note()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went, as clients do
        finally:
            session.logged_in = False
            writer.close()
            await self._note()

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _answer(self, session: PeerSession, action: Action) -> None:
        name = action["Action"]
        own = getattr(self, f"_on_{name.lower()}", None)
        handler = self.handlers.get(name, own)
        said: Answer
        if handler is None or name in self.unloaded:
            said = (
                f"Response: Error\r\nMessage: Invalid/unknown command: {name}. "
                "Use Action: ListCommands to show available commands.\r\n"
            ).encode()
        elif name != "Login" and not (session.logged_in and self._allowed(name)):
            said = b"Response: Error\r\nMessage: Permission denied\r\n"
        else:
            result = handler(session, action)
            said = await result if inspect.isawaitable(result) else result
        if said is not None:
            session.send(self.reply(action, said))

    @staticmethod
    def reply(action: Action, said: Answer) -> bytes:
        """Return an answer as it is sent: with the action's id, and closed."""
        own = f"\r\nActionID: {action['ActionID']}\r\n".encode()
        return (said or b"").replace(b"\r\n", own, 1) + b"\r\n"

    def _allowed(self, name: str) -> bool:
        classes = COMMANDS.get(name, "<none>").split(",")
        return classes == ["<none>"] or bool(set(classes) & set(self.write))

    # what Asterisk answers

    def _on_login(self, session: PeerSession, action: Action) -> Answer:
        if action["Secret"] != self.secret:
            return b"Response: Error\r\nMessage: Authentication failed\r\n"
        session.logged_in, session.mask = True, action["Events"]
        return b"Response: Success\r\nMessage: Authentication accepted\r\n"

    def _on_ping(self, _session: PeerSession, _action: Action) -> Answer:
        return b"Response: Success\r\nPing: Pong\r\nTimestamp: 1795314093.787539\r\n"

    def _on_listcommands(self, _session: PeerSession, _action: Action) -> Answer:
        shown = (n for n in COMMANDS if self._allowed(n) and n not in self.unloaded)
        rows = "".join(f"{n}: Does something.  (Priv: {COMMANDS[n]})\r\n" for n in shown)
        return f"Response: Success\r\n{rows}".encode()

    def _on_coresettings(self, _session: PeerSession, _action: Action) -> Answer:
        version = f"AsteriskVersion: {self.asterisk}\r\nSystemName: \r\n"
        ami = self.greeting.partition("/")[2]
        return f"Response: Success\r\nAMIversion: {ami}\r\n{version}".encode()

    def _on_coreshowchannels(self, _session: PeerSession, action: Action) -> Answer:
        rows = (
            f"{channel.snapshot()}Application: Dial\r\nApplicationData: \r\n"
            f"Duration: 00:00:04\r\nBridgeId: {channel.bridge}\r\n"
            for channel in self.channels.values()
        )
        return self.listing(action, "Channels will follow", "CoreShowChannel", list(rows))

    def _on_bridgelist(self, _session: PeerSession, action: Action) -> Answer:
        bridges = dict.fromkeys(c.bridge for c in self.channels.values() if c.bridge)
        rows = [
            f"BridgeUniqueid: {bridge}\r\nBridgeType: basic\r\nBridgeTechnology: simple_bridge\r\n"
            "BridgeCreator: <unknown>\r\nBridgeName: <unknown>\r\nBridgeNumChannels: 2\r\n"
            for bridge in bridges
        ]
        return self.listing(action, "Bridge listing will follow", "BridgeListItem", rows)

    @staticmethod
    def listing(action: Action, message: str, event: str, rows: list[str]) -> bytes:
        """Return a list as Asterisk sends it: an answer, an event a row, and the last event."""
        own = f"ActionID: {action['ActionID']}\r\n"
        head = f"Response: Success\r\nEventList: start\r\nMessage: {message}\r\n\r\n"
        body = "".join(f"Event: {event}\r\n{own}{row}\r\n" for row in rows)
        ends = {"CoreShowChannel": "CoreShowChannelsComplete"}.get(event, "BridgeListComplete")
        tail = f"Event: {ends}\r\n{own}EventList: Complete\r\nListItems: {len(rows)}\r\n"
        return (head + body + tail).encode()

    def _on_getvar(self, _session: PeerSession, action: Action) -> Answer:
        name = action["Variable"]
        if "Channel" not in action:
            value = self.globals.get(name, "")
            return f"Response: Success\r\nVariable: {name}\r\nValue: {value}\r\n".encode()
        channel = self.channels.get(action["Channel"])
        if channel is None:
            return b"Response: Error\r\nMessage: No such channel\r\n"
        value = channel.variables.get(name, "")
        return f"Response: Success\r\nVariable: {name}\r\nValue: {value}\r\n".encode()

    def _on_setvar(self, session: PeerSession, action: Action) -> Answer:
        name, value = action["Variable"], action["Value"]
        if name.startswith("DEVICE_STATE("):
            device = name[13:-1]
            if self.device_states.get(device) != value:
                asyncio.get_running_loop().call_soon(
                    self.event, "DeviceStateChange", f"Device: {device}\r\nState: {value}\r\n"
                )
            self.device_states[device] = value
        if name.startswith("PRESENCE_STATE("):
            state, subtype, message = value.split(",")
            asyncio.get_running_loop().call_soon(
                self.event, "PresenceStateChange",
                f"Presentity: {name[15:-1]}\r\nStatus: {state}\r\nSubtype: {subtype}\r\n"
                f"Message: {message}\r\n",
            )  # fmt: skip
        return b"Response: Success\r\nMessage: Variable Set\r\n"

    def _on_userevent(self, _session: PeerSession, action: Action) -> Answer:
        text = f"UserEvent: {action['UserEvent']}\r\nActionID: {action['ActionID']}\r\n"
        asyncio.get_running_loop().call_soon(self.event, "UserEvent", text, "user")
        return b"Response: Success\r\nMessage: Event Sent\r\n"

    def _on_stopmixmonitor(self, _session: PeerSession, action: Action) -> Answer:
        channel = self.channels.get(action["Channel"])
        if channel is None:
            return b"Response: Error\r\nMessage: No such channel\r\n"
        if not channel.monitors:
            return b"Response: Error\r\nMessage: Could not stop monitoring channel\r\n"
        channel.monitors -= 1
        asyncio.get_running_loop().call_soon(self.event, "MixMonitorStop", channel.snapshot())
        return b"Response: Success\r\n"

    def _on_mixmonitormute(self, _session: PeerSession, action: Action) -> Answer:
        channel = self.channels.get(action["Channel"])
        if channel is None:
            return b"Response: Error\r\nMessage: No such channel\r\n"
        if not channel.recorded:
            return b"Response: Error\r\nMessage: Cannot set mute flag\r\n"
        text = f"{channel.snapshot()}Direction: both\r\nState: {action['State']}\r\n"
        asyncio.get_running_loop().call_soon(self.event, "MixMonitorMute", text)
        return b"Response: Success\r\n"

    def _on_mixmonitor(self, _session: PeerSession, action: Action) -> Answer:
        if action["Channel"] not in self.channels:
            return b"Response: Error\r\nMessage: No such channel\r\n"
        asyncio.get_running_loop().call_soon(self.start, action["Channel"])
        return b"Response: Success\r\nMixMonitorID: 0x7f5c00001050\r\n"

    def _on_command(self, _session: PeerSession, action: Action) -> Answer:
        command, _, word = action["Command"].rpartition(" ")
        if command == "manager show user":
            lines = [f"          read perm: {','.join(self.read)}"]
        elif command == "mixmonitor list":
            named = [c for c in self.channels.values() if word in {c.name, c.uniqueid}]
            if not named:
                lines = [f"No channel matching '{word}' found."]
            else:
                rows = [f"0x7f{n:010x}\t/var/rec/{n}.wav\t\t" for n in range(named[0].monitors)]
                lines = ["MixMonitor ID\tFile\tReceive File\tTransmit File", "=" * 73, *rows]
        else:
            text = f"Output: No such command '{action['Command']}'\r\n"
            return f"Response: Error\r\nMessage: Command output follows\r\n{text}".encode()
        output = "".join(f"Output: {line}\r\n" for line in [*lines, ""])
        return f"Response: Success\r\nMessage: Command output follows\r\n{output}".encode()
