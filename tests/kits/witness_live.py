# SPDX-License-Identifier: Apache-2.0
"""A real Asterisk that records in every way, and a site whose witness watches its folders.

Its dialplan and ARI record beside MixMonitor; a daemon of this site knows MixMonitor alone.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from lab.pbx.ports import free_tcp
from lab.pbx_with_phones import PbxWithPhones, build
from lab.site import LabSite
from offrecord import journal
from offrecord.journal import StoredRecord

LOCAL = {"routes": {"default": ["local"]}, "press": {"join_window": 0}}
AUTH = ("witness", "witness")
APP = "witness"
LOADED = ("res_ari", "app_voicemail", "res_http_post")

WITHOUT_WAYS = """
import bridges.asterisk.recorder as recorder
made = recorder.Ways
recorder.Ways = lambda *_: made((recorder.MixMonitorWay(),), ())
"""
"""Run at the daemon's start: the recorder of the PBX knows MixMonitor alone."""

DIALPLAN = """
[lab-witness]
exten => _1XX,1,Monitor(wav,by-monitor-${RAND(1,99999)})
 same => n,Dial(@TECH@/4${EXTEN:1},30)
exten => record,1,Answer()
 same => n,Record(${ASTSPOOLDIR}/tmp/memo-${RAND(1,99999)}.wav,0,600,k)
exten => stasis,1,Answer()
 same => n,Stasis(witness)
exten => spy,1,Answer()
 same => n,ChanSpy(@TECH@/410,qr(spied))
exten => load,1,Answer()
 same => n,MixMonitor(busy-${RAND(1,99999999)}.wav)
 same => n,Wait(600)
exten => mail,1,Answer()
 same => n,VoiceMail(410@default,s)
exten => tone,1,Answer()
 same => n,Playtones(440)
 same => n,Wait(600)
[lab-phones]
include => lab-witness
"""


@dataclass
class Ari:
    """ARI of the PBX, over HTTP, and a WebSocket that keeps the application there."""

    port: int
    http: httpx.AsyncClient

    @classmethod
    def at(cls, port: int) -> "Ari":
        http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}/ari", auth=AUTH, trust_env=False
        )
        return cls(port, http)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Ari"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        key = base64.b64encode(b"witness-of-files").decode()
        credentials = base64.b64encode(":".join(AUTH).encode()).decode()
        writer.write(
            f"GET /ari/events?app={APP} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Basic {credentials}\r\n\r\n".encode()
        )
        assert b" 101 " in await reader.readline()
        drain = asyncio.create_task(reader.read(-1))
        try:
            async with self.http:
                yield self
        finally:
            drain.cancel()
            writer.close()

    async def post(self, path: str, **query: str) -> dict[str, Any]:
        answer = await self.http.post(path, params=query)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def record(self, channel: str, name: str) -> None:
        """Record a channel as soon as it is in Stasis."""
        path, query = f"/channels/{channel}/record", {"name": name, "format": "wav"}
        async with asyncio.timeout(10):
            while (await self.http.post(path, params=query)).status_code == httpx.codes.CONFLICT:
                await asyncio.sleep(0.05)


@dataclass(frozen=True)
class WitnessLab:
    """A PBX that has what records beside MixMonitor, and the port of its ARI."""

    asterisks: PbxWithPhones
    ari_port: int


@contextmanager
def witness_lab(release: str) -> Iterator[WitnessLab]:
    """Start such a PBX with its phones, and stop both at the end."""
    made = build(release, fastagi=f"127.0.0.1:{free_tcp()}", features="features.conf",
                 label="witness")  # fmt: skip
    pbx, port = made.pbx, free_tcp()
    unwanted = {f"noload => {name}.so" for name in LOADED}
    modules = pbx._common_files()["modules.conf"].splitlines()
    pbx.files |= {
        "modules.conf": "\n".join(line for line in modules if line not in unwanted)
        + ("\nnoload => res_pjsip_transport_websocket.so\n" if pbx.chan_sip else "\n"),
        "http.conf": f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={port}\n",
        "ari.conf": f"[general]\nenabled=yes\n[{AUTH[0]}]\ntype=user\npassword={AUTH[1]}\n",
        "voicemail.conf": "[general]\nformat=wav|gsm\n[default]\n410 => 1234,Fred\n",
        "extensions.conf": pbx.files["extensions.conf"]
        + DIALPLAN.replace("@TECH@", made.technology),
    }
    try:
        made.start()
        for name in ("recording", "voicemail", "tmp"):
            (pbx.root / "spool" / name).mkdir(exist_ok=True)
        pbx._own()
        yield WitnessLab(made, port)
    finally:
        made.stop()


class WitnessSite(LabSite):
    """A site whose daemon watches the PBX's folders, as this machine sees them."""

    def __init__(self, lab: WitnessLab, folder: Path) -> None:
        spool = lab.asterisks.pbx.root / "spool"
        folders = [str(spool / name) for name in ("monitor", "recording", "voicemail", "tmp")]
        super().__init__(lab.asterisks, folder, more={**LOCAL, "witness": {"folders": folders}})
        (folder / "sitecustomize.py").write_text(WITHOUT_WAYS)
        self.daemon.environment = {"PYTHONPATH": str(folder)}

    async def __aenter__(self) -> Self:
        """Wait until the folders are watched, too."""
        await super().__aenter__()
        async with asyncio.timeout(10):
            while len(self.daemon.logged("witness_watches")) < 4:
                await asyncio.sleep(0.05)
        return self

    async def stop(self, target: str = "410") -> str:
        """Press stop for an extension; return the press."""
        answer = await self.ask({"op": "press", "verb": "stop", "target": target})
        return str(answer["press"])

    def records(self, press: str) -> list[StoredRecord]:
        return journal.show(self.daemon.journal, press)

    async def taken_back(self, press: str) -> Mapping[str, Any]:
        """Wait until a verdict was taken back, and return the record."""
        async with asyncio.timeout(10):
            while True:
                for one in await asyncio.to_thread(self.records, press):
                    if one.kind == "taken_back":
                        print(f"taken back {one.body['after_ms']} ms after the press")  # noqa: T201
                        return one.body
                await asyncio.sleep(0.05)

    async def tried_again(self, press: str) -> Mapping[str, Any]:
        """Wait until the PBX's recorder was asked again for a press, and return what it told."""
        async with asyncio.timeout(10):
            while True:
                for one in await asyncio.to_thread(self.records, press):
                    if one.kind == "retried":
                        return one.body
                await asyncio.sleep(0.05)

    async def alone(self, exten: str, phone: str = "410") -> str:
        """Have a phone dial an extension where nobody else is; return its uniqueid on the PBX."""
        since = len(self.pbx.events)
        await self.people.call(phone, exten)
        start = f"{self.asterisks.technology}/{phone}-"
        _, packet = await self.pbx.wait_for(
            lambda p: p.get("Event") == "Newchannel" and p["Channel"].startswith(start),
            since=since,
        )
        return packet["Uniqueid"]

    async def local(self, exten: str) -> None:
        """Have somebody without a phone call an extension, with a tone as the voice."""
        await self.pbx.action(
            "Originate", Channel=f"Local/{exten}@lab-witness/n", Context="lab-witness",
            Exten="tone", Priority="1", Async="true",
        )  # fmt: skip

    async def expect_grown(self, folder: str, start: str) -> Path:
        """Wait until a recording in a folder of the spool has its first block."""
        async with asyncio.timeout(15):
            while True:
                for path in (self.asterisks.pbx.root / "spool" / folder).rglob(f"{start}*"):
                    if path.is_file() and path.stat().st_size > 2000:
                        return path
                await asyncio.sleep(0.05)

    async def found(self, folder: str, start: str) -> None:
        """Press stop, and expect the verdict to be taken back because of such a file."""
        path = await self.expect_grown(folder, start)
        press = await self.stop()
        back = await self.taken_back(press)
        names = [Path(name).name for name in back["files"]]
        assert path.name in names
        assert all(name.startswith(start) for name in names)
        [shown] = [one for one in await self.daemon.verdicts() if one.press == press]
        assert shown.outcome == "failed"
        assert path.name in str(shown.text)
        kinds = [one.kind for one in self.records(press)]
        assert kinds.index("verdict") < kinds.index("taken_back") < kinds.index("alarm")
        [call] = [each for each in (await self.ask({"op": "calls"}))["calls"]
                  if "410" in each["extensions"]]  # fmt: skip
        assert [each["state"] for each in call["recorders"]] == ["failed"]
        tried = await self.tried_again(press)
        assert tried["outcome"] == "failed"
        assert path.name in tried["detail"]
