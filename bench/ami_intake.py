# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: D102
"""AMI intake: events a second taken from a socket with a live map of calls kept, one core.

Run from the repository's root: `python -m bench.ami_intake [--calls N] [--rounds N]`; a minute.

The same bytes go over loopback to stock panoramisk 1.4 with one callback that keeps an equal map,
and to our link with its call graph; each in a process of its own, by turns. In the end the two maps
are compared: nothing is fast by leaving something out.

Two streams, both of the two-party recorded call in tests/fixtures/ami, many of them interleaved:
`asked` is what the PBX sends to the event mask of our login, `all` adds what it sends to one who
asks for everything, as panoramisk does unless told (VarSet, Newexten and RTCP as seen on Asterisk
22: 140 packets a call). The target holds for `all`, the same bytes for both; `asked`, where most
packets are wanted, shows what the typed events and the graph themselves cost.

Rates are of CPU time, which leaves the sender out; ratios are of the fastest round of each,
for other work on the machine only ever slows one down.
"""

import argparse
import asyncio
import logging
import multiprocessing
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

CALL = Path(__file__).resolve().parent.parent / "tests/fixtures/ami/22-plain.ami"

AT_ONCE = 500
"""Calls that are live at the same time."""
UNWANTED = {"VarSet": 52, "Newexten": 22, "RTCPSent": 18, "RTCPReceived": 18}
END = b"Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: BenchEnd\r\n\r\n"
GRANTED = "".join(
    f"{action}: Does something.  (Priv: {classes},all)\r\n"
    for action, classes in {
        "CoreShowChannels": "system,reporting",
        "MixMonitorMute": "system,call",
        "Setvar": "call",
        "StopMixMonitor": "system,call",
    }.items()
)
TARGET = 8.0

Map = dict[str, tuple[str, str, str | None, int | None]]


def stream(calls: int, *, everything: bool) -> tuple[bytes, int]:
    """Return the bytes of so many calls and the number of packets in them.

    The last `AT_ONCE` calls are not hung up: a map is left to compare.
    """
    packets = [p for p in CALL.read_bytes().split(b"\r\n\r\n") if p.startswith(b"Event: ")]
    packets = packets if not everything else _with_unwanted(packets)
    ids = sorted(set(re.findall(rb"\r\nUniqueid: (\S+)", b"\r\n\r\n".join(packets))))
    names = sorted(set(re.findall(rb"\r\nChannel: (\S+)-[0-9a-f]{8}\r\n", packets[0] + b"\r\n")))
    assert ids
    assert names
    out: list[bytes] = []
    for first in range(0, calls, AT_ONCE):
        group = range(first, min(first + AT_ONCE, calls))
        last = first + AT_ONCE >= calls
        for packet in packets:
            if last and packet.startswith(b"Event: BridgeLeave"):
                break
            out += [_of_call(packet, number) for number in group]
    return b"".join(out) + END, len(out) + 1


def _of_call(packet: bytes, number: int) -> bytes:
    """Give a packet the ids and names of call `number`."""
    own = f"{number:07x}".encode()
    packet = re.sub(rb"(\d{10})\.(\d)", rb"\1." + str(1_000_000 + number).encode() + rb"\2", packet)
    packet = re.sub(rb"(PJSIP/\d+-)[0-9a-f]{7}", rb"\g<1>" + own, packet)
    packet = re.sub(rb"(BridgeUniqueid: )[0-9a-f]{7}", rb"\g<1>" + own, packet, flags=re.IGNORECASE)
    return packet + b"\r\n\r\n"


def _with_unwanted(packets: list[bytes]) -> list[bytes]:
    """Spread the packets nobody here has use for evenly among the others."""
    head, _, rest = packets[0].partition(b"\r\n")
    assert head == b"Event: Newchannel"
    extra = [
        f"Event: {name}\r\n".encode() + rest + b"\r\nVariable: RTPAUDIOQOS\r\nValue: ssrc=1;lp=0"
        for name, count in UNWANTED.items()
        for _ in range(count)
    ]
    every, spread = len(extra) // len(packets) + 1, [packets[0]]
    for packet in packets[1:]:
        spread += [*extra[:every], packet]
        del extra[:every]
    return [*spread, *extra]


class Feeder(threading.Thread):
    """A PBX in a process of its own: it answers, and on the first Ping it sends the stream."""

    def __init__(self, data: bytes) -> None:
        super().__init__(daemon=True)
        self.data = data
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]

    def run(self) -> None:
        """Serve one client."""
        client, _ = self.server.accept()
        client.sendall(b"Asterisk Call Manager/11.0.0\r\n")
        got = b""
        while True:
            while b"\r\n\r\n" not in got:
                read = client.recv(65536)
                if not read:
                    return
                got += read
            packet, _, got = got.partition(b"\r\n\r\n")
            fields = dict(
                line.lower().split(": ", 1) for line in packet.decode().split("\r\n") if line
            )
            own = f"ActionID: {re.search(r'ActionID: (.*)', packet.decode())[1].strip()}\r\n"  # type: ignore[index]
            rows = GRANTED if fields["action"] == "listcommands" else "Message: ok\r\n"
            client.sendall(f"Response: Success\r\n{own}{rows}\r\n".encode())
            if fields["action"] in {"coreshowchannels", "bridgelist"}:
                end = f"Event: ListComplete\r\n{own}EventList: Complete\r\n\r\n"
                client.sendall(end.encode())
            if fields["action"] == "ping":
                client.sendall(self.data)


class PlainMap:
    """The map that one would keep from panoramisk's messages: a dictionary of live channels."""

    def __init__(self) -> None:
        self.channels: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.calls: dict[str, set[str]] = {}
        self.extensions: dict[str, set[str]] = {}
        self.bridges: dict[str, set[str]] = {}
        self.handlers: dict[str, Callable[[Any], None]] = {
            "Newchannel": self.new,
            "Hangup": self.hangup,
            "Newstate": self.state,
            "NewConnectedLine": self.connected,
            "NewCallerid": self.caller,
            "BridgeEnter": self.enter,
            "BridgeLeave": self.leave,
            "DialBegin": self.dial,
            "DialEnd": self.dial,
            "MixMonitorStart": self.start,
            "MixMonitorStop": self.stop,
        }

    def take(self, event: Any) -> None:
        handler = self.handlers.get(event["Event"])
        if handler is not None:
            handler(event)

    def at(self, event: Any, prefix: str = "") -> dict[str, Any]:
        channel = self.channels.get(event[f"{prefix}Uniqueid"])
        if channel is None:
            return {}
        linkedid = event[f"{prefix}Linkedid"]
        if channel["linkedid"] != linkedid:
            self.calls[channel["linkedid"]].discard(channel["uniqueid"])
            self.calls.setdefault(linkedid, set()).add(channel["uniqueid"])
            channel["linkedid"] = linkedid
        return channel

    def new(self, event: Any) -> None:
        uniqueid, name = event["Uniqueid"], event["Channel"]
        extension = name.partition("/")[2].rpartition("-")[0]
        self.channels[uniqueid] = {
            "uniqueid": uniqueid,
            "name": name,
            "extension": extension,
            "linkedid": event["Linkedid"],
            "state": event["ChannelStateDesc"],
            "number": event["CallerIDNum"],
            "who": event["CallerIDName"],
            "connected": event["ConnectedLineNum"],
            "account": event["AccountCode"],
            "context": event["Context"],
            "exten": event["Exten"],
            "bridge": None,
            "monitors": 0,
        }
        self.names[name] = uniqueid
        self.calls.setdefault(event["Linkedid"], set()).add(uniqueid)
        self.extensions.setdefault(extension, set()).add(uniqueid)

    def hangup(self, event: Any) -> None:
        gone = self.channels.pop(event["Uniqueid"], None)
        if gone is None:
            return
        self.names.pop(gone["name"], None)
        for index, key in ((self.calls, "linkedid"), (self.extensions, "extension")):
            index[gone[key]].discard(gone["uniqueid"])
            if not index[gone[key]]:
                del index[gone[key]]
        if gone["bridge"]:
            self.bridges[gone["bridge"]].discard(gone["uniqueid"])

    def state(self, event: Any) -> None:
        self.at(event)["state"] = event["ChannelStateDesc"]

    def connected(self, event: Any) -> None:
        self.at(event)["connected"] = event["ConnectedLineNum"]

    def caller(self, event: Any) -> None:
        channel = self.at(event)
        channel["number"], channel["who"] = event["CallerIDNum"], event["CallerIDName"]

    def enter(self, event: Any) -> None:
        self.at(event)["bridge"] = event["BridgeUniqueid"]
        self.bridges.setdefault(event["BridgeUniqueid"], set()).add(event["Uniqueid"])

    def leave(self, event: Any) -> None:
        self.at(event)["bridge"] = None
        self.bridges[event["BridgeUniqueid"]].discard(event["Uniqueid"])

    def dial(self, event: Any) -> None:
        self.at(event)
        self.at(event, "Dest")

    def start(self, event: Any) -> None:
        self.at(event)["monitors"] += 1

    def stop(self, event: Any) -> None:
        self.at(event)["monitors"] -= 1


async def stock(port: int) -> tuple[float, float, Map]:
    """Take the stream in with panoramisk as it comes, and one callback for all events."""
    import panoramisk

    logging.getLogger("panoramisk").setLevel(logging.CRITICAL)
    kept, done = PlainMap(), asyncio.Event()

    def callback(_manager: Any, event: Any) -> None:
        kept.take(event)
        if event["Event"] == "UserEvent":
            done.set()

    settings = {"host": "127.0.0.1", "port": port, "username": "u", "secret": "s"}
    manager = panoramisk.Manager(**settings, ping_delay=600)
    manager.register_event("*", callback)
    await manager.connect()
    await manager.authenticated_future
    wall, cpu = time.perf_counter(), time.process_time()
    manager.send_action({"Action": "Ping"})
    await done.wait()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    left = kept.channels.values()
    return (
        wall,
        cpu,
        {c["uniqueid"]: (c["name"], c["linkedid"], c["bridge"], c["monitors"]) for c in left},
    )


async def ours(port: int) -> tuple[float, float, Map]:
    """Take the stream in with our link, queue, consumer and call graph."""
    from ami.calls.graph import CallGraph
    from ami.events.types import Event, UserEvent
    from ami.pbx import Pbx
    from ami.settings import AmiSettings

    settings = AmiSettings("u", "s", port=port, queue_limit=10_000_000, probe_timeout=0)
    pbx = Pbx(settings)
    running = asyncio.create_task(pbx.run())
    assert await pbx.wait_known(5)
    done = asyncio.Event()

    def subscriber(event: Event, _graph: CallGraph) -> None:
        if type(event) is UserEvent:
            done.set()

    pbx.subscribe(subscriber)
    wall, cpu = time.perf_counter(), time.process_time()
    await pbx.action("Ping", timeout=60)
    await done.wait()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert pbx.dropped == 0
    assert pbx.graph.known
    kept = {
        c.uniqueid: (c.name, c.linkedid, c.bridge_id, c.monitors)
        for call in pbx.graph.calls()
        for c in call.channels
    }
    await pbx.close()
    await running
    return wall, cpu, kept


def measure(who: str, port: int, out: Connection) -> None:
    """Run one of the two in this process and tell what it came to."""
    wall, cpu, kept = asyncio.run({"stock": stock, "ours": ours}[who](port))
    out.send((wall, cpu, kept))


def turn(who: str, data: bytes) -> tuple[float, float, Map]:
    """Feed one of the two, in a new process."""
    feeder = Feeder(data)
    feeder.start()
    here, there = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=measure, args=(who, feeder.port, there)
    )
    process.start()
    result: tuple[float, float, Map] = here.recv()
    process.join()
    return result


def main() -> int:
    """Measure and print; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    spent: dict[str, dict[str, float]] = {}
    for title in ("asked", "all"):
        data, packets = stream(given.calls, everything=title == "all")
        print(f"{title}: {packets} packets, {len(data) / 1e6:.1f} MB, {given.calls} calls")
        seconds: dict[str, list[float]] = {"stock": [], "ours": []}
        maps: dict[str, Map] = {}
        for _ in range(given.rounds):
            for who, took in seconds.items():
                wall, cpu, maps[who] = turn(who, data)
                took.append(cpu)
                print(
                    f"  {who:5}  {packets / cpu:9.0f}/s of one core  {packets / wall:9.0f}/s wall"
                )
        if maps["stock"] != maps["ours"]:
            print("  the maps differ: this comparison is worth nothing")
            return 1
        spent[title] = {who: min(took) for who, took in seconds.items()}
        ratio = spent[title]["stock"] / spent[title]["ours"]
        print(f"  equal maps of {len(maps['ours'])} channels, ratio {ratio:.1f}")
    as_used = spent["all"]["stock"] / spent["asked"]["ours"]
    print(f"a call as each asks for it (stock all, ours asked): ratio {as_used:.1f}")
    ratio = spent["all"]["stock"] / spent["all"]["ours"]
    print(f"the same bytes, all of them: ratio {ratio:.1f}, target {TARGET:.0f}")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
