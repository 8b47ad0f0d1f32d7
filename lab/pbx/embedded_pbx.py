# SPDX-License-Identifier: Apache-2.0
"""An embedded PBX: it speaks AMI and FastAGI, and replays a call captured on a real Asterisk.

For the demo where no real Asterisk can be had. Events are the real one's bytes; what it answers
to actions is what the real one answered. It knows the one call of its stream and no more.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.pbx.second_ami import Packet
from offrecord.asterisk_files.conf_parser import lines
from offrecord.asterisk_files.shipped import snippet

_FOLDER = Path(__file__).parent
_END = b"\r\n\r\n"


def stream(release: str) -> bytes:
    """Return the captured call of a release."""
    fixtures = _FOLDER.parent.parent / "tests" / "fixtures" / "ami"
    return (fixtures / f"{release}-plain.ami").read_bytes()


def fields_of(packet: bytes) -> Packet:
    """Return the headers of a packet; of a repeated one the last."""
    lines = packet.decode("utf-8", "replace").split("\r\n")
    return {key: value for key, _, value in (line.partition(": ") for line in lines)}


@dataclass(slots=True)
class EmbeddedPbx:
    """The embedded PBX for one captured call.

    `events` keeps what it has said, with the monotonic time; `monitors` counts the MixMonitors
    still running, by uniqueid.
    """

    captured: bytes
    fastagi: tuple[str, int]
    secret: str
    events: list[tuple[float, Packet]] = field(default_factory=list)
    monitors: dict[str, int] = field(default_factory=dict)
    _rows: dict[str, Packet] = field(default_factory=dict)
    _links: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _rest: Iterator[bytes] = field(init=False)
    _held: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Cut the stream into events, and keep back what an action will bring about."""
        events = [p for p in self.captured.split(_END) if p.startswith(b"Event: ")]
        stops = [p for p in events if p.startswith(b"Event: MixMonitorStop")]
        self._held = {fields_of(p)["Uniqueid"]: p for p in stops}
        self._rest = iter([p for p in events if p not in stops])

    async def start(self) -> int:
        """Listen for AMI on loopback; return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and every session."""
        if self._server is not None:
            self._server.close()
        for writer in [*self._links]:
            writer.close()

    def play_until_press(self) -> Packet:
        """Send everything up to the last digit of the code; return that digit's event."""
        for packet in self._rest:
            said = self._say(packet)
            if said["Event"] == "DTMFEnd" and said["Digit"] == "1":
                return said
        raise ValueError("the captured call has no press in it")

    def play_out(self) -> None:
        """Send the rest, to the end of the call."""
        for packet in self._rest:
            self._say(packet)

    async def press(self, digit: Packet, verb: str) -> list[str]:
        """Call the daemon's FastAGI as a dialplan would; return the commands it sent."""
        reader, writer = await asyncio.open_connection(*self.fastagi)
        environment = {
            "agi_network": "yes", "agi_network_script": verb,
            "agi_request": f"agi://{self.fastagi[0]}:{self.fastagi[1]}/{verb}",
            "agi_channel": digit["Channel"], "agi_uniqueid": digit["Uniqueid"],
            "agi_callerid": digit["CallerIDNum"], "agi_context": digit["Context"],
            "agi_extension": digit["Exten"], "agi_enhanced": "0.0",
        }  # fmt: skip
        lines = [f"{key}: {value}" for key, value in environment.items()]
        writer.write(("\n".join(lines) + "\n\n").encode())
        commands: list[str] = []
        while line := await reader.readline():
            commands.append(line.decode().strip())
            asked = commands[-1].startswith("GET VARIABLE")
            writer.write(b"200 result=1 (SUCCESS)\n" if asked else b"200 result=0\n")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return commands

    def _say(self, packet: bytes) -> Packet:
        said = fields_of(packet)
        self.events.append((time.monotonic(), said))
        self._follow(said)
        for writer in self._links:
            writer.write(packet + _END)
        return said

    def _follow(self, said: Packet) -> None:
        name, uniqueid = said["Event"], said.get("Uniqueid", "")
        if name == "MixMonitorStart":
            self.monitors[uniqueid] = self.monitors.get(uniqueid, 0) + 1
        elif name == "MixMonitorStop":
            self.monitors[uniqueid] -= 1
        elif name == "Hangup":
            self._rows.pop(uniqueid, None)
            self.monitors.pop(uniqueid, None)
        elif "Channel" in said and "Linkedid" in said:
            self._rows[uniqueid] = {**self._rows.get(uniqueid, {}), **said}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                action = fields_of((await reader.readuntil(_END)).removesuffix(_END))
                self._answer(action, writer)
        self._links.discard(writer)
        writer.close()

    def _answer(self, action: Packet, writer: asyncio.StreamWriter) -> None:
        name = action["Action"].lower()
        if name == "login":
            if action.get("Secret") != self.secret:
                self._reply(writer, action, "Error", "Authentication failed")
                return
            self._reply(writer, action, "Success", "Authentication accepted")
            self._links.add(writer)
            writer.write(
                b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted" + _END
            )
        elif name == "stopmixmonitor":
            self._stop(action, writer)
        elif name == "coreshowchannels":
            self._list(action, writer, "CoreShowChannel", [*self._rows.values()])
        elif name == "bridgelist":
            self._list(action, writer, "BridgeList", self._bridges())
        elif name == "coresettings":
            self._reply(writer, action, "Success", "", AsteriskVersion="22.10.1")
        elif name == "listcommands":
            self._reply(
                writer, action, "Success", "",
                **dict.fromkeys(_COMMANDS, "(Priv: call,reporting,all)"),
            )  # fmt: skip
        elif name == "getvar":
            variable = action["Variable"]
            own = _VARIABLES.get(variable, "")
            value = own if "Channel" in action else self._global(variable)
            self._reply(writer, action, "Success", "", Variable=variable, Value=value)
        elif name == "setvar":
            self._set(action, writer)
        else:
            self._reply(writer, action, "Success", "done")

    def _global(self, name: str) -> str:
        """Return what a PBX that has taken the shipped features.conf tells without a channel."""
        if name == "OFFRECORD_AGI":
            return f"{self.fastagi[0]}:{self.fastagi[1]}"
        whole = {"FEATURE": "general", "FEATUREMAP": "featuremap"}
        function, _, rest = name.removesuffix(")").partition("(")
        words = rest.split(",")
        section, key = (
            (words[1], words[2])
            if function == "AST_CONFIG" and len(words) == 3
            else (whole.get(function, ""), rest)
        )
        tree = {"features.conf": snippet("features.conf")}
        found = [one.value for one in lines(tree, "features.conf")
                 if (one.section, one.key) == (section, key)]  # fmt: skip
        return found[-1] if found else ""

    def _set(self, action: Packet, writer: asyncio.StreamWriter) -> None:
        """Set a device state, and raise the event by which an account sees what it may read."""
        self._reply(writer, action, "Success", "Variable Set")
        device = action["Variable"].removeprefix("DEVICE_STATE(").removesuffix(")")
        head = "Event: DeviceStateChange\r\nPrivilege: call,all\r\n"
        writer.write(f"{head}Device: {device}\r\nState: {action['Value']}\r\n\r\n".encode())

    def _stop(self, action: Packet, writer: asyncio.StreamWriter) -> None:
        uniqueid = action["Channel"]
        if uniqueid not in self._rows:
            self._reply(writer, action, "Error", "No such channel")
        elif not self.monitors.get(uniqueid):
            self._reply(writer, action, "Error", "Could not stop monitoring channel")
        else:
            self._reply(writer, action, "Success", "")
            self._say(self._held[uniqueid])

    def _bridges(self) -> list[Packet]:
        """Return a row for each bridge that somebody is in, as far as listings need it."""
        ids = dict.fromkeys(row["BridgeUniqueid"] for row in self._rows.values()
                            if "BridgeUniqueid" in row)  # fmt: skip
        return [{"BridgeUniqueid": one, "BridgeType": "basic",
                 "BridgeTechnology": "simple_bridge"} for one in ids]  # fmt: skip

    def _list(
        self, action: Packet, writer: asyncio.StreamWriter, item: str, rows: list[Packet]
    ) -> None:
        ident = f"ActionID: {action['ActionID']}\r\n"
        self._reply(writer, action, "Success", "A listing will follow", EventList="start")
        event = "BridgeListItem" if item == "BridgeList" else item
        for row in rows:
            if "BridgeUniqueid" in row and item != "BridgeList":
                row = {**row, "BridgeId": row["BridgeUniqueid"]}  # noqa: PLW2901 - as a listing has it
            kept = "".join(
                f"{k}: {v}\r\n" for k, v in row.items() if k not in {"Event", "Privilege"}
            )
            writer.write(f"Event: {event}\r\n{ident}{kept}\r\n".encode())
        end = "BridgeListComplete" if item == "BridgeList" else "CoreShowChannelsComplete"
        count = f"EventList: Complete\r\nListItems: {len(rows)}\r\n"
        writer.write(f"Event: {end}\r\n{ident}{count}\r\n".encode())

    @staticmethod
    def _reply(
        writer: asyncio.StreamWriter, action: Packet, response: str, message: str, **more: str
    ) -> None:
        lines = [f"Response: {response}"]
        if "ActionID" in action:
            lines.append(f"ActionID: {action['ActionID']}")
        if message:
            lines.append(f"Message: {message}")
        lines += [f"{key}: {value}" for key, value in more.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())


_VARIABLES = {"DYNAMIC_FEATURES": "offrecord"}
"""Fields that both channels of the captured call had."""

_COMMANDS = (
    *("CoreShowChannels", "CoreSettings", "Getvar", "Setvar"),
    *("StopMixMonitor", "MixMonitorMute"),
)
