# SPDX-License-Identifier: Apache-2.0
"""Presses on a real Asterisk 22 that is busy: many calls, many events, many presses a second.

Each call is a SIP phone of the farm whose leg is recorded by MixMonitor, bridged through a Local
channel with somebody who echoes. It is paused, resumed and stopped, then hung up, and another one
begins: `--calls` at a time, `--presses` a second, one half by FastAGI and one half by the control
socket. Some are made by a phone whose presses the policy denies. On top come `--events` user
events a second, which the daemon reads and passes over.

Measured is the time from the press to Asterisk's own event that the recording is silent
(MixMonitorMute, MixMonitorStop), seen on an AMI session of the bench's own, and the time from a
FastAGI press to the first command that Asterisk gets. In the end every press must be in the
journal with its verdict, and `offrecord audit verify` must find the chain whole. The rival is a
bare panoramisk client, which is told the channel and sends the one action; it is measured first,
under the same load, in a process of its own.

Run as root from the repository's root: `python -m bench.load --minutes 2`, and a bit more.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lab.daemon import DaemonProcess
from lab.pbx.chroot import LabUnavailable
from lab.pbx.ports import free_rtp_block, free_tcp
from lab.pbx_with_phones import AMI_SECRET, PbxWithPhones, build
from offrecord.journal import presses

DENIED = "411"
"""The phone whose presses the policy denies."""
PHONES = ("410", "412", "413", "410", "412", "413", "410", "412", "413", DENIED)
WANTED = {b"Newchannel", b"Hangup", b"MixMonitorStart", b"MixMonitorStop", b"MixMonitorMute"}
CYCLE = ("pause", "resume", "stop")
APART = 3.3
"""Seconds between two presses on one call: within 3 s a pause wins over a resume."""
DIALPLAN = """
[lab-phones](+)
exten => _95XXXXXX,1,Answer()
 same => n,MixMonitor(${UNIQUEID}.wav)
 same => n,Dial(Local/s@bench-far/n,30)
[bench-far]
exten => s,1,Answer()
 same => n,Echo()
"""


class Session:
    """One AMI session as the laboratory's witness. `hear` is given the packets of events."""

    def __init__(self, port: int, mask: str, hear: Callable[[bytes, float], None]) -> None:
        self._port, self._mask, self._hear = port, mask, hear

    async def __aenter__(self) -> Self:
        """Log in."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.send("Login", Username="lab", Secret="lab", Events=self._mask)
        self._task = asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        self._task.cancel()
        self._writer.close()

    def send(self, name: str, **fields: str) -> None:
        """Send an action; nobody waits for its answer."""
        lines = "".join(f"{key}: {value}\r\n" for key, value in {"Action": name, **fields}.items())
        self._writer.write(f"{lines}\r\n".encode())

    async def _read(self, reader: asyncio.StreamReader) -> None:
        pending = b""
        while chunk := await reader.read(1 << 18):
            now = time.monotonic()
            *packets, pending = (pending + chunk).split(b"\r\n\r\n")
            for packet in packets:
                self._hear(packet, now)


@dataclass(slots=True)
class LiveCall:
    """One call, by the recorded channel. `done` counts the presses on it."""

    phone: str
    uniqueid: str
    channel: str
    recorded: bool = False
    done: int = 0
    last: float = 0.0
    busy: bool = False


@dataclass(slots=True)
class Load:
    """The calls, the events and the presses of one phase; `press` carries one out."""

    asterisks: PbxWithPhones
    calls: int
    rate: float
    events: int
    press: Callable[[LiveCall, str, int], Awaitable[str]]
    live: dict[str, LiveCall] = field(default_factory=dict)
    waiting: dict[tuple[str, str], asyncio.Future[float]] = field(default_factory=dict)
    silence: list[float] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    most: int = 0
    _hand: Session = field(init=False)
    _farm: Session = field(init=False)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _pressed: "itertools.count[int]" = field(default_factory=itertools.count)

    def hear(self, packet: bytes, now: float) -> None:
        """Take one event of the PBX."""
        if not packet.startswith(b"Event: "):
            return
        self.seen["events"] += 1
        name = packet[7 : packet.index(b"\r\n")]
        if name not in WANTED:
            return
        fields = dict(line.split(": ", 1) for line in packet.decode().split("\r\n") if ": " in line)
        ident = fields["Uniqueid"]
        if name == b"Newchannel" and fields["Exten"].startswith("95"):
            phone = fields["Channel"].split("/")[1][:3]
            self.live[ident] = LiveCall(phone, ident, fields["Channel"])
        elif name == b"Hangup":
            self.live.pop(ident, None)
        elif name == b"MixMonitorStart" and ident in self.live:
            self.live[ident].recorded, self.live[ident].last = True, now
        else:
            kind = fields.get("State", "stop") if name == b"MixMonitorMute" else "stop"
            future = self.waiting.pop((ident, kind), None)
            if future is not None and not future.done():
                future.set_result(now)

    async def run(self, seconds: float) -> None:
        """Keep the load up for so long, then hang everything up."""
        async with AsyncExitStack() as stack:
            pbx, farm = self.asterisks.pbx.ami_port, self.asterisks.farm.ami_port
            await stack.enter_async_context(Session(pbx, "call", self.hear))
            self._hand = await stack.enter_async_context(
                Session(pbx, "off", lambda _packet, _now: None)
            )
            self._farm = await stack.enter_async_context(
                Session(farm, "off", lambda _packet, _now: None)
            )
            jobs = [asyncio.create_task(job) for job in (self._dial(), self._flood())]
            async with asyncio.timeout(60):
                while sum(call.recorded for call in self.live.values()) < self.calls * 0.9:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            begun, running = time.monotonic(), set[asyncio.Task[None]]()
            for count in itertools.count():
                await asyncio.sleep(max(0.0, begun + count / self.rate - time.monotonic()))
                if time.monotonic() - begun > seconds:
                    break
                task = asyncio.create_task(self._press())
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.gather(*running)
            for job in jobs:
                job.cancel()
            self._farm.send("Hangup", Channel="/.*/")
            await asyncio.sleep(2)

    async def _dial(self) -> None:
        """Keep as many calls up as are wanted; one that was not taken in time is given up."""
        asked: list[float] = []
        while True:
            asked = [at for at in asked if time.monotonic() - at < 1.0]
            if len(self.live) + len(asked) < self.calls and len(asked) < 25:
                number = next(self._numbers)
                phone = PHONES[number % len(PHONES)]
                self._farm.send(
                    "Originate", Channel=f"PJSIP/95{number % 1_000_000:06}@as{phone}",
                    Context="callers", Exten="410", Priority="1", Async="true", Timeout="20000",
                )  # fmt: skip
                asked.append(time.monotonic())
            self.most = max(self.most, len(self.live))
            await asyncio.sleep(0.02)

    async def _flood(self) -> None:
        """Raise user events that mean nothing."""
        begun = time.monotonic()
        for sent in itertools.count(20, 20):
            for _ in range(20 if self.events else 0):
                self._hand.send("UserEvent", UserEvent="bench", Text="nobody's press")
            await asyncio.sleep(max(0.01, begun + sent / (self.events or 20) - time.monotonic()))

    async def _press(self) -> None:
        now = time.monotonic()
        due = [c for c in self.live.values() if c.recorded and not c.busy and now - c.last > APART]
        if not due:
            self.seen["no call was due"] += 1
            return
        call = min(due, key=lambda one: one.last)
        verb, call.busy = CYCLE[call.done % 3], True
        kind = {"pause": "1", "resume": "0", "stop": "stop"}[verb]
        silent: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.waiting[call.uniqueid, kind] = silent
        begun = time.monotonic()
        outcome = await self.press(call, verb, next(self._pressed))
        self.seen[f"{verb} {outcome}"] += 1
        if outcome != "denied":
            try:
                took = await asyncio.wait_for(silent, 5) - begun
                if verb != "resume":
                    self.silence.append(took * 1000)
            except TimeoutError:
                self.seen[f"{verb} never seen"] += 1
        self.waiting.pop((call.uniqueid, kind), None)
        call.done, call.last, call.busy = call.done + 1, time.monotonic(), False
        if verb == "stop":
            self._hand.send("Hangup", Channel=call.channel)
            call.busy = True


@dataclass(slots=True)
class Ours:
    """Presses at the daemon, by FastAGI and by the control socket in turns."""

    agi: int
    path: Path
    handover: list[float] = field(default_factory=list)

    async def press(self, call: LiveCall, verb: str, number: int) -> str:
        """Carry out one press and return its outcome; by FastAGI always for who is denied."""
        if call.phone == DENIED or number % 2:
            return await self._fastagi(call, verb)
        reader, writer = await asyncio.open_unix_connection(self.path)
        request = {"op": "press", "way": "cli", "verb": verb, "uniqueid": call.uniqueid, "wait": 9}
        writer.write(json.dumps(request).encode() + b"\n")
        replies = (await reader.read()).splitlines()
        writer.close()
        return str(json.loads(replies[-1]).get("outcome", replies[-1]))

    async def _fastagi(self, call: LiveCall, verb: str) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.agi)
        lines = ("agi_network: yes", f"agi_network_script: {verb}", f"agi_channel: {call.channel}",
                 f"agi_uniqueid: {call.uniqueid}", "agi_context: lab-phones")  # fmt: skip
        begun = time.monotonic()
        writer.write(("\n".join(lines) + "\n\n").encode())
        outcome, answered = "cut short", 0.0
        while line := await reader.readline():
            answered = answered or time.monotonic()
            if b"OFFRECORD_OUTCOME" in line:
                outcome = line.decode().split()[-1].strip('"')
            writer.write(b"200 result=1 (SUCCESS)\n")
        writer.close()
        if answered:
            self.handover.append((answered - begun) * 1000)
        return outcome


@dataclass(slots=True)
class Rival:
    """Presses at a bare panoramisk client in a process of its own."""

    process: asyncio.subprocess.Process

    async def press(self, call: LiveCall, verb: str, _number: int) -> str:
        """Send one action; its result is not known."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{verb} {call.uniqueid}\n".encode())
        return "denied" if call.phone == DENIED else "sent"


async def serve_rival(port: int) -> None:
    """Be the rival: events on, as panoramisk has it, and an action for each line."""
    import panoramisk

    settings = {"host": "127.0.0.1", "port": port, "username": "offrecord", "secret": AMI_SECRET}
    manager = panoramisk.Manager(**settings, ping_delay=600)
    manager.register_event("*", lambda _manager, _event: None)
    await manager.connect()
    await manager.authenticated_future
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).split():
        verb, channel = line[0].decode(), line[1].decode()
        if verb == "stop":
            manager.send_action({"Action": "StopMixMonitor", "Channel": channel})
        else:
            state = "1" if verb == "pause" else "0"
            manager.send_action({"Action": "MixMonitorMute", "Channel": channel,
                                 "Direction": "both", "State": state})  # fmt: skip


def told(name: str, times: list[float]) -> str:
    """Return one line of the report."""
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return (f"{name:<44} p50 {cuts[49]:7.1f} ms   p95 {cuts[94]:7.1f} ms   p99 {cuts[98]:7.1f} ms"
            f"   worst {max(times):7.1f} ms   ({len(times)})")  # fmt: skip


async def measure(
    asterisks: PbxWithPhones, folder: Path, agi: int, given: argparse.Namespace
) -> int:
    """Measure the rival and the daemon; 1 when something is not as it must be."""
    seconds = given.minutes * 60
    shape = (asterisks, given.calls, given.presses, given.events)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", "--rival", str(asterisks.pbx.ami_port),
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await asyncio.sleep(1)
    rival = Load(*shape, Rival(process).press)
    await rival.run(max(20, seconds / 6))
    process.kill()
    await process.wait()

    daemon = DaemonProcess(folder, {})
    daemon.tables = {
        "ami": {"port": asterisks.pbx.ami_port, "username": "offrecord",
                "secret": daemon.secret("ami", AMI_SECRET)},
        "agi": {"port": agi},
        "log": {"format": "json", "level": "info"},
        "user_event": {"enabled": True},
        "policy": {"rule": [{"extension": DENIED, "allow": "deny"}]},
        "recorders": {"local": {"kind": "asterisk"}},
    }  # fmt: skip
    await daemon.start()
    ours = Ours(agi, daemon.socket)
    load = Load(*shape, ours.press)
    try:
        await asyncio.sleep(1)
        await load.run(seconds)
    finally:
        await daemon.stop()
    print(f"{load.most} calls at once, {given.presses:g} presses/s asked for, {given.minutes:g}"
          f" min, {load.seen['events'] / seconds:.0f} events/s of calls and {given.events} user"
          " events/s")  # fmt: skip
    print(told("press to local silence, offrecord", load.silence))
    print(told("press to local silence, bare panoramisk", rival.silence))
    print(told("FastAGI press to the first command", ours.handover))
    return await _afterwards(daemon, load)


async def _afterwards(daemon: DaemonProcess, load: Load) -> int:
    """Print what the journal and the log say; 1 when it is not what was seen."""
    kept = await asyncio.to_thread(presses, daemon.journal, limit=10_000_000)
    ended = Counter(f"{one.verb} {one.outcome}" for one in kept)
    made = {key: count for key, count in load.seen.items() if key.startswith(CYCLE)}
    lost = daemon.log.read_text().count("ami link down")
    verify = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", "audit", "verify", "--journal", str(daemon.journal),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await verify.communicate()
    print(f"outcomes heard      {dict(sorted(made.items()))}")
    print(f"outcomes journalled {dict(sorted(ended.items()))}")
    print(f"AMI link: {lost} times lost")
    print(f"audit verify: exit {verify.returncode}: {said.decode().strip().splitlines()[-1]}")
    # "pending": the session was over before the verdict, which the journal has.
    late = sum(count for key, count in made.items() if key.endswith("pending"))
    answered = {key: n for key, n in made.items() if not key.endswith(("pending", "never seen"))}
    same = sum((ended - Counter(answered)).values()) == late and not Counter(answered) - ended
    return 0 if same and verify.returncode == 0 else 1


def main() -> int:
    """Lay the laboratory and measure."""
    parser = argparse.ArgumentParser(description="presses on a busy Asterisk")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--presses", type=float, default=10.0, help="a second")
    parser.add_argument("--events", type=int, default=500, help="user events a second")
    parser.add_argument("--rival", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rival:
        asyncio.run(serve_rival(given.rival))
        return 0
    agi = free_tcp()
    try:
        made = build("22", fastagi=f"127.0.0.1:{agi}", features="features.conf", label="load")
    except LabUnavailable as missing:
        print(f"not measured, there is no laboratory here: {missing}")
        return 0
    made.pbx.files["extensions.conf"] += DIALPLAN
    for asterisk in (made.pbx, made.farm):
        asterisk.rtp = free_rtp_block(given.calls * 5)
    with tempfile.TemporaryDirectory(prefix="offrecord-bench-") as folder:
        try:
            made.start()
            return asyncio.run(measure(made, Path(folder), agi, given))
        finally:
            made.stop()


if __name__ == "__main__":
    sys.exit(main())
