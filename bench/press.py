# SPDX-License-Identifier: Apache-2.0
"""From the press to the recorder's request on the wire, through the whole daemon.

The daemon is a real `offrecord run`, with its journal synced to disk and Noojee over TLS; the PBX
is a scripted AMI peer with a call for each press. The rival does what a script usually does: a
FastAGI handler that commits to SQLite in the event loop and opens an httpx client for each press.
Both are pressed at the same pace and ask the same server in the same run.

Run from the repository's root: `python -m bench.press`. About 40 s.
"""

import asyncio
import hashlib
import json
import sqlite3
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from agi.press_message import Accepted, AgiPress
from agi.server import FastAgiServer
from agi.session import FastAgiSettings
from agi.verdict_message import AgiVerdict
from bridges.simulators import certificates
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from lab.daemon import DaemonProcess
from lab.pbx.ports import free_tcp
from tests.kits.ami_peer import SECRET, AmiPeer

PRESSES = 400
PACE = 50
"""Presses a second."""
WARM = 20
"""Presses before those that count."""

Times = dict[str, float]
"""Seconds since the epoch, by uniqueid."""


def uniqueid(number: int) -> str:
    """Return the uniqueid of the channel that makes press `number`."""
    return f"1700000000.{number}"


async def press(port: int, number: int, sent: Times) -> None:
    """Play Asterisk for one press: send the environment, answer every command, until it ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ident = uniqueid(number)
    lines = (
        "agi_network: yes", "agi_network_script: stop", f"agi_channel: PJSIP/410-{number:08x}",
        f"agi_uniqueid: {ident}", "agi_callerid: 410", "agi_context: lab", "agi_extension: 411",
    )  # fmt: skip
    writer.write(("\n".join(lines) + "\n\n").encode())
    sent[ident] = time.time()
    while await reader.readline():
        writer.write(b"200 result=1 (SUCCESS)\n")
    writer.close()


async def measured(port: int, sim: NoojeeSimulator, first: int) -> list[float]:
    """Press at the pace, warm-up first; return the milliseconds to each request on the wire."""
    sent: Times = {}
    tasks = []
    begin = time.monotonic()
    for count in range(WARM + PRESSES):
        await asyncio.sleep(max(0.0, begin + count / PACE - time.monotonic()))
        tasks.append(asyncio.create_task(press(port, first + count, sent)))
    await asyncio.gather(*tasks)
    seen = {entry.query["extenOrUniqueId"]: entry.at for entry in sim.log.of("stop")}
    counted = [uniqueid(first + count) for count in range(WARM, WARM + PRESSES)]
    return sorted((seen[ident] - sent[ident]) * 1000 for ident in counted)


async def ours(folder: Path, made: certificates.Certificates) -> list[float]:
    """Measure the daemon."""
    sim = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
    port = free_tcp()
    async with AmiPeer() as pbx, SimServer(sim, tls=made.server_context()) as server:
        for number in range(WARM + PRESSES):
            ident = uniqueid(number)
            pbx.add(f"PJSIP/410-{number:08x}", ident, monitors=1)
        daemon = DaemonProcess(folder, {})
        daemon.tables = {
            "ami": {
                "port": pbx.port, "username": "offrecord", "secret": daemon.secret("ami", SECRET),
            },
            "agi": {"port": port},
            "agents": {"410": "fred"},
            "recorders": {
                "local": {"kind": "asterisk"},
                "noojee": {
                    "kind": "noojee", "url": server.url, "auth": "signed",
                    "api_key": daemon.secret("key", DEMO_KEY), "ca_file": str(made.ca_file),
                },
            },
        }  # fmt: skip
        await daemon.start()
        try:
            await asyncio.sleep(1.0)
            return await measured(port, sim, 0)
        finally:
            await daemon.stop()


async def rival(folder: Path, made: certificates.Certificates) -> list[float]:
    """Measure the usual script, in a process of its own."""
    sim = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
    async with SimServer(sim, tls=made.server_context()) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.press", "--rival", server.url, str(made.ca_file),
            str(folder / "plain.db"),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            port = json.loads(await process.stdout.readline())
            return await measured(port, sim, 0)
        finally:
            process.kill()
            await process.wait()


async def serve_rival(url: str, ca_file: str, path: str) -> None:
    """Be the usual script: everything in the handler, a client for each press."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE presses (uniqueid TEXT, at REAL)")
    context = ssl.create_default_context(cafile=ca_file)
    running: set[asyncio.Future[AgiVerdict]] = set()

    def handler(request: AgiPress) -> Accepted:
        with db:
            db.execute("INSERT INTO presses VALUES (?, ?)", (request.uniqueid, time.time()))
        future = asyncio.ensure_future(stop(request.uniqueid))
        running.add(future)
        future.add_done_callback(running.discard)
        return Accepted("-", future)

    async def stop(ident: str) -> AgiVerdict:
        async with httpx.AsyncClient(base_url=url, verify=context) as client:
            stamp = (await client.post("/servicemanager/rest/Time")).text.strip()
            signed = hashlib.sha256(f"{DEMO_KEY}:{stamp}".encode()).hexdigest()
            query = {"extenOrUniqueId": ident, "agentLoginName": "fred"}
            await client.post(
                "/servicemanager/rest/CallManagementAPI/stop",
                params={**query, "timeStamp": stamp, "hash": signed},
            )
        return AgiVerdict("accepted", (), "done")

    async with FastAgiServer(handler, FastAgiSettings(port=0)) as server:
        print(json.dumps(server.address[1]), flush=True)
        await asyncio.Event().wait()


def told(name: str, times: list[float]) -> str:
    """Return one line of the report."""
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    return f"{name:<28} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   worst {times[-1]:7.2f} ms"


async def run(*parts: Callable[[Path, certificates.Certificates], Awaitable[list[float]]]) -> None:
    """Measure each part in a fresh folder, and print the ratio of the first to the last."""
    results = []
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="offrecord-bench-") as folder:
            results.append(await part(Path(folder), certificates.issue(Path(folder))))
    print(f"{PRESSES} presses at {PACE}/s, press to request on the wire, TLS, journal synced")
    print(told("offrecord", results[0]))
    print(told("a handler with httpx, sqlite", results[1]))
    ratio = statistics.median(results[1]) / statistics.median(results[0])
    print(f"ratio of the medians: {ratio:.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rival"]:
        asyncio.run(serve_rival(*sys.argv[2:5]))
    else:
        asyncio.run(run(ours, rival))
