# SPDX-License-Identifier: Apache-2.0
"""What the witness on the disk costs while 400 calls are being recorded, on two cores.

A process of its own writes 400 recordings as Asterisk does, a block of 32 KiB each 2.04 s, into
folders by day. The witness of this process knows them as the MixMonitors of 400 other calls, and
holds 20 verdicts meanwhile; then one more file grows that nobody accounts for. Measured: the CPU
time of the witness, the events that it reads, and the time from that file's write to the verdict
being taken back.

Run from the repository's root: `python -m bench.witness`. About 25 s.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from ami.events.types import MixMonitorStart
from ami.link.actions import Response
from offrecord.config.sections.witness import WitnessConfig
from offrecord.journal.journal import Record
from offrecord.witness.files import BLOCK
from offrecord.witness.witness import Witness
from tests.kits.call_kit import graph, new

FILES = 400
HELD = 20
RHYTHM = 2.04
TARGET = 5.0
"""Percent of one core."""


class ListingPbx:
    """A PBX with calls, each with a recording in a folder."""

    version = (22, 10, 1)

    def __init__(self, spool: Path) -> None:
        calls = (new(f"{n + 1}.1", f"PJSIP/4{n:03}-{n:08x}") for n in range(FILES + HELD))
        self.graph = graph(*calls)
        self.graph.known = True
        self.spool = spool

    async def wait_known(self, timeout: float) -> bool:
        """Return True: the calls are known."""
        del timeout
        return True

    async def action(
        self, name: str, fields: Mapping[str, str | Sequence[str]] | None = None,
        *, timeout: float | None = None,
    ) -> Response:  # fmt: skip
        """Return where the spool is."""
        del name, fields, timeout
        return Response(True, "", {"Value": str(self.spool)})

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        """Return a row for each channel."""
        del name, fields, timeout
        channels = (one for call in self.graph.calls() for one in call.channels)
        return [
            Response(True, "", {"Channel": one.name, "Uniqueid": one.uniqueid,
                     "Linkedid": one.linkedid, "Application": "Dial"})
            for one in channels
        ]  # fmt: skip

    async def getvar(self, uniqueid: str, name: str) -> str:
        """Return the file of a channel."""
        del name
        return str(recording(self.spool, int(uniqueid.partition(".")[0]) - 1))


def recording(spool: Path, number: int) -> Path:
    """Return the path of a recording."""
    return spool / "monitor" / "2026" / f"{number % 28 + 1:02}" / f"q-{number}.wav"


def write(spool: Path, pipe: Connection) -> None:
    """Write all recordings in their rhythm until a word comes; then one of nobody's."""
    paths = [recording(spool, number) for number in range(FILES)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    files = [path.open("wb", buffering=0) for path in paths]
    pipe.send("open")
    begun, number = time.monotonic(), 0
    while not pipe.poll():
        due = begun + number * RHYTHM / FILES
        time.sleep(max(0.0, due - time.monotonic()))
        files[number % FILES].write(bytes(BLOCK))
        if number % (FILES * 8) == FILES * 8 - 1:
            for file in files:  # the disk must not fill up
                file.truncate(BLOCK)
        number += 1
    with (spool / "monitor" / "nobody.wav").open("wb", buffering=0) as file:
        file.write(bytes(BLOCK))
        pipe.send(time.monotonic())
        time.sleep(2)


async def measure(seconds: float) -> dict[str, float]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder)
        (spool / "monitor").mkdir()
        pbx, back = ListingPbx(spool), asyncio.Event()
        at: list[float] = []

        def note(_press: str, kind: str, _body: Mapping[str, object]) -> None:
            if kind == "taken_back":
                at.append(time.monotonic())
                back.set()

        ours, theirs = multiprocessing.Pipe()
        writer = multiprocessing.Process(target=write, args=(spool, theirs), daemon=True)
        writer.start()
        await asyncio.to_thread(ours.recv)
        witness = Witness(pbx, WitnessConfig(), note, lambda _callback: None, here=True)
        witness.open()
        while len(witness.watch) < 29:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.05)
        for number in range(FILES):
            uniqueid = f"{number + 1}.1"
            witness.event(MixMonitorStart("", uniqueid, uniqueid), pbx.graph)
            await asyncio.sleep(0)
        for number in range(HELD):
            body = {"verb": "stop", "outcome": "confirmed", "call": f"{FILES + number + 1}.1"}
            witness.on_record(Record(f"p{number}", "verdict", body, 0))
        await asyncio.sleep(RHYTHM)
        wrong = len(at)
        events, cpu, clock = witness.watch.events, time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - clock
        figures = {
            "files": float(len(witness.files)),
            "events_per_s": (witness.watch.events - events) / took,
            "cpu_percent": 100 * (time.process_time() - cpu) / took,
            "wrongly_taken_back": float(max(wrong, len(at))),
        }
        ours.send("end")
        written = await asyncio.to_thread(ours.recv)
        async with asyncio.timeout(10):
            await back.wait()
        figures["taken_back_after_ms"] = 1000 * (at[-1] - written)
        await witness.close()
        writer.join(10)
        return figures


def main() -> int:
    """Print the figures; return 1 when the cost is above the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    figures = asyncio.run(measure(parser.parse_args().seconds))
    for name, value in figures.items():
        print(f"{name:22} {value:8.1f}")
    return int(figures["cpu_percent"] > TARGET or figures["wrongly_taken_back"] > 0)


if __name__ == "__main__":
    sys.exit(main())
