# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: T201
"""A fault run: presses on many calls while everything around the daemon, and itself, goes wrong.

`python -m tests.kits.faults.run --presses 2000 --seed 7` prints what was seen; `--json` as JSON,
and `--docs` puts it into docs/faults.md. It leaves with 1 when anything was lost, doubled, falsely
confirmed or left open.
"""

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.kits import pace
from tests.kits.faults.daemon import Disk, FaultDaemon
from tests.kits.faults.figures import Figures, docs, table
from tests.kits.faults.judge import REACH, Pressed, judge, still_open
from tests.kits.faults.peer import MANNERS
from tests.kits.faults.world import FAULTS, KINDS, VENDORS, LiveCall, World
from tests.kits.waiting import patience

LIMIT: Final = 600.0
"""Seconds a run may take in all."""
_VERBS: Final = ("stop", "stop", "stop", "pause", "pause", "resume", "start")


@dataclass(slots=True)
class Run:
    """One run. `presses` are to be acknowledged, on `calls` calls at a time, `pace` seconds apart.

    `seed` decides who presses what, and what goes wrong when; the machine decides the rest.
    """

    folder: Path
    presses: int
    seed: int
    calls: int = 16
    pace: float = 1.0
    kill_every: float = 8.0
    pressed: list[Pressed] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    kills: list[float] = field(default_factory=list)
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _serial: int = 0

    async def carry_out(self) -> Figures:
        """Do it and return what was seen."""
        began = time.monotonic()
        with pace.measured():
            figures = await self._measured(began)
        figures.seconds = time.monotonic() - began
        return figures

    async def _measured(self, began: float) -> Figures:
        disk = Disk(self.folder / "disk")
        disk.make()
        daemon = FaultDaemon(self.folder, {})
        try:
            async with World(self.folder, self.calls) as world:
                daemon.tables = world.tables(daemon)
                await daemon.start()
                await self._storm(world, daemon, disk, began)
                await self._calm(world, daemon, disk)
                await daemon.stop()
                figures = await asyncio.to_thread(
                    judge,
                    daemon,
                    world,
                    self.pressed,
                    self.kills,
                    self.events,
                    pace.in_time(REACH, since=began),
                )
        finally:
            await daemon.stop()
            if daemon.journal.is_file():
                shutil.copy(daemon.journal, self.folder)
            disk.remove()
        return figures

    async def _storm(self, world: World, daemon: FaultDaemon, disk: Disk, began: float) -> None:
        dice = random.Random(self.seed)
        seeds = [dice.getrandbits(32) for _ in world.extensions]
        jobs = [
            self._phone(world, daemon, extension, random.Random(seed))
            for extension, seed in zip(world.extensions, seeds, strict=True)
        ]
        jobs += [
            self._vendors(world, random.Random(dice.getrandbits(32))),
            self._links(world, random.Random(dice.getrandbits(32))),
            self._deaths(daemon, random.Random(dice.getrandbits(32))),
            self._disks(daemon, disk, random.Random(dice.getrandbits(32))),
        ]
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            while not self._done() and time.monotonic() - began < LIMIT - 60:
                await asyncio.sleep(0.1)
                for task in tasks:
                    if task.done():
                        task.result()  # none of them ends before it is told to
        finally:
            self._over.set()
            await asyncio.gather(*tasks)

    def _done(self) -> bool:
        return sum(one.id is not None for one in self.pressed) >= self.presses

    async def _calm(self, world: World, daemon: FaultDaemon, disk: Disk) -> None:
        """Let everything work again, end the calls, and wait until every press is closed."""
        disk.clear(daemon.pid)
        for kind in VENDORS:
            world.of(kind).faults.clear()
        world.peer.behave()
        # Some never settle while their call is up: a vendor that refuses is asked until it ends.
        await self._until(lambda: self._settled(daemon, held=False), within=20.0)
        for call in [*world.up.values()]:
            world.end(call)
        await self._until(lambda: self._settled(daemon))

    async def _settled(self, daemon: FaultDaemon, *, held: bool = True) -> bool:
        try:
            async with asyncio.timeout(5):
                told = await _ask(daemon.socket, {"op": "status"})
        except (OSError, TimeoutError):
            return False
        well = told[-1].get("known") and told[-1].get("journal") == "ok" if told else False
        return bool(well) and not await asyncio.to_thread(still_open, daemon.journal, held=held)

    async def _until(
        self, condition: Callable[[], Awaitable[bool]], within: float | None = None
    ) -> None:
        with contextlib.suppress(TimeoutError):  # what is not closed then is judged so
            async with asyncio.timeout(patience() if within is None else within):
                while not await condition():
                    await asyncio.sleep(0.2)

    # people

    async def _phone(
        self, world: World, daemon: FaultDaemon, extension: str, dice: random.Random
    ) -> None:
        """Let one agent talk, press, hang up, and talk again."""
        while not self._over.is_set():
            held = tuple(kind for kind in KINDS if dice.random() < 0.6) or ("local",)
            call = world.begin(extension, held, recorded=dice.random() < 0.9)
            await self._pause(dice.uniform(0.1, 0.6) * self.pace)
            waiting = []
            for _ in range(dice.randint(1, 3)):
                if self._over.is_set() or self._done():
                    break
                waiting.append(asyncio.create_task(self._press(daemon, call, dice)))
                await self._pause(dice.uniform(0.3, 2.2) * self.pace)
            if dice.random() < 0.6:  # else the call ends under the press
                await asyncio.gather(*waiting)
                await self._pause(dice.uniform(0, 1.0) * self.pace)
            if not self._over.is_set():
                world.end(call)
            await asyncio.gather(*waiting)

    async def _press(self, daemon: FaultDaemon, call: LiveCall, dice: random.Random) -> None:
        verb, way = dice.choice(_VERBS), dice.choice(("agi", "agi", "cli"))
        self._serial += 1
        one = Pressed(call.number, verb, time.time())
        self.pressed.append(one)
        request = {
            "op": "press", "way": way, "verb": verb, "uniqueid": call.agent,
            "channel": call.channel, "target": call.agent, "wait": 8.0,
        }  # fmt: skip
        try:
            async with asyncio.timeout(15):
                await _ask(daemon.socket, request, one.hear)
        except (OSError, TimeoutError):
            pass  # it was killed, or is not there: what was told before counts

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)

    # what goes wrong

    async def _vendors(self, world: World, dice: random.Random) -> None:
        """Have the platforms stall, break and lie; now and then one is away altogether."""
        while not self._over.is_set():
            await self._pause(dice.uniform(0.2, 1.0))
            kind = dice.choice(VENDORS)
            if dice.random() < 0.1:
                server = world.servers[kind]
                world.away[kind].append(time.time())
                await (server.refuse() if dice.random() < 0.5 else server.silence())
                self.events["vendor away"] += 1
                await self._pause(dice.uniform(0.3, 1.5))
                await server.accept()
                continue
            fault = dice.choice(FAULTS[kind])
            world.of(kind).faults.add(f"{fault}*{dice.randint(1, 2)}")
            self.events["vendor fault"] += 1

    async def _links(self, world: World, dice: random.Random) -> None:
        """Cut AMI, and have the PBX answer badly."""
        assert world.link is not None
        while not self._over.is_set():
            await self._pause(dice.uniform(0.5, 4.0))
            if dice.random() < 0.5:
                world.peer.misbehave(dice.choice(MANNERS), dice.randint(1, 3))
                self.events["PBX fault"] += 1
                continue
            await world.link.cut()
            self.events["AMI cut"] += 1
            await self._pause(dice.uniform(0.05, 2.0))
            await world.link.mend()

    async def _deaths(self, daemon: FaultDaemon, dice: random.Random) -> None:
        """Kill the daemon with -9 and start it again."""
        while not self._over.is_set():
            await self._pause(dice.uniform(0.3, 1.7) * self.kill_every)
            if self._over.is_set():
                return
            await daemon.kill()
            self.kills.append(time.time())
            self.events["kill -9"] += 1
            await self._pause(dice.uniform(0, 1.0))
            await daemon.start()

    async def _disks(self, daemon: FaultDaemon, disk: Disk, dice: random.Random) -> None:
        """Fill the journal's disk, and give it room again."""
        while not self._over.is_set():
            await self._pause(dice.uniform(3.0, 12.0))
            if self._over.is_set():
                return
            disk.fill(daemon.pid)
            self.events["disk full"] += 1
            await self._pause(dice.uniform(0.3, 2.5))
            disk.clear(daemon.pid)


async def _ask(
    path: Path, request: dict[str, object], hear: Callable[[dict[str, Any]], None] | None = None
) -> list[dict[str, Any]]:
    """Send one request to the control socket; `hear` is told each reply as it comes."""
    reader, writer = await asyncio.open_unix_connection(path)
    found: list[dict[str, Any]] = []
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        while line := await reader.readline():
            found.append(json.loads(line))
            if hear is not None:
                hear(found[-1])
    finally:
        writer.close()
    return found


async def fault_run(folder: Path, presses: int, seed: int, **more: Any) -> Figures:
    """Carry a run out in an empty folder."""
    return await Run(folder, presses, seed, **more).carry_out()


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="make faults", description="a run with faults")
    parser.add_argument("--presses", type=int, default=2000, help="presses to acknowledge")
    parser.add_argument("--seed", type=int, default=None, help="any number; else by chance")
    parser.add_argument("--calls", type=int, default=24, help="calls at a time")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--docs", action="store_true", help="put the figures into docs/faults.md")
    parser.add_argument("--keep", action="store_true", help="keep the log when all is well, too")
    asked = parser.parse_args()
    seed = random.SystemRandom().getrandbits(31) if asked.seed is None else asked.seed
    print(f'seed {seed}: make faults ARGS="--presses {asked.presses} --seed {seed}"',
          file=sys.stderr)  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="offrecord-faults-"))
    figures = asyncio.run(fault_run(folder, asked.presses, seed, calls=asked.calls))
    print(json.dumps(figures.as_json(), indent=2) if asked.json else table(figures))
    if asked.docs and figures.good:
        docs(figures, asked.presses, seed)
    if figures.good and not asked.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"its log and journal: {folder}", file=sys.stderr)
    return 0 if figures.good else 1


if __name__ == "__main__":
    raise SystemExit(main())
