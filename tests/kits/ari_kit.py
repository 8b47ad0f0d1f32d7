# SPDX-License-Identifier: Apache-2.0
"""The site's own ARI applications on a real Asterisk, and the way that stops what they record."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from websockets.asyncio.client import ClientConnection, connect

from ami.pbx import Pbx
from ami.settings import AmiSettings
from bridges.asterisk.ari import Ari, AriClient, AriRecordings, AriSettings
from bridges.asterisk.look import look
from bridges.asterisk.ways.ari import AriWay
from bridges.asterisk.ways.way import Sweep, WayReport
from bridges.model import Order, Verb
from lab.pbx.second_ami import SecondAmi
from lab.pbx_with_phones import AMI_SECRET, ARI_SECRET, PHONES, PbxWithPhones, People
from lab.site import LabSite
from tests.kits.waiting import eventually


class SiteApp:
    """An ARI application of the site: it bridges the channels that enter it, and records."""

    def __init__(self, asterisks: PbxWithPhones, app: str = "lab") -> None:
        self._asterisks = asterisks
        self._app = app
        self._stack = AsyncExitStack()
        self._inside: set[str] = set()
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{asterisks.ari_port}/ari", auth=("lab", ARI_SECRET)
        )

    async def __aenter__(self) -> Self:
        """Connect as the application."""
        where = f"ws://127.0.0.1:{self._asterisks.ari_port}/ari/events?app={self._app}"
        socket = await self._stack.enter_async_context(
            connect(f"{where}&api_key=lab:{ARI_SECRET}", proxy=None)
        )
        reading = asyncio.create_task(self._read(socket))
        self._stack.callback(reading.cancel)
        await self._stack.enter_async_context(self._http)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            event = json.loads(text)
            if event["type"] == "StasisStart":
                self._inside.add(event["channel"]["id"])

    async def entered(self, channel: str) -> None:
        """Wait until a channel is in the application."""
        await eventually(lambda: channel in self._inside, every=0.02)

    async def ask(self, method: str, path: str, **params: str) -> Any:
        answer = await self._http.request(method, path, params=params)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def bridge(self, *channels: str) -> str:
        """Return the id of a new bridge with these channels in it."""
        made: str = (await self.ask("POST", "/bridges", type="mixing"))["id"]
        for channel in channels:
            await self.ask("POST", f"/bridges/{made}/addChannel", channel=channel)
        return made

    async def record(self, kind: str, target: str, name: str) -> None:
        """Record a bridge or a channel (`kind` is bridges or channels) until ARI says it runs."""
        await self.ask("POST", f"/{kind}/{target}/record", name=name, format="wav")
        async with asyncio.timeout(5):
            while await self.state(name) != "recording":
                await asyncio.sleep(0.02)

    async def snoop(self, channel: str) -> str:
        """Return the id of a new snoop on a channel, once the application has it."""
        made = await self.ask("POST", f"/channels/{channel}/snoop", spy="both", app=self._app)
        await self.entered(made["id"])
        return str(made["id"])

    async def state(self, name: str) -> str | None:
        """Return ARI's own word on a live recording, None when it says there is none."""
        answer = await self._http.get(f"/recordings/live/{quote(name, safe='')}")
        return answer.json()["state"] if answer.status_code == 200 else None

    def file(self, name: str) -> Path:
        return self._asterisks.pbx.root / "spool" / "recording" / f"{name}.wav"

    async def grows(self, name: str, seconds: float = 6.0) -> bool:
        """Return whether the recording's file gets a byte more within `seconds`."""
        before = self.file(name).stat().st_size
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.sleep(0.1)
            if self.file(name).stat().st_size > before:
                return True
        return False


class AriBench:
    """Our link to the PBX with the account as shipped, phones, and orders on the ARI way alone."""

    def __init__(self, asterisks: PbxWithPhones, people: People) -> None:
        self.asterisks = asterisks
        self.people = people
        self.pbx = Pbx(
            AmiSettings(
                username="offrecord",
                secret=AMI_SECRET,
                host="127.0.0.1",
                port=asterisks.pbx.ami_port,
            )
        )

    async def phones_in(self, app: SiteApp, *phones: str) -> list[str]:
        """Have phones call the site's application; return the uniqueids of their channels."""
        for phone in phones:
            await self.people.call(phone, "907")
        channels = [await self.channel(phone) for phone in phones]
        for channel in channels:
            await app.entered(channel)
        return channels

    async def channel(self, phone: str) -> str:
        """Return the uniqueid of a phone's channel once our own view knows it."""
        assert phone in PHONES
        async with asyncio.timeout(5):
            while not (found := self.pbx.graph.live_on(phone)):
                await asyncio.sleep(0.02)
        return found[0].uniqueid

    async def joined(self, *uniqueids: str) -> None:
        """Wait until our own view has these channels in one bridge."""
        async with asyncio.timeout(5):
            while True:
                rows = [self.pbx.graph.channel(one) for one in uniqueids]
                bridges = {row.bridge_id if row else None for row in rows}
                if len(bridges) == 1 and None not in bridges:
                    return
                await asyncio.sleep(0.02)

    async def order(self, uniqueid: str, verb: Verb, ari: Ari) -> tuple[WayReport, Sweep]:
        """Carry out one order on the call of a channel, as a press does."""
        call = self.pbx.graph.call_of(uniqueid)
        assert call is not None
        given = Order("p", verb, call, call.channel(uniqueid), budget=5)
        sweep = Sweep(self.pbx, given, await look(self.pbx), time.time, asyncio.sleep)
        way = AriWay(ari)
        act = {Verb.STOP: way.stop, Verb.PAUSE: way.pause, Verb.RESUME: way.resume}[verb]
        return await act(sweep), sweep


@asynccontextmanager
async def bench(asterisks: PbxWithPhones) -> AsyncIterator[AriBench]:
    """Yield a bench whose link knows the calls; hang up every phone at the end."""
    async with SecondAmi(asterisks.farm.ami_port) as farm, SecondAmi(asterisks.pbx.ami_port) as lab:
        made = AriBench(asterisks, People(farm))
        link = asyncio.create_task(made.pbx.run())
        try:
            assert await made.pbx.wait_known(10)
            yield made
        finally:
            await made.people.hang_up_all()
            await lab.action("Hangup", Channel="/.*/")
            async with asyncio.timeout(10):
                while await lab.channels():
                    await asyncio.sleep(0.02)
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)


@asynccontextmanager
async def account(
    port: int, *, user: str = "offrecord", known: bool = True, hang_up: bool = False
) -> AsyncIterator[Ari]:
    """Yield the site's ARI with an account, once its recordings are known by events."""
    settings = AriSettings(f"http://127.0.0.1:{port}", user, ARI_SECRET)
    recordings = AriRecordings(AriClient(settings))
    recordings.open()
    try:
        if known:
            await until_known(recordings)
        yield Ari(recordings, hang_up)
    finally:
        await recordings.close()


async def until_known(recordings: AriRecordings, *, known: bool = True) -> None:
    async with asyncio.timeout(10):
        while recordings.known is not known:
            await asyncio.sleep(0.02)


def ari_table(asterisks: PbxWithPhones, folder: Path) -> dict[str, Any]:
    """Return the `[ari]` of a daemon with the account as shipped; its secret is in `folder`."""
    secret = folder / "ari.secret"
    secret.write_text(ARI_SECRET)
    secret.chmod(0o600)
    url = f"http://127.0.0.1:{asterisks.ari_port}"
    return {"url": url, "username": "offrecord", "secret": {"file": str(secret)}}


async def in_bridge(here: LabSite, app: SiteApp) -> tuple[str, str]:
    """Have two phones talk in a bridge of the application; return a uniqueid and the bridge."""
    ids = []
    for phone in ("410", "411"):
        mark = len(here.pbx.events)
        await here.people.call(phone, "907")
        start = f"{here.asterisks.technology}/{phone}-"
        _, packet = await here.pbx.wait_for(
            lambda p, start=start: (  # type: ignore[misc]
                p.get("Event") == "Newchannel" and p["Channel"].startswith(start)
            ),
            since=mark,
        )
        await app.entered(packet["Uniqueid"])
        ids.append(packet["Uniqueid"])
    return ids[0], await app.bridge(*ids)
