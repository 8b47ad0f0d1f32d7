# SPDX-License-Identifier: Apache-2.0
"""FastAGI: our server against panoramisk's, the same dialogue over loopback, in one run.

Each server has a process of its own and tells the same three commands for a press (two variables
and a VERBOSE line); this process plays Asterisk. Three measures:

- answer: from the last byte of the environment to the first command, one press at a time;
- session: from connect to close, one press at a time; presses per second, 50 at once, and the
  CPU time of the server for each;
- after a port scan: one connect that closes at once, then a press; does it still answer?

Run from the repository's root: `python -m bench.fastagi`. About 10 s.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from agi.press_message import Accepted, AgiPress
from agi.server import FastAgiServer
from agi.session import FastAgiSettings
from agi.verdict_message import AgiVerdict

ENVIRONMENT = b"".join(
    b"agi_" + line + b"\n"
    for line in (
        b"network: yes|network_script: stop|request: agi://127.0.0.1:4573/stop|"
        b"channel: PJSIP/410-00000002|language: en|type: PJSIP|uniqueid: 1700000000.7|"
        b"version: 22.10.1|callerid: 411|calleridname: Anna|callingpres: 0|callingani2: 0|"
        b"callington: 0|callingtns: 0|dnid: 410|rdnis: unknown|context: internal|extension: 410|"
        b"priority: 1|enhanced: 0.0|accountcode: |threadid: 140234"
    ).split(b"|")
)
DESCRIPTION = "FastAGI: our server against panoramisk's, the same dialogue, in one run."
COMMANDS = 3
SEQUENTIAL = 600
CONCURRENT = 50
ROUNDS = 6
ROUND = 0.5  # seconds


def ours(report: Connection) -> None:
    """Serve with our own server, the verdict known at once."""

    async def serve() -> None:
        def handler(_: AgiPress) -> Accepted:
            verdict: asyncio.Future[AgiVerdict] = asyncio.get_running_loop().create_future()
            verdict.set_result(AgiVerdict("confirmed", (), "stop confirmed"))
            return Accepted("P1", verdict)

        async with FastAgiServer(handler, FastAgiSettings(port=0)) as server:
            report.send(server.address[1])
            await asyncio.Event().wait()

    asyncio.run(serve())


def panoramisk(report: Connection) -> None:
    """Serve with panoramisk's FastAGI application."""
    from panoramisk import fast_agi

    async def press(request: fast_agi.Request) -> None:
        await request.send_command('SET VARIABLE "OFFRECORD_PRESS" "P1"')
        await request.send_command('SET VARIABLE "OFFRECORD_OUTCOME" "confirmed"')
        await request.send_command('VERBOSE "offrecord: stop confirmed" "1"')

    async def serve() -> None:
        application = fast_agi.Application(loop=asyncio.get_running_loop())
        application.add_route("stop", press)
        server = await asyncio.start_server(application.handler, "127.0.0.1", 0, backlog=1024)
        report.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(serve())


class Asterisk(asyncio.Protocol):
    """The client of one session, as cheap as possible: the server is what is measured."""

    def __init__(self) -> None:
        self.sent = self.answered = 0.0
        self.seen = 0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the environment."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(ENVIRONMENT + b"\n")
        self.sent = time.perf_counter()

    def data_received(self, data: bytes) -> None:
        """Answer each command."""
        self.answered = self.answered or time.perf_counter()
        commands = data.count(b"\n")
        self.seen += commands
        self.transport.write(b"200 result=1\n" * commands)

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        if error is not None:
            self.over.set_exception(error)
        else:
            self.over.set_result(None)


async def one(port: int) -> tuple[float, float]:
    """Play one press; return milliseconds to the first command and to the end."""
    loop = asyncio.get_running_loop()
    opened = time.perf_counter()
    _, peer = await loop.create_connection(Asterisk, "127.0.0.1", port)
    await peer.over
    ended = time.perf_counter()
    if peer.seen != COMMANDS:
        raise RuntimeError(f"{peer.seen} commands instead of {COMMANDS}")
    return (peer.answered - peer.sent) * 1e3, (ended - opened) * 1e3


async def rate(port: int, seconds: float = ROUND) -> int:
    """Play presses with CONCURRENT sessions at once; return how many were told."""
    ends = time.perf_counter() + seconds

    async def caller() -> int:
        done = 0
        while time.perf_counter() < ends:
            await one(port)
            done += 1
        return done

    return sum(await asyncio.gather(*(caller() for _ in range(CONCURRENT))))


async def after_a_port_scan(port: int) -> str:
    """Return how long a press takes after a client has connected and left."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    try:
        async with asyncio.timeout(1.0):
            return f"{(await one(port))[0]:.2f}"
    except TimeoutError:
        return "none in 1 s"


class Server:
    """One server in a process of its own, and what was measured of it."""

    def __init__(self, name: str, target: Callable[[Connection], None]) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        near, far = context.Pipe()
        self.process = context.Process(target=target, args=(far,), daemon=True)
        self.process.start()
        self.port: int = near.recv()
        self.times: list[tuple[float, float]] = []
        self.presses = 0
        self.seconds = 0.0
        self.cpu = 0.0
        self.scanned = ""

    def cpu_seconds(self) -> float:
        """CPU time the server has used, from the scheduler."""
        text = Path(f"/proc/{self.process.pid}/schedstat").read_text()
        return int(text.split()[0]) / 1e9

    async def measure(self) -> None:
        """Add one round."""
        self.times += [await one(self.port) for _ in range(SEQUENTIAL // ROUNDS)]
        before, started = self.cpu_seconds(), time.perf_counter()
        self.presses += await rate(self.port)
        self.seconds += time.perf_counter() - started
        self.cpu += self.cpu_seconds() - before

    def row(self) -> str:
        """Return the line of the table."""
        cells = [f"{self.name:16}"]
        for column in zip(*self.times, strict=True):
            ordered = sorted(column)
            cells.append(f"{statistics.median(ordered):8.2f}")
            cells.append(f"{ordered[int(len(ordered) * 0.99)]:8.2f}")
        cells.append(f"{self.presses / self.seconds:12,.0f}")
        cells.append(f"{self.cpu / self.presses * 1e6:14.0f}")
        return "".join([*cells, f"{self.scanned:>14}"])


async def compare(servers: list[Server]) -> None:
    """Measure in turns: a busy machine is unfair to both. The port scan comes last."""
    for server in servers:
        await asyncio.gather(*(one(server.port) for _ in range(20)))
    for _ in range(ROUNDS):
        for server in servers:
            await server.measure()
    for server in servers:
        server.scanned = await after_a_port_scan(server.port)


def main() -> None:
    """Print one table."""
    argparse.ArgumentParser(description=DESCRIPTION).parse_args()
    servers = [Server("offrecord", ours), Server("panoramisk 1.4", panoramisk)]
    try:
        asyncio.run(compare(servers))
    finally:
        for server in servers:
            server.process.kill()
            server.process.join()
    print(f"{'':16}{'answer ms':>16}{'session ms':>16}{'presses':>12}{'CPU us':>14}{'after a':>14}")
    columns = ("p50     p99", "p50     p99", "per s", "per press", "port scan")
    widths = (16, 16, 12, 14, 14)
    print(" " * 16 + "".join(f"{text:>{w}}" for text, w in zip(columns, widths, strict=True)))
    for server in servers:
        print(server.row())


if __name__ == "__main__":
    main()
