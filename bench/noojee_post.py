# SPDX-License-Identifier: Apache-2.0
"""A stop through the Noojee client against bare httpx, on warm TLS connections, in one run.

    python -m bench.noojee_post [--presses 400] [--at-once 50] [--json]

The simulated server runs in a process of its own. It takes most of the time of a request, and
the same of each row: look at the differences and the ratios.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from bridges.simulators import certificates
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from noojee import ApiKey, NoojeeClient, Signed, UniqueId
from noojee.transport import tls_context

CALL = UniqueId("12347811.214")
Post = Callable[[], Awaitable[object]]


def serve(folder: str, pipe: Connection) -> None:
    """Run the simulated server until the pipe says otherwise."""

    async def run() -> None:
        made = certificates.issue(Path(folder))
        switches = NoojeeSwitches(auto=True, nothing_to_stop="ok")
        simulator = NoojeeSimulator(switches=switches)
        async with SimServer(simulator, tls=made.server_context()) as server:
            pipe.send((server.url, str(made.ca_file)))
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)

    asyncio.run(run())


async def one_by_one(post: Post, presses: int) -> list[float]:
    """Return the seconds of each request, one after the other."""
    took = []
    for _ in range(presses):
        began = time.perf_counter()
        await post()
        took.append(time.perf_counter() - began)
    return took


async def burst(post: Post, at_once: int) -> list[float]:
    """Return the seconds from a common start to the end of each request."""
    began = time.perf_counter()

    async def press() -> float:
        await post()
        return time.perf_counter() - began

    return list(await asyncio.gather(*(press() for _ in range(at_once))))


async def measure(url: str, ca_file: str, presses: int, at_once: int) -> dict[str, object]:
    """Measure every way to post, interleaved: noise of the machine hits all alike."""
    stop = f"{url}/servicemanager/rest/CallManagementAPI/stop"
    query = {"extenOrUniqueId": str(CALL), "agentLoginName": "Fred", "apiKey": DEMO_KEY}
    async with (
        httpx.AsyncClient(verify=tls_context(ca_file), trust_env=False) as bare,
        NoojeeClient(url, auth=ApiKey(DEMO_KEY), ca_file=ca_file, timeout=30) as keyed,
        NoojeeClient(url, auth=Signed(DEMO_KEY), ca_file=ca_file, timeout=30) as signed,
    ):
        ways: dict[str, Post] = {
            "bare httpx": lambda: bare.post(stop, params=query, timeout=30),
            "client, api key": lambda: keyed.stop(CALL, agent_login_name="Fred"),
            "client, signed": lambda: signed.stop(CALL, agent_login_name="Fred"),
        }
        single: dict[str, list[float]] = {name: [] for name in ways}
        many: dict[str, list[float]] = {name: [] for name in ways}
        ends: dict[str, list[float]] = {name: [] for name in ways}
        for post in ways.values():
            await burst(post, at_once)  # warm: connections, the pair, the interpreter
        for _ in range(4):
            for name, post in ways.items():
                single[name] += await one_by_one(post, presses // 4)
                took = await burst(post, at_once)
                many[name] += took
                ends[name].append(max(took))
    return {
        name: {
            "one_p50_ms": _ms(statistics.median(single[name])),
            "one_p99_ms": _ms(_p99(single[name])),
            "burst_p50_ms": _ms(statistics.median(many[name])),
            "burst_p99_ms": _ms(_p99(many[name])),
            "burst_per_s": round(at_once / statistics.median(ends[name])),
        }
        for name in ways
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def main() -> None:
    """Run the benchmark and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presses", type=int, default=400)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, there))
        server.start()
        url, ca_file = here.recv()
        found = asyncio.run(measure(url, ca_file, options.presses, options.at_once))
        here.send("end")
        server.join()
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':18}{'one at a time':>22}{f'{options.at_once} at once':>34}")
    print(f"{'':18}{'p50 ms':>11}{'p99 ms':>11}{'p50 ms':>12}{'p99 ms':>11}{'per s':>11}")
    for name, row in found.items():
        assert isinstance(row, dict)
        print(f"{name:18}" + "".join(f"{value:>11}" for value in row.values()))


if __name__ == "__main__":
    main()
