# SPDX-License-Identifier: Apache-2.0
"""Late tones, lamps and desktop events on real Asterisks: who hears what, and what is left behind.

Every phone records what it hears; the prompts' notes are looked for there by Goertzel.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import zip_longest
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ami.calls.channel_names import parse
from ami.pbx import Pbx
from ami.settings import AmiSettings
from bridges.model import Evidence, Outcome, Verb
from lab.pbx import audio
from lab.pbx.ports import free_tcp
from lab.pbx.second_ami import Packet, SecondAmi
from lab.pbx_with_phones import TONES, PbxWithPhones, People, build, example, is_event
from offrecord.config.sections.notify import TellConfig
from offrecord.model.outcome_codes import OWN_SOUNDS
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.notify import prompt_sounds
from offrecord.notify.notifier import Notifier
from tests.kits.pace import in_time
from tests.kits.prompt_kit import pattern
from tests.kits.waiting import eventually, patience

SOUNDS = Path(__file__).parents[2] / "sounds"
SIREN = (1760, 1109)
"""The notes of `failed`; no phone of the laboratory sounds them."""
GERMAN = 2600
LOUD = 1500
ACCOUNTS = {
    "plain": "call,reporting",
    "granted": "call,reporting,originate,user",
}


def pbx_with_snippet(release: str) -> PbxWithPhones:
    """Return a PBX that is not started, with the shipped snippet and two accounts."""
    made = build(release, fastagi=f"127.0.0.1:{free_tcp()}", features="features.conf", label="tell")
    files = made.pbx.files
    if "extensions-tell.conf" not in files:
        files["extensions-tell.conf"] = example("extensions-tell.conf")
        files["extensions.conf"] += "\n#include extensions-tell.conf\n"
    for name, write in ACCOUNTS.items():
        files["manager.conf"] += f"[{name}]\nsecret=lab\nread=call,user\nwrite={write}\n"
    common = made.pbx._common_files()["asterisk.conf"]
    own = f"astdatadir => {made.pbx.inside}-data"
    files["asterisk.conf"] = common.replace("astdatadir => /usr/share/asterisk", own)
    return made


def lay_data(asterisks: PbxWithPhones) -> Path:
    """Make a data folder whose sounds are the shipped ones beside Asterisk's own.

    They lie where the guide says; one of them is replaced for German phones.
    """
    folder = asterisks.pbx.root.with_name(f"{asterisks.pbx.root.name}-data")
    folder.mkdir()
    for path in (asterisks.pbx.chroot / "usr/share/asterisk").iterdir():
        if path.name != "sounds":
            (folder / path.name).symlink_to(f"/usr/share/asterisk/{path.name}")
    sounds = folder / "sounds"
    shutil.copytree(SOUNDS / "offrecord", sounds / "offrecord")
    (sounds / "en").symlink_to("/usr/share/asterisk/sounds/en")
    german = sounds / "de" / "offrecord"
    german.mkdir(parents=True)
    (german / "failed.wav").write_bytes(prompt_sounds.wav([prompt_sounds.Note(GERMAN, 0.6)]))
    return folder


@pytest.fixture(scope="module")
def tell_pbx_of() -> Iterator[Callable[[str], PbxWithPhones]]:
    with ExitStack() as stack:
        running: dict[str, PbxWithPhones] = {}

        def get(release: str) -> PbxWithPhones:
            if release not in running:
                made = running[release] = pbx_with_snippet(release)
                stack.callback(shutil.rmtree, lay_data(made))
                stack.callback(made.stop)
                made.start()
            return running[release]

        yield get


class Scene:
    """A call of 410 and 411 on a PBX, with a teller that is linked to it."""

    def __init__(
        self, asterisks: PbxWithPhones, tap: SecondAmi, farm: SecondAmi, pbx: Pbx, teller: Notifier
    ) -> None:
        self.asterisks, self.tap, self.farm, self.pbx, self.teller = (
            asterisks,
            tap,
            farm,
            pbx,
            teller,
        )
        self.people = People(farm)
        self.phones: dict[str, str] = {}
        self.legs: dict[str, Packet] = {}

    async def talk(self) -> None:
        """Let 410 call 411; each phone keeps what it hears."""
        mark, since = self.people.now, len(self.tap.events)
        self.phones["410"] = await self.people.call("410", "411")
        self.phones["411"] = await self.people.answered(mark)
        for phone, channel in self.phones.items():
            _, self.legs[phone] = await self.tap.wait_for(
                lambda p, phone=phone: (
                    p.get("Event") == "BridgeEnter"  # type: ignore[misc]
                    and parse(p["Channel"]).endpoint == phone
                ),
                since=since,
            )
            answer = await self.farm.action(
                "MixMonitor", Channel=channel, File=f"{phone}-both.wav", Options=f"r({phone}.wav)"
            )
            assert answer["Response"] == "Success"
        await eventually(lambda: all(self.pbx.graph.live_on(phone) for phone in self.phones))
        await asyncio.sleep(0.3)

    def press(self, phone: str, **changes: str) -> Press:
        leg = self.legs[phone]
        given = {"uniqueid": leg["Uniqueid"], "channel": leg["Channel"], **changes}
        return Press("p1", Verb.STOP, "keypad", leg["Uniqueid"], 1, 1.0, agent="fred", **given)  # type: ignore[arg-type]

    def whisper(self, phone: str, outcome: Outcome = Outcome.FAILED, **changes: str) -> None:
        press = self.press(phone, **changes)
        told = Verdict("p1", Verb.STOP, outcome, Evidence.NONE, "why", 0.1, "1.1")
        self.teller.verdict(press, told, press.channel, False)

    async def until_lost(self, count: int) -> None:
        """Wait until so many whispers were not played, and the reason is known."""
        await eventually(lambda: self.teller.lost["whisper"] >= count)
        await asyncio.sleep(0.3)

    async def names(self) -> list[str]:
        return sorted(row["Channel"] for row in await self.tap.channels())

    async def spied(self, since: int, *, start: bool = False) -> tuple[float, Packet]:
        return await self.tap.wait_for(
            is_event("ChanSpyStart" if start else "ChanSpyStop"), since=since
        )

    async def over(self) -> None:
        """Hang up, and wait until no channel is left."""
        await self.people.hang_up_all()
        await self.none_left()

    async def none_left(self) -> None:
        async def left() -> bool:
            return not await self.names()

        await eventually(left, "no channel is left", every=0.02)

    def heard(self, phone: str, *hertz: int, window: float = 0.1) -> list[bool]:
        """Return for each window of so many seconds whether a phone heard one of some notes."""
        return of(self.asterisks.farm.monitor / f"{phone}.wav", *hertz, window=window)

    def recorded(self, phone: str, *hertz: int) -> list[bool]:
        """Return the same for the PBX's own recording on that phone's channel."""
        return of(self.asterisks.pbx.monitor / f"{self.legs[phone]['Uniqueid']}.wav", *hertz)

    def hint(self, extension: str) -> str:
        """Return the state of an extension's lamp as the PBX would notify a phone of it."""
        shown = self.asterisks.pbx.console("core show hints")
        [line] = [row for row in shown.splitlines() if row.strip().startswith(f"*94{extension}")]
        return line.split("State:")[1].split()[0]

    async def lamp(self, extension: str) -> str:
        answer = await self.tap.action(
            "ExtensionState", Exten=f"*94{extension}", Context="offrecord-lamps"
        )
        return answer["StatusText"]

    async def lamp_is(self, extension: str, text: str) -> None:

        async def shown() -> bool:
            return await self.lamp(extension) == text

        await eventually(shown, f"the lamp of {extension} is {text}", every=0.02)


def of(path: Path, *hertz: int, window: float = 0.1) -> list[bool]:
    notes = [audio.heard(path, each, window=window, threshold=LOUD) for each in hertz]
    return [any(together) for together in zip(*notes, strict=True)]


@asynccontextmanager
async def linked(asterisks: PbxWithPhones, account: str) -> AsyncIterator[Pbx]:
    settings = AmiSettings(
        username=account,
        secret="lab",
        port=asterisks.pbx.ami_port,
        user_events=True,
        probe_timeout=0,
    )
    pbx = Pbx(settings)
    running = asyncio.create_task(pbx.run())
    try:
        assert await pbx.wait_known(patience())
        yield pbx
    finally:
        await pbx.close()
        await running


@asynccontextmanager
async def scene(
    asterisks: PbxWithPhones, account: str = "granted", **settings: object
) -> AsyncIterator[Scene]:
    refresh = settings.pop("refresh", 15.0)
    given = TellConfig.model_validate({"whisper": True, "event": True, **settings})
    async with (
        SecondAmi(asterisks.pbx.ami_port) as tap,
        SecondAmi(asterisks.farm.ami_port) as farm,
        linked(asterisks, account) as pbx,
    ):
        teller = Notifier(pbx, given, OWN_SOUNDS, refresh=refresh)  # type: ignore[arg-type]
        pbx.subscribe(teller.event)
        teller.open()
        made = Scene(asterisks, tap, farm, pbx, teller)
        try:
            yield made
        finally:
            await teller.close()
            await made.people.hang_up_all()


BOTH = pytest.mark.parametrize("release", ["22", "16"])


@BOTH
async def test_a_whisper_is_heard_by_the_presser_alone_and_leaves_nothing_behind(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    async with scene(tell_pbx_of(release)) as here:
        await here.talk()
        before = await here.names()
        for phone in ("410", "411"):
            since = len(here.tap.events)
            here.whisper(phone)
            asked = asyncio.get_running_loop().time()
            _, started = await here.spied(since, start=True)
            assert started["SpyeeChannel"] == here.legs[phone]["Channel"]
            at, _ = await here.spied(since)
            assert 0.9 < at - asked < in_time(2)
            await here.tap.wait_for(is_event("Hangup", Uniqueid=started["SpyerUniqueid"]))
            await asyncio.sleep(0.3)
            assert await here.names() == before
            await asyncio.sleep(0.7)
        await here.over()

        for phone, other in (("410", "411"), ("411", "410")):
            # the whole siren, 0.86 s, is in this phone's ear once
            assert 0.8 < 0.02 * sum(here.heard(phone, *SIREN, window=0.02)) < 0.9
            # and the other party all the while: at most the windows at both ends are cut
            assert sum(not there for there in here.heard(phone, TONES[other])) <= 2
        # The recording of 410's channel holds both parties and nothing of either whisper.
        assert not any(here.recorded("410", *SIREN))
        for party in ("410", "411"):
            talk = here.recorded("410", TONES[party])
            assert sum(talk) > len(talk) - 6
        # The second whisper was 411's: each siren was heard by one phone at a time.
        first, second = (here.heard(phone, *SIREN).index(True) for phone in ("410", "411"))
        assert second - first > 10
        assert not here.teller.lost
        log = here.asterisks.pbx.log.read_text()
        problems = [
            line
            for line in log.splitlines()
            if "offrecord-tell" in line and ("WARNING" in line or "ERROR" in line)
        ]
        assert not problems


@BOTH
async def test_a_call_that_ends_in_the_middle_of_a_whisper_leaves_no_channel(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    async with scene(tell_pbx_of(release)) as here:
        here.teller.sounds = {Outcome.FAILED: ("offrecord/failed",) * 4}
        await here.talk()
        since = len(here.tap.events)
        here.whisper("410")
        await here.spied(since, start=True)
        await asyncio.sleep(0.4)
        assert len(await here.names()) == 4
        await here.people.hang_up(here.phones["411"])
        await here.spied(since)
        await here.none_left()


@BOTH
async def test_a_channel_that_is_not_the_pressers_any_more_hears_nothing(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    async with scene(tell_pbx_of(release)) as here:
        await here.talk()
        before, since = await here.names(), len(here.tap.events)
        here.whisper("410", uniqueid="1.999")
        gone = f"{here.asterisks.technology}/410-00ffff00"
        here.whisper("411", uniqueid="1.998", channel=gone)
        for _ in range(2):
            told = await here.tap.wait_for(is_event("OriginateResponse"), since=since)
            assert told[1]["Response"] == "Failure"
            since = here.tap.events.index(told, since) + 1
        await asyncio.sleep(0.2)
        assert await here.names() == before
        assert not here.tap.named("ChanSpyStart")
        await here.over()
        assert not any(here.heard("410", *SIREN))


@BOTH
@pytest.mark.parametrize(
    "what", ["context offrecord-tell", "extension whisper@offrecord-tell"], ids=["all", "half"]
)
async def test_a_context_that_is_missing_is_noticed_once_and_a_presser_who_left_is_not(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str, what: str
) -> None:
    async with scene(tell_pbx_of(release), event=False) as here:
        await here.talk()
        with capture_logs() as logs:
            here.whisper("410", uniqueid="1.1")  # this channel has another one by now
            await here.until_lost(1)
            here.asterisks.pbx.console(f"dialplan remove {what}")
            try:
                here.whisper("410")
                await here.until_lost(2)
                here.whisper("411")
                await here.until_lost(3)
            finally:
                here.asterisks.pbx.console("dialplan reload")
        lines = [line for line in logs if line["event"] == "whisper_not_played"]
        [warned] = [line for line in lines if line["log_level"] == "warning"]
        assert warned["problem"] == "the dialplan lacks whisper@offrecord-tell"
        assert "extensions-tell.conf" in warned["fix"]
        assert [line["log_level"] for line in lines].count("debug") == 1


@BOTH
async def test_a_missing_file_is_silence_and_no_channel_is_left(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    async with scene(tell_pbx_of(release)) as here:
        here.teller.sounds = {Outcome.FAILED: ("offrecord/nowhere",)}
        await here.talk()
        before, since = await here.names(), len(here.tap.events)
        here.whisper("410")
        await here.spied(since)
        await asyncio.sleep(0.2)
        assert await here.names() == before
        assert "offrecord/nowhere does not exist" in here.asterisks.pbx.log.read_text()


@BOTH
async def test_a_prompt_is_replaced_for_one_language_by_its_folder(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    async with scene(tell_pbx_of(release)) as here:
        await here.talk()
        for phone, language in (("410", "de"), ("411", "fr")):
            channel = here.legs[phone]["Channel"]
            await here.tap.action(
                "Setvar", Channel=channel, Variable="CHANNEL(language)", Value=language
            )
            since = len(here.tap.events)
            here.whisper(phone)
            await here.spied(since)
        await asyncio.sleep(0.3)
        await here.over()

        assert 5 <= sum(here.heard("410", GERMAN)) <= 7
        assert not any(here.heard("410", *SIREN))
        assert sum(here.heard("411", *SIREN)) >= 8  # no folder `fr`: the one for every language


@BOTH
async def test_a_lamp_is_seen_by_a_phone_that_watches_it(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    async with scene(tell_pbx_of(release), "plain", whisper=False, event=False) as here:
        await here.talk()
        # A first look makes a hint of the pattern, as a phone's subscription does.
        await here.lamp_is("410", "Idle")
        since = len(here.tap.events)
        for state, text, shown in (
            ("stopped", "InUse", "InUse"), ("failed", "Ringing", "Ringing"),
            ("paused", "InUse", "InUse"), ("off", "Idle", "Idle"), ("failed", "Ringing", "Ringing"),
        ):  # fmt: skip
            here.teller.state("410", state)
            await here.lamp_is("410", text)
            assert here.hint("410") == shown
        await here.people.hang_up(here.phones["411"])
        await here.lamp_is("410", "Idle")
        told = [
            p["StatusText"] for _, p in here.tap.events[since:]
            if p.get("Event") == "ExtensionStatus" and p["Exten"] == "*94410"
        ]  # fmt: skip
        assert told[-6:] == ["InUse", "Ringing", "InUse", "Idle", "Ringing", "Idle"]
        assert not here.teller.lost


@BOTH
async def test_lamps_do_not_outlive_the_calls_over_restarts_of_pbx_and_daemon(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    asterisks = tell_pbx_of(release)
    async with SecondAmi(
        asterisks.pbx.ami_port
    ) as tap:  # what a daemon that was killed leaves behind
        for device in ("offrecord-412", "DND412"):
            await tap.action("Setvar", Variable=f"DEVICE_STATE(Custom:{device})", Value="RINGING")
    async with scene(asterisks, "plain", whisper=False, event=False, refresh=0.3) as here:
        await here.lamp_is("412", "Idle")
        assert "RINGING" in asterisks.pbx.console("database show CustomDevstate/DND412")
        await here.talk()
        here.teller.state("410", "failed")
        await here.lamp_is("410", "Ringing")
        await asyncio.to_thread(asterisks.restart_pbx)
        await here.people.hang_up_all()
        async with SecondAmi(asterisks.pbx.ami_port) as here.tap:
            await here.lamp_is("410", "Idle")


@BOTH
async def test_a_verdict_is_raised_as_an_event_for_desktops(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    async with scene(tell_pbx_of(release), whisper=False) as here:
        await here.talk()
        here.whisper("410", Outcome.CONFIRMED)
        _, event = await here.tap.wait_for(is_event("UserEvent", UserEvent="offrecord-verdict"))
        leg = here.legs["410"]
        expected = {
            "Press": "p1", "Verb": "stop", "Outcome": "confirmed", "Evidence": "-",
            "Channel": leg["Channel"], "Uniqueid": leg["Uniqueid"], "Extension": "410",
            "Agent": "fred",
        }  # fmt: skip
        assert {key: event[key] for key in expected} == expected
        assert len(await here.names()) == 2


@BOTH
async def test_without_the_privileges_nothing_happens_and_it_is_counted(
    tell_pbx_of: Callable[[str], PbxWithPhones], release: str
) -> None:
    async with scene(tell_pbx_of(release), "plain") as here:
        await here.talk()
        here.whisper("410")
        await eventually(lambda: here.teller.lost == {"whisper": 1, "event": 1})
        assert len(await here.names()) == 2
        here.teller.state("410", "stopped")  # the lamp asks for no more than call
        await here.lamp_is("410", "InUse")


def test_the_prompts_are_unlike_the_beeps_of_asterisk(
    tell_pbx_of: Callable[[str], PbxWithPhones],
) -> None:
    asterisks = tell_pbx_of("22")
    for name in ("beep", "beeperr", "ascending-2tone", "descending-2tone"):
        target = f"{asterisks.pbx.inside}/spool/{name}.wav"
        source = f"/usr/share/asterisk/sounds/en/{name}.gsm"
        said = asterisks.pbx.console(f"file convert {source} {target}")
        path = asterisks.pbx.root / "spool" / f"{name}.wav"
        assert path.stat().st_size > 44, said
        stock = pattern(audio.samples(path), floor=800)
        assert any(stock), name
        for outcome, notes in prompt_sounds.PROMPTS.items():
            pairs = zip_longest(stock, pattern(prompt_sounds.samples(notes)), fillvalue=0)
            sounding = [(one, other) for one, other in pairs if one or other]
            alike = sum(one == other for one, other in sounding) / len(sounding)
            assert alike < 0.25, (name, outcome, alike)
