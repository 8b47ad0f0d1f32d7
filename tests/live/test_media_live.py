# SPDX-License-Identifier: Apache-2.0
"""Whether a press is heard in the recordings themselves: tones, looked for 100 ms by 100 ms."""

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from bridges.model import Outcome
from lab.pbx.audio import length, stretches
from lab.pbx_with_phones import TONES, is_event
from lab.site import LabSite, Talk
from offrecord.reconcile import wav_levels
from tests.kits.live_kit import SiteMaker
from tests.kits.pace import in_time

LOCAL_ONLY = {"routes": {"default": ["local"]}}
CUSTOMER, AGENT = TONES["410"], TONES["411"]
"""410 calls 411; each plays its own tone all the time."""

ALLOWED = 0.3
"""Seconds after the press for which a tone may still be in a local recording."""
INTERRUPTED = 1.6
"""Seconds for which the other party may miss the presser, the prompt included."""
BLOCK = 2.2
"""Seconds after which MixMonitor has written whatever it holds, were it still running."""


@dataclass(frozen=True)
class Pressed:
    """One press by the agent: seconds of the witness's clock, and what the daemon said."""

    at: float
    proven: float
    outcome: str | None
    took: float


async def press(here: LabSite, talk: Talk) -> Pressed:
    """Let the agent press the code, and wait for the PBX's own word that the recording ended."""
    since = len(here.pbx.events)
    await here.people.press(talk.callee, "*1")
    at, _ = await here.pbx.wait_for(is_event("DTMFEnd", Digit="1"), since=since)
    proven, _ = await here.pbx.wait_for(is_event("MixMonitorStop"), since=since)
    [summary] = await here.daemon.verdicts()
    assert summary.took_ms is not None
    return Pressed(at, proven, summary.outcome, summary.took_ms / 1000)


def hold_the_promise(wav: Path, pressed: Pressed) -> None:
    """Look for both tones in a recording that ended when the PBX said so."""
    whole = wav_levels.read(wav)
    # Placed by its end: nothing is written while it rings.
    position = whole.length - (pressed.proven - pressed.at)
    for hertz in (CUSTOMER, AGENT):
        there = stretches(wav, hertz)
        # The control: without it, silence would prove nothing.
        assert any(begin <= position - 1.2 and end >= position - 0.6 for begin, end in there)
        assert max(end for _, end in there) <= position + ALLOWED
    assert wav_levels.sound_in(whole, position + ALLOWED, whole.length) == []


async def frozen(wav: Path) -> None:
    """Hold that a file does not grow any more, 500 ms after the press."""
    await asyncio.sleep(0.5)
    size = wav.stat().st_size
    await asyncio.sleep(BLOCK)
    assert wav.stat().st_size == size


@pytest.mark.parametrize("release", ["22", "16"])
async def test_the_recording_on_the_customers_leg_holds_no_tone_after_the_agents_press(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        talk = await here.talk()
        received = here.asterisks.farm.monitor / f"received-{release}.wav"
        await here.farm.action(
            "MixMonitor", Channel=talk.caller, File="", Options=f"r({received.name})"
        )
        await asyncio.sleep(2.0)
        pressed = await press(here, talk)
        wav = here.asterisks.pbx.monitor / f"{talk.calling['Uniqueid']}.wav"
        await frozen(wav)

        assert pressed.outcome == Outcome.CONFIRMED
        assert pressed.took <= in_time(1.5)
        hold_the_promise(wav, pressed)
        # What the customer's phone received: the agent, but for the time of the prompt.
        await here.farm.action("StopMixMonitor", Channel=talk.caller)
        await asyncio.sleep(0.3)
        heard = [one for one in stretches(received, AGENT) if one[1] - one[0] > 0.5]
        missed = [after[0] - before[1] for before, after in pairwise(heard)]
        assert length(received) - heard[-1][1] <= in_time(0.2)
        assert all(gap <= INTERRUPTED for gap in missed)


@pytest.mark.parametrize("release", ["22", "16"])
async def test_the_recording_on_the_agents_own_leg_ends_alike_and_no_other_appears(
    site: SiteMaker, release: str
) -> None:
    async with site(release, more=LOCAL_ONLY) as here:
        talk = await here.talk("211")
        name = f"agent-{talk.answering['Uniqueid']}.wav"
        await here.pbx.action(
            "MixMonitor", Channel=talk.answering["Uniqueid"], File=name, Options=""
        )
        before = {path.name for path in here.asterisks.pbx.monitor.iterdir()}
        await asyncio.sleep(2.0)
        pressed = await press(here, talk)
        await frozen(here.asterisks.pbx.monitor / name)

        assert pressed.outcome == Outcome.CONFIRMED
        hold_the_promise(here.asterisks.pbx.monitor / name, pressed)
        assert {path.name for path in here.asterisks.pbx.monitor.iterdir()} == before | {name}
        assert len(here.pbx.named("MixMonitorStart")) == 1


async def test_a_press_on_a_call_that_nobody_records_makes_no_recording_and_mutes_nobody(
    site: SiteMaker,
) -> None:
    async with site("22", more=LOCAL_ONLY) as here:
        talk = await here.talk("211")
        received = here.asterisks.farm.monitor / "received-unrecorded.wav"
        await here.farm.action(
            "MixMonitor", Channel=talk.caller, File="", Options=f"r({received.name})"
        )
        before = {path.name for path in here.asterisks.pbx.monitor.iterdir()}
        await here.people.press(talk.callee, "*1")
        [summary] = await here.daemon.verdicts()
        await asyncio.sleep(BLOCK)
        await here.farm.action("StopMixMonitor", Channel=talk.caller)
        await asyncio.sleep(0.3)

        assert summary.outcome == Outcome.NOTHING_TO_STOP
        assert {path.name for path in here.asterisks.pbx.monitor.iterdir()} == before
        assert not here.pbx.named("MixMonitorStart")
        assert not here.pbx.named("MixMonitorMute")
        # The agent is heard at the end as at the beginning.
        there = stretches(received, AGENT)
        assert there[0][0] <= in_time(0.3)
        assert length(received) - there[-1][1] <= in_time(0.2)
