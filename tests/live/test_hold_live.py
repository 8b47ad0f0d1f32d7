# SPDX-License-Identifier: Apache-2.0
"""A call held while a recorder does not obey, on real Asterisks: who hears what, and who talks."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Outcome
from lab.pbx.audio import heard
from lab.pbx.ports import free_tcp
from lab.pbx_with_phones import TONES, PbxWithPhones, build, example
from lab.site import LabSite
from offrecord import journal
from offrecord.notify import prompt_sounds
from tests.kits.waiting import eventually

MUSIC = 2600
BOTH = pytest.mark.parametrize("release", ["22", "16"])


@pytest.fixture(scope="module")
def hold_pbx_of() -> Iterator[Callable[[str], PbxWithPhones]]:
    """Return what starts a PBX with the shipped snippet, music, and an account that may play it."""
    with ExitStack() as stack:
        running: dict[str, PbxWithPhones] = {}

        def get(release: str) -> PbxWithPhones:
            if release not in running:
                made = build(
                    release, fastagi=f"127.0.0.1:{free_tcp()}", features="features.conf",
                    label="hold",
                )  # fmt: skip
                files = made.pbx.files
                if "extensions-tell.conf" not in files:
                    files["extensions-tell.conf"] = example("extensions-tell.conf")
                    files["extensions.conf"] += "\n#include extensions-tell.conf\n"
                files["manager.conf"] += (
                    "[holding]\nsecret=lab\nread=call,dtmf,user\n"
                    "write=call,reporting,originate\nwritetimeout=5000\n"
                )
                stack.callback(made.stop)
                made.start()
                music = made.pbx.root / "music.wav"
                music.write_bytes(prompt_sounds.wav([prompt_sounds.Note(MUSIC, 5.0)]))
                made.pbx.share(music)
                running[release] = made
            return running[release]

        yield get


def holding(
    asterisks: PbxWithPhones, folder: Path, account: str = "holding", **retry: Any
) -> LabSite:
    """Lay a site whose only recorder is the Noojee server; the dialplan's recording goes on."""
    secret = folder / "hold.secret"
    secret.write_text("lab\n")
    secret.chmod(0o600)
    more: dict[str, Any] = {
        "routes": {"default": ["noojee"]},
        "retry": {
            "fallback": ["hold_music"], "hold_sounds": [f"{asterisks.pbx.inside}/music"], **retry,
        },
    }  # fmt: skip
    if account == "holding":
        more["ami"] = {"username": account, "secret": {"file": str(secret)}}
    return LabSite(asterisks, folder, more=more)


async def kinds(here: LabSite, press: str, kind: str) -> list[dict[str, Any]]:
    found = await asyncio.to_thread(journal.show, here.daemon.journal, press)
    return [dict(one.body) for one in found if one.kind == kind]


async def noted(here: LabSite, press: str, kind: str) -> dict[str, Any]:
    """Wait for the first record of a kind."""
    found = await eventually(lambda: kinds(here, press, kind), f"{press} has a {kind!r}")
    return found[0]


class Ears:
    """What both phones heard and the PBX recorded, from one moment of the call on."""

    def __init__(self, here: LabSite, uniqueid: str, phones: dict[str, str]) -> None:
        self.here, self.phones = here, phones
        self.recording = here.asterisks.pbx.monitor / f"{uniqueid}.wav"

    async def begin(self) -> None:
        for phone, channel in self.phones.items():
            await self.here.farm.action(
                "MixMonitor", Channel=channel, File=f"{phone}-all.wav", Options=f"r({phone}.wav)"
            )

    def of(self, phone: str, hertz: float) -> list[bool]:
        return heard(self.here.asterisks.farm.monitor / f"{phone}.wav", hertz)


async def up(here: LabSite) -> list[str]:
    rows = await here.pbx.channels()
    return sorted(r["Channel"] for r in rows if not r["Channel"].startswith("Local/"))


@BOTH
async def test_the_customer_hears_music_and_nobody_is_recorded_until_the_recorder_obeys(
    hold_pbx_of: Callable[[str], PbxWithPhones], release: str, tmp_path: Path
) -> None:
    async with holding(hold_pbx_of(release), tmp_path) as here:
        talk = await here.talk()
        before = await up(here)
        ears = Ears(here, talk.calling["Uniqueid"], {"410": talk.caller, "411": talk.callee})
        await ears.begin()
        here.noojee.faults.add("status=503@stop")
        await asyncio.sleep(1.0)
        await here.people.press(talk.callee, "*1")
        [press] = await here.daemon.verdicts()
        held = await noted(here, press.press, "fallback")
        await asyncio.sleep(6.0)
        assert await up(here) == before
        here.noojee.faults.clear()
        assert (await noted(here, press.press, "rejoined"))["why"] == "solved"
        await asyncio.sleep(4.5)  # Asterisk writes a recording in blocks of two seconds
        after = await up(here)
        rest = [r["Channel"] for r in await here.pbx.channels()]
        spoken = [heard(ears.recording, TONES[phone]) for phone in ("410", "411")]
        caller, music = ears.of("410", TONES["411"]), ears.of("410", MUSIC)
        callee = ears.of("411", TONES["410"])
        leak = heard(ears.recording, MUSIC)

        assert press.outcome == Outcome.FAILED
        assert (held["action"], held["outcome"]) == ("hold_music", "contained")
        assert held["detail"] == "nobody is heard"
        assert after == before == sorted(rest)
        # The recording that was not stopped got nothing to hear, from either of them.
        silent = [not any(both) for both in zip(*spoken, strict=True)]
        assert sum(silent) >= 40
        assert all(silent[silent.index(True) : silent.index(True) + 40])
        assert not any(silent[-10:])
        assert not any(leak)
        assert sum(music) >= 40
        first, last = music.index(True), len(music) - music[::-1].index(True)
        assert not any(caller[first + 2 : last - 2])
        assert all(caller[-10:])
        assert all(callee[-10:])
        assert not any(music[-10:])
        assert callee[first + 2 : last - 2].count(True) == 0


@BOTH
async def test_pressed_again_both_talk_again_although_the_recorder_still_fails(
    hold_pbx_of: Callable[[str], PbxWithPhones], release: str, tmp_path: Path
) -> None:
    async with holding(hold_pbx_of(release), tmp_path, account="offrecord") as here:
        talk = await here.talk()
        before = await up(here)
        ears = Ears(here, talk.calling["Uniqueid"], {"410": talk.caller, "411": talk.callee})
        await ears.begin()
        here.noojee.faults.add("status=503@stop")
        await here.people.press(talk.callee, "*1")
        [press] = await here.daemon.verdicts()
        held = await noted(here, press.press, "fallback")
        await asyncio.sleep(4.0)  # later than `press.join_window`: a new press
        quiet = ears.of("410", TONES["411"])[-10:]
        await here.people.press(talk.callee, "*1")
        why = (await noted(here, press.press, "rejoined"))["why"]
        await asyncio.sleep(4.5)

        # Without write = originate nobody is heard all the same.
        assert held["outcome"] == "contained"
        assert "write = originate" in held["detail"]
        assert not any(quiet)
        assert why == "superseded"
        assert await up(here) == before
        assert all(ears.of("410", TONES["411"])[-8:])
        assert all(ears.of("411", TONES["410"])[-8:])


async def test_a_daemon_that_was_killed_joins_the_call_when_it_is_back(
    hold_pbx_of: Callable[[str], PbxWithPhones], tmp_path: Path
) -> None:
    async with holding(hold_pbx_of("22"), tmp_path, hold_longest=8.0) as here:
        talk = await here.talk()
        ears = Ears(here, talk.calling["Uniqueid"], {"410": talk.caller, "411": talk.callee})
        await ears.begin()
        here.noojee.faults.add("status=503@stop")
        await here.people.press(talk.callee, "*1")
        [press] = await here.daemon.verdicts()
        await noted(here, press.press, "fallback")
        await here.daemon.stop(9)
        await here.daemon.start()
        await here.known()
        await noted(here, press.press, "rejoined")
        await asyncio.sleep(4.5)

        assert all(ears.of("410", TONES["411"])[-8:])
        assert all(ears.of("411", TONES["410"])[-8:])
        assert not any(ears.of("410", MUSIC)[-8:])
