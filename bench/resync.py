# SPDX-License-Identifier: Apache-2.0
"""After a cut of the AMI link: how long until the calls of 500 channels are known again.

A scripted PBX in a process of its own has 250 calls of two, each recorded, and cuts every
connection. Measured is the time from the cut to a true view of the calls, login and the pause
before it included. Our link is measured as it ships, and with an account that may also ask which
channels are recorded (`write = command`), which costs a question for each channel. The rival is
stock panoramisk 1.4, which connects again by itself 2 s after a cut; its callback then asks for
the channels and fills a dictionary, and asks for no bridges.

Run from the repository's root: `python -m bench.resync`. About 40 s.
"""

import argparse
import asyncio
import logging
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

from ami.pbx import Pbx
from ami.settings import AmiSettings
from tests.kits.ami_peer import SECRET, Action, AmiPeer, PeerSession

CHANNELS = 500
ROUNDS = 7
TARGET = 2.0
"""Seconds, for our link as it ships."""


KEYS = {key.lower(): key for key in ("Action", "ActionID", "Secret", "Events")}


class AnyCase(AmiPeer):
    """A peer that takes the small letters in which panoramisk writes its keys, as Asterisk does."""

    async def _answer(self, session: PeerSession, action: Action) -> None:
        await super()._answer(session, {KEYS.get(k.lower(), k): v for k, v in action.items()})


def serve(write: str, pipe: Connection) -> None:
    """Be the PBX: tell the port, then cut everyone off at each word, and say when."""
    asyncio.run(_serve(write, pipe))


async def _serve(write: str, pipe: Connection) -> None:
    async with AnyCase(write=write) as peer:
        for number in range(CHANNELS):
            pair = number // 2
            one = peer.add(f"PJSIP/4{number % 100:02}-{number:08x}", f"1700000000.{number}",
                           f"1700000000.{pair * 2}", monitors=number % 2 == 0)  # fmt: skip
            one.bridge = f"bridge-{pair}"
        pipe.send(peer.port)
        while await asyncio.to_thread(pipe.recv):
            pipe.send(time.monotonic())  # one clock for all processes of a machine
            for session in peer.sessions:
                session.cut()


async def ours(port: int, cut: Callable[[], Awaitable[float]], rounds: int) -> list[float]:
    """Measure our link with its call graph."""
    pbx = Pbx(AmiSettings("offrecord", SECRET, port=port, probe_timeout=0))
    running = asyncio.create_task(pbx.run())
    took = []
    assert await pbx.wait_known(10)
    for _ in range(rounds):
        await asyncio.sleep(5.5)  # a login that lasted: the next pause is the first one again
        begun = await cut()
        while pbx.graph.known:  # noqa: ASYNC110 - until the cut has been noticed
            await asyncio.sleep(0)
        assert await pbx.wait_known(30)
        took.append(time.monotonic() - begun)
        assert pbx.graph.size == CHANNELS
        assert len(pbx.graph.calls()) == CHANNELS // 2
    await pbx.close()
    await running
    return took


async def rival(port: int, cut: Callable[[], Awaitable[float]], rounds: int) -> list[float]:
    """Measure panoramisk, and the listing that one would ask for at each login."""
    import panoramisk

    logging.getLogger("panoramisk").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    settings = {"host": "127.0.0.1", "port": port, "username": "offrecord", "secret": SECRET}
    known, calls = asyncio.Event(), dict[str, dict[str, str]]()
    listing = set[asyncio.Future[None]]()

    async def take() -> None:
        calls.clear()
        for row in await manager.send_action({"Action": "CoreShowChannels"}, as_list=True):
            if row.get("Event") == "CoreShowChannel":
                calls.setdefault(row["Linkedid"], {})[row["Uniqueid"]] = row["Channel"]
        known.set()

    def login(_manager: object) -> None:
        listing.add(asyncio.ensure_future(take()))

    manager = panoramisk.Manager(**settings, ping_delay=600, on_login=login)
    await manager.connect()
    took = []
    for _ in range(rounds):
        async with asyncio.timeout(30):
            await known.wait()
        known.clear()
        await asyncio.sleep(0.5)
        begun = await cut()
        async with asyncio.timeout(30):
            await known.wait()
        took.append(time.monotonic() - begun)
        known.set()
        assert len(calls) == CHANNELS // 2
    manager.close()
    return took


Side = Callable[[int, Callable[[], Awaitable[float]], int], Awaitable[list[float]]]


async def measured(side: Side, write: str, rounds: int) -> list[float]:
    """Measure one side against a PBX of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(write, there))
    process.start()

    async def cut() -> float:
        here.send(True)
        at = await asyncio.to_thread(here.recv)
        assert isinstance(at, float)
        return at

    try:
        return await side(await asyncio.to_thread(here.recv), cut, rounds)
    finally:
        process.kill()
        process.join()


async def main() -> int:
    """Measure and print; 1 when the target is missed."""
    parser = argparse.ArgumentParser(description="the calls known again after a cut link")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    rows: tuple[tuple[str, Side, str], ...] = (
        ("offrecord", ours, "call,reporting"),
        ("offrecord, may ask MixMonitors", ours, "call,reporting,command"),
        ("panoramisk, channels alone", rival, "call,reporting"),
    )
    print(f"{CHANNELS} channels, seconds from the cut until they are known, {rounds} rounds")
    results = {}
    for name, side, write in rows:
        took = results[name] = await measured(side, write, rounds)
        print(f"{name:<32} median {statistics.median(took):6.3f}   worst {max(took):6.3f}")
    own, other = (statistics.median(results[name]) for name, _, _ in (rows[0], rows[2]))
    print(f"ratio of the medians: {other / own:.1f}")
    return 0 if max(results["offrecord"]) <= TARGET else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
