# SPDX-License-Identifier: Apache-2.0
"""Who listens to a call, on real Asterisks: named, believed or hung up; judged by the files.

The account is the shipped one, but where our own whispers need `originate`.
"""

import asyncio
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ami.calls.snapshots import Call
from ami.pbx import Pbx
from ami.settings import AmiSettings
from bridges.asterisk.look import PbxLook, look
from bridges.asterisk.ways.applications import Applications
from bridges.asterisk.ways.listeners import recording_listeners
from bridges.asterisk.ways.taps import Taps, TapSettings
from bridges.asterisk.ways.way import Sweep, Way, WayReport, WayState
from bridges.model import Order, Outcome, Verb
from lab.pbx import audio
from lab.pbx.cuttable_link import CuttableLink
from lab.pbx.second_ami import Packet, SecondAmi
from lab.pbx_with_phones import AMI_SECRET, ARI_SECRET, TONES, PbxWithPhones, People, example
from offrecord.enforcement.call_mute import CallMute
from offrecord.journal import show
from offrecord.notify import prompt_sounds
from offrecord.notify.late_tone import Whispers
from tests.kits.live_kit import SiteMaker

BOTH = pytest.mark.parametrize("release", ["22", "16"])
PbxOf = Callable[[str], PbxWithPhones]


@dataclass(slots=True)
class Scene:
    """A PBX with phones, and a link of ours to it. `people` are at the phones."""

    asterisks: PbxWithPhones
    tap: SecondAmi
    people: People
    pbx: Pbx

    def device(self, phone: str) -> str:
        return f"{self.asterisks.technology}/{phone}"

    async def talk(self) -> None:
        """Let 410 call 411: no recording, no code."""
        mark = self.people.now
        await self.people.call("410", "711")
        await self.people.answered(mark)
        await until(lambda: all(self.bridged(phone) for phone in ("410", "411")))

    def bridged(self, phone: str) -> bool:
        return any(one.bridge_id for one in self.pbx.graph.live_on(phone))

    @property
    def call(self) -> Call:
        return self.call_of("410")

    def call_of(self, phone: str) -> Call:
        [leg] = self.pbx.graph.live_on(phone)
        call = self.pbx.graph.call_of(leg.uniqueid)
        assert call is not None
        return call

    async def originate(self, channel: str, **fields: str) -> None:
        answer = await self.tap.action(
            "Originate", Channel=channel, Async="true", Timeout="10000", **fields
        )
        assert answer["Response"] == "Success"

    async def listen(self, exten: str, *, heard: bool = True) -> Packet:
        """Let the supervisor at 412 listen; return the event that says so."""
        since = len(self.tap.events)
        await self.originate(
            self.device("412"), Context="lab-supervisors", Exten=exten, Priority="1"
        )
        _, packet = await self.tap.wait_for(lambda p: p.get("Event") == "ChanSpyStart", since=since)
        if heard:
            await until(lambda: any(one.listeners for one in self.call.channels))
        return packet

    async def ask(self, way: Way, verb: Verb = Verb.STOP, *, phone: str = "410") -> WayReport:
        seen = await look(self.pbx)
        assert not seen.problem
        order = Order("p", verb, self.call_of(phone))
        sweep = Sweep(self.pbx, order, seen, time.time, asyncio.sleep)
        return await (way.pause(sweep) if verb is Verb.PAUSE else way.stop(sweep))

    async def ari(self, method: str, path: str, **query: str) -> Any:
        url = f"http://127.0.0.1:{self.asterisks.ari_port}/ari{path}"
        async with httpx.AsyncClient(auth=("lab", ARI_SECRET), timeout=10) as client:
            answer = await client.request(method, url, params=query)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


async def until(true: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


async def grows(path: Path, seconds: float = 2.5) -> bool:
    """Return whether a file is written to within some seconds: one of 16 bits is every 2.04 s."""
    before = path.stat().st_size
    try:
        await until(lambda: path.stat().st_size > before, seconds)
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def scene(
    asterisks: PbxWithPhones, account: str = "offrecord", port: int | None = None
) -> AsyncIterator[Scene]:
    settings = AmiSettings(
        username=account,
        secret=AMI_SECRET if account == "offrecord" else "lab",
        port=port or asterisks.pbx.ami_port,
        probe_timeout=0,
    )
    async with (
        SecondAmi(asterisks.pbx.ami_port) as tap,
        SecondAmi(asterisks.farm.ami_port) as farm,
    ):
        pbx, people = Pbx(settings), People(farm)
        await people.hang_up_all()
        running = asyncio.create_task(pbx.run())
        try:
            assert await pbx.wait_known(10)
            yield Scene(asterisks, tap, people, pbx)
        finally:
            await people.hang_up_all()
            await tap.action("Hangup", Channel="/.*/")
            async with asyncio.timeout(10):
                while await tap.channels():
                    await asyncio.sleep(0.02)
            await pbx.close()
            await running


@BOTH
async def test_a_supervisor_who_listens_is_named_and_one_less_is_not(
    pbx_of: PbxOf, release: str
) -> None:
    async with scene(pbx_of(release)) as here:
        await here.talk()
        assert (await here.ask(Taps())).state is WayState.NOTHING
        spying = await here.listen("411")
        report = await here.ask(Taps())
        assert report.state is WayState.RECORDS
        device = here.device("412")
        said = f"{device} (412) listens by ChanSpy"
        assert report.detail == f"{said}; whether that is recorded cannot be told"
        for named in (
            TapSettings(extensions=("412",), hang_up=True),
            TapSettings(contexts=("lab-super*",)),
        ):
            report = await here.ask(Taps(named))
            assert (report.state, report.detail) == (
                WayState.NOTHING,
                f"{said}, as [taps] names it",
            )
        await here.tap.action("Hangup", Channel=spying["SpyerUniqueid"])
        await until(lambda: not any(one.listeners for one in here.call.channels))
        assert (await here.ask(Taps())).state is WayState.NOTHING


@BOTH
@pytest.mark.parametrize("verb", [Verb.STOP, Verb.PAUSE])
async def test_a_spy_that_records_is_ended_by_hanging_it_up(
    pbx_of: PbxOf, release: str, verb: Verb
) -> None:
    async with scene(pbx_of(release)) as here:
        await here.talk()
        folder = here.asterisks.pbx.monitor
        for old in folder.glob("spy-*"):
            old.unlink()
        await here.listen("6411")
        await until(lambda: any(folder.glob("spy-*")))
        [file] = folder.glob("spy-*")
        report = await here.ask(Taps(TapSettings(extensions=("412",))), verb)
        assert report.state is WayState.RECORDS
        assert "records it, by the option r" in report.detail
        assert await grows(file)

        report = await here.ask(Taps(TapSettings(hang_up=True)), verb)
        assert report.state is WayState.STOPPED
        assert not await grows(file)
        assert here.bridged("410")
        assert here.bridged("411")
        assert (await here.ask(Taps(), verb)).state is WayState.NOTHING


@BOTH
async def test_a_mixmonitor_on_the_supervisors_own_leg_is_stopped_with_the_call(
    pbx_of: PbxOf, release: str
) -> None:
    async with scene(pbx_of(release)) as here:
        await here.talk()
        spying = await here.listen("5411")
        file = here.asterisks.pbx.monitor / f"{spying['SpyerUniqueid']}.wav"
        assert await grows(file)
        named = Taps(TapSettings(extensions=("412",)))
        report = await here.ask(named)
        assert report.state is WayState.STOPPED
        assert report.detail.startswith(f"1 MixMonitor of {here.device('412')} (412), which")
        assert not await grows(file)
        # it held the parties until then, and the supervisor listens on
        assert any(audio.heard(file, TONES["411"]))
        assert (await here.ask(named)).state is WayState.NOTHING
        assert any(one.listeners for one in here.call.channels)


async def test_a_monitor_on_the_supervisors_own_leg_is_stopped_too(pbx_of: PbxOf) -> None:
    async with scene(pbx_of("16")) as here:
        await here.talk()
        spying = await here.listen("7411")
        files = here.asterisks.pbx.monitor
        name = f"listener-{spying['SpyerUniqueid']}"
        await until(lambda: any(files.glob(f"{name}*")))
        file = max(files.glob(f"{name}*"), key=lambda path: path.stat().st_size)
        assert await grows(file)
        report = await here.ask(Taps(TapSettings(extensions=("412",))))
        assert report.state is WayState.STOPPED
        assert report.detail.startswith("1 Monitor of who listens stopped;")
        assert not await grows(file)


@BOTH
@pytest.mark.parametrize(
    ("taps", "outcome", "heard"),
    [
        ({}, Outcome.FAILED, "whether that is recorded cannot be told"),
        ({"extensions": ["412"]}, Outcome.CONFIRMED, "as [taps] names it"),
        ({"on_stop": "hangup"}, Outcome.CONFIRMED, "was hung up"),
    ],
    ids=["unnamed", "named", "hung up"],
)
async def test_a_press_beside_a_supervisor_is_failed_unless_the_site_names_them(
    site: SiteMaker, release: str, taps: dict[str, object], outcome: Outcome, heard: str
) -> None:
    async with site(release, more={"routes": {"default": ["local"]}, "taps": taps}) as here:
        talk = await here.talk()
        device = f"{here.asterisks.technology}/412"
        await here.pbx.action(
            "Originate", Channel=device, Context="lab-supervisors", Exten="411",
            Priority="1", Async="true", Timeout="10000",
        )  # fmt: skip
        await here.pbx.wait_for(lambda p: p.get("Event") == "ChanSpyStart")
        await here.people.press(talk.caller, "*1")
        [press] = await here.daemon.verdicts()
        records = await asyncio.to_thread(show, here.daemon.journal, press.press)
        local = next(one.body for one in records if one.body.get("recorder") == "local")
        assert press.outcome == outcome
        assert f"{device} (412)" in local["detail"]
        assert heard in local["detail"]
        assert "1 MixMonitor stopped" in local["detail"]


@BOTH
@pytest.mark.parametrize(
    ("exten", "aimed"), [("411", True), ("700", False)], ids=["of 411", "of anybody"]
)
async def test_after_a_lost_link_a_spy_is_not_overlooked(
    pbx_of: PbxOf, release: str, exten: str, aimed: bool
) -> None:
    asterisks = pbx_of(release)
    async with (
        CuttableLink(asterisks.pbx.ami_port) as link,
        scene(asterisks, port=link.port) as here,
    ):
        await here.talk()
        await here.listen(exten)
        await link.cut()
        await until(lambda: not here.pbx.graph.known)
        await link.mend()
        assert await here.pbx.wait_known(10)
        report = await here.ask(Taps())
        assert report.state is WayState.NOT_SEEN
        said = f"{here.device('412')} (412) is in ChanSpy; whom it listens to is not known"
        assert report.detail == said
        report = await here.ask(Taps(TapSettings(contexts=("lab-supervisors",))))
        assert report.state is WayState.NOTHING
        found = recording_listeners(here.pbx.graph, here.call, await look(here.pbx))
        assert bool(found) is aimed
        report = await here.ask(Taps(TapSettings(hang_up=True)))
        assert report.state is WayState.STOPPED
        assert (await here.ask(Taps())).state is WayState.NOTHING


@BOTH
async def test_a_snoop_of_ari_is_named_and_ended(pbx_of: PbxOf, release: str) -> None:
    async with scene(pbx_of(release)) as here:
        await here.talk()
        # an application that nobody listens to: it lives for as long as this connection
        async with stasis(here):
            spied = here.pbx.graph.live_on("411")[0].uniqueid
            await here.ari("POST", f"/channels/{spied}/snoop", app="taps", spy="both")
            report = await here.ask(Taps())
            assert report.state is WayState.RECORDS
            assert report.detail.startswith(f"Snoop/{spied}-")
            assert "listens by a snoop of ARI" in report.detail
            assert (await here.ask(Taps(TapSettings(apps=("taps",))))).state is WayState.NOTHING
            assert (await here.ask(Taps(TapSettings(hang_up=True)))).state is WayState.STOPPED
            await until(lambda: not any(one.listeners for one in here.call.channels))
            assert (await here.ask(Taps())).state is WayState.NOTHING
            assert here.bridged("411")


@asynccontextmanager
async def stasis(here: Scene) -> AsyncIterator[None]:
    """Hold an ARI application `taps` of the site: a WebSocket, of which no event is read."""
    port = here.asterisks.ari_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /ari/events?app=taps&api_key=lab:{ARI_SECRET} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readline()
    try:
        yield
    finally:
        writer.close()


@BOTH
async def test_external_media_in_the_bridge_is_a_listener(pbx_of: PbxOf, release: str) -> None:
    async with scene(pbx_of(release)) as here, stasis(here):
        for phone in ("410", "411"):
            await here.originate(here.device(phone), Application="Stasis", Data="taps")
        await until(lambda: all(here.pbx.graph.live_on(phone) for phone in ("410", "411")))
        await until(lambda: all(
            here.pbx.graph.live_on(phone)[0].state == "Up" for phone in ("410", "411")
        ))  # fmt: skip
        bridge = (await here.ari("POST", "/bridges", type="mixing"))["id"]
        phones = [here.pbx.graph.live_on(phone)[0].uniqueid for phone in ("410", "411")]
        for one in phones:
            await here.ari("POST", f"/bridges/{bridge}/addChannel", channel=one)
        await until(lambda: len(here.call.channels) == 2)
        assert (await here.ask(Taps())).state is WayState.NOTHING
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
            sink.bind(("127.0.0.1", 0))
            sink.settimeout(0)
            media = await here.ari(
                "POST", "/channels/externalMedia", app="taps", format="ulaw",
                external_host=f"127.0.0.1:{sink.getsockname()[1]}",
            )  # fmt: skip
            await here.ari("POST", f"/bridges/{bridge}/addChannel", channel=media["id"])
            await until(lambda: len(here.call.channels) == 3)
            await until(lambda: receives(sink))
            report = await here.ask(Taps())
            assert report.state is WayState.RECORDS
            assert report.detail.startswith("UnicastRTP/127.0.0.1:")
            assert "listens as external media of ARI" in report.detail
            assert (await here.ask(Taps(TapSettings(apps=("taps",))))).state is WayState.NOTHING
            assert (await here.ask(Taps(TapSettings(hang_up=True)))).state is WayState.STOPPED
            while receives(sink):  # what was on its way
                pass
            await asyncio.sleep(0.3)
            assert not receives(sink)
        await here.ari("DELETE", f"/bridges/{bridge}")


def receives(sink: socket.socket) -> bool:
    try:
        return bool(sink.recv(2048))
    except BlockingIOError:
        return False


async def test_an_audiosocket_is_a_listener(pbx_of: PbxOf) -> None:
    async with scene(pbx_of("22")) as here:
        heard: list[int] = []

        async def bot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while block := await reader.read(4096):
                heard.append(len(block))
            writer.close()

        server = await asyncio.start_server(bot, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            leg = f"AudioSocket/127.0.0.1:{port}/{uuid.uuid4()}"
            await here.originate(here.device("410"), Application="Dial", Data=leg)
            await until(lambda: sum(heard) > 4000)
            await until(lambda: len(here.call.channels) == 2)
            report = await here.ask(Taps())
            assert report.state is WayState.RECORDS
            assert report.detail.startswith(f"AudioSocket/127.0.0.1:{port}-")
            await here.people.hang_up_all()


@BOTH
async def test_record_on_a_call_of_one_channel_is_named(pbx_of: PbxOf, release: str) -> None:
    async with scene(pbx_of(release)) as here:
        file = here.asterisks.pbx.monitor / "record.wav"
        inside = f"{here.asterisks.pbx.inside}/spool/monitor/record.wav"
        await here.originate(here.device("410"), Application="Record", Data=f"{inside},0,60,q")
        await until(file.is_file)
        assert await grows(file, 10)
        report = await here.ask(Applications())
        assert report.state is WayState.RECORDS
        said = "is in Record(): a press cannot stop it but by hanging up"
        assert report.detail == f"{here.device('410')} (410) {said}"
        assert (await here.ask(Taps())).state is WayState.NOTHING


@BOTH
async def test_dictation_is_named(pbx_of: PbxOf, release: str) -> None:
    async with scene(pbx_of(release)) as here:
        await here.originate(here.device("410"), Application="Dictate", Data="/tmp,dictated")
        assert "410 (410) is in Dictate(): a press cannot stop it" in await named_for(here)


async def test_voicemail_is_named(pbx_of: PbxOf) -> None:
    # Debian's 16 has no voicemail
    async with scene(pbx_of("22")) as here:
        pbx = here.asterisks.pbx
        box = "[general]\nformat=wav\n[default]\n410 => 1234,Somebody\n"
        pbx.write_file("voicemail.conf", box)
        pbx.console("module load app_voicemail.so")
        await here.originate(here.device("411"), Application="VoiceMail", Data="410@default,s")
        files = pbx.root / "spool" / "voicemail" / "default" / "410"
        await until(lambda: any(files.rglob("*.wav")))
        [file] = files.rglob("*.wav")
        assert await grows(file, 10)
        assert "411 (411) is in VoiceMail(): a press cannot stop it" in await named_for(here, "411")


async def named_for(here: Scene, phone: str = "410") -> str:
    """Return what is reported of a phone that is in an application, once it is."""
    async with asyncio.timeout(10):
        while True:
            if here.pbx.graph.live_on(phone):
                report = await here.ask(Applications(), phone=phone)
                if report.state is WayState.RECORDS:
                    return report.detail
            await asyncio.sleep(0.1)


@BOTH
async def test_a_program_that_hears_its_channel_is_a_listener(pbx_of: PbxOf, release: str) -> None:
    async with scene(pbx_of(release)) as here:
        pbx = here.asterisks.pbx
        script = pbx.root / "agi-bin" / "listen.sh"
        script.write_text(f"#!/bin/sh\ncat <&3 >{pbx.inside}/spool/monitor/heard.raw\n")
        script.chmod(0o755)
        pbx.share(script)
        await here.originate(here.device("410"), Application="EAGI", Data="listen.sh")
        file = pbx.monitor / "heard.raw"
        await until(file.is_file)
        assert await grows(file)
        report = await here.ask(Taps(TapSettings(hang_up=True)))
        assert report.state is WayState.RECORDS
        assert f"{here.device('410')} (410) listens by EAGI()" in report.detail
        assert await grows(file), "a party is not hung up"


@BOTH
async def test_our_own_whisper_and_music_are_no_taps(pbx_of: PbxOf, release: str) -> None:
    asterisks = pbx_of(release)
    sound = asterisks.pbx.monitor / "long.wav"
    sound.write_bytes(prompt_sounds.wav([prompt_sounds.Note(900, 4.0)]))
    asterisks.pbx.share(sound)
    plain = f"{asterisks.pbx.inside}/spool/monitor/long"
    said = asterisks.pbx.files["extensions.conf"]
    asterisks.pbx.write_file("extensions-tell.conf", example("extensions-tell.conf"))
    asterisks.pbx.write_file("extensions.conf", f"{said}\n#include extensions-tell.conf\n")
    asterisks.pbx.console("dialplan reload")
    async with scene(asterisks, "lab") as here:
        await here.talk()
        [leg] = here.pbx.graph.live_on("410")
        whispers = Whispers(here.pbx, lambda _way: None, time.monotonic, asyncio.sleep)
        sending = asyncio.create_task(whispers.run())
        try:
            whispers.put(leg.name, leg.uniqueid, (plain,))
            await until(lambda: any(one.listeners for one in here.call.channels))
            seen: PbxLook = await look(here.pbx)
            assert any(row.application == "ChanSpy" for row in seen.rows.values())
            assert (await here.ask(Taps(TapSettings(hang_up=True)))).state is WayState.NOTHING
            assert any(one.listeners for one in here.call.channels), "the whisper goes on"
            # a supervisor beside it is a tap
            since = len(here.tap.events)
            await here.listen("411")
            report = await here.ask(Taps())
            assert report.state is WayState.RECORDS
            assert report.detail.count("listens") == 1
            assert len(here.tap.events) > since
        finally:
            sending.cancel()
        await here.tap.action("Hangup", Channel=f"/^{here.device('412')}-.*/")
        await until(lambda: not any(one.listeners for one in here.call.channels))

        music = CallMute(here.pbx, (plain,), 20.0)
        await music.mute("press-1", here.call, leg.uniqueid)
        await until(lambda: any(one.listeners for one in here.call.channels))
        assert (await here.ask(Taps(TapSettings(hang_up=True)))).state is WayState.NOTHING
        assert any(one.listeners for one in here.call.channels), "the music goes on"
        music.unmute("press-1")
        await music.close()
