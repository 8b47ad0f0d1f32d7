# SPDX-License-Identifier: Apache-2.0
"""Whether the witness on the disk takes verdicts back wrongly beside many other recordings.

On a real Asterisk, `--recorded` calls are recorded by MixMonitor, voicemail is being left (22
alone: Debian's 16 has none) and ARI records calls of its own, all for as long as this runs. Beside
them `--presses` calls come, each recorded by MixMonitor, stopped by a press and hung up 4.6 s
later, after two blocks of each file; about 13 of them are up at once. Each verdict is true, so
none may be taken back. The exit status is 1 when one was, and when a call or a press went wrong.

Run as root from the repository's root: `python -m bench.witness_soak`. About 4 min.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lab.pbx.second_ami import Packet
from tests.kits.witness_live import Ari, WitnessLab, WitnessSite, witness_lab

APART = 0.35
"""Seconds between two presses."""
TALKS = 0.6
"""Seconds from the start of a recording to the press."""
LASTS = 4.6
"""Seconds from the press to the hang-up: two blocks of each wav."""
WAITS = 8.0
"""Seconds for the verdict."""
MAILS = 3
ALONE = ("412", "413")
"""The phones that ARI records."""
SHOWN = 5
"""Verdicts that were taken back, and errors, that are printed."""
WELL = frozenset({"confirmed"})


@dataclass
class Soak:
    """One run, and what it has seen: outcomes of presses, and verdicts taken back, with files."""

    here: WitnessSite
    epoch: int = field(default_factory=lambda: int(time.time()))
    outcomes: dict[str, str] = field(default_factory=dict)

    async def others(self, ari: Ari, recorded: int, *, mail: bool) -> None:
        """Begin the other recordings, and wait until ARI's are written to."""
        for _ in range(recorded):
            await self.here.local("load")
        for _ in range(MAILS if mail else 0):
            await self.here.local("mail")
        for phone in ALONE:
            name = f"soak-{phone}-{self.epoch}"
            await ari.record(await self.here.alone("stasis", phone), name)
            await self.here.expect_grown("recording", name)

    async def press(self, number: int) -> None:
        """Have a call recorded, press stop on it, and hang up."""
        pbx, since = self.here.pbx, len(self.here.pbx.events)
        # uniqueids of our own, which look like Asterisk's
        spoken, recorded = (f"{self.epoch + number}.{half}{number}" for half in (8, 9))
        await pbx.action(
            "Originate", Channel="Local/load@lab-witness/n", Context="lab-witness", Exten="tone",
            Priority="1", Async="true", ChannelId=spoken, OtherChannelId=recorded,
        )  # fmt: skip

        def begins(packet: Packet) -> bool:
            return packet.get("Event") == "MixMonitorStart" and packet["Uniqueid"] == recorded

        await pbx.wait_for(begins, since=since)
        await asyncio.sleep(TALKS)
        told = await self.here.ask(
            {"op": "press", "verb": "stop", "target": recorded, "wait": WAITS}
        )
        self.outcomes[str(told["press"])] = str(told.get("outcome"))
        await asyncio.sleep(LASTS)
        await pbx.action("Hangup", Channel=recorded)

    def taken_back(self) -> dict[str, list[str]]:
        """Return the files that took a verdict back, by press."""
        return {
            press: [str(name) for name in one.body["files"]]
            for press in self.outcomes
            for one in self.here.records(press) if one.kind == "taken_back"
        }  # fmt: skip


async def soak(lab: WitnessLab, presses: int, recorded: int) -> bool:
    """Run once; print what came of it, and return whether all was well."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="witness-soak-")))
        here = await stack.enter_async_context(WitnessSite(lab, folder))
        stack.push_async_callback(here.pbx.action, "Hangup", Channel="/^Local.*$/")
        ari = await stack.enter_async_context(Ari.at(lab.ari_port).connected())
        made = Soak(here)
        await made.others(ari, recorded, mail=lab.asterisks.release != "16")
        tasks = []
        for number in range(presses):
            tasks.append(asyncio.create_task(made.press(number)))
            await asyncio.sleep(APART)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [one for one in ended if isinstance(one, BaseException)]
        wrong = await asyncio.to_thread(made.taken_back)
        unwell = sum(outcome not in WELL for outcome in made.outcomes.values())
        say(f"Asterisk {lab.asterisks.release}: {len(made.outcomes)} presses beside {recorded}"
            f" recorded calls: {dict(Counter(made.outcomes.values()))}")  # fmt: skip
        say(f"taken back wrongly: {len(wrong)}")
        for press, files in [*wrong.items()][:SHOWN]:
            say(f"  {press}: {', '.join(files)}")
        for error in errors[:SHOWN]:
            say(f"  error: {error!r}")
        return not wrong and not errors and not unwell


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run on one release; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.witness_soak",
        description=(__doc__ or "").split("\n\n", maxsplit=1)[0],
    )
    parser.add_argument("--release", choices=("16", "22"), default="22", help="of Asterisk")
    parser.add_argument("--presses", type=int, default=500)
    parser.add_argument("--recorded", type=int, default=60, help="other calls being recorded")
    given = parser.parse_args(arguments)
    with witness_lab(given.release) as lab:
        return 0 if asyncio.run(soak(lab, given.presses, given.recorded)) else 1


if __name__ == "__main__":
    sys.exit(main())
