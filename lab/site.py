# SPDX-License-Identifier: Apache-2.0
"""A whole site for one demo or one live test: PBX, phones, a Noojee server, and the daemon."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bridges.simulators.certificates import Certificates
from bridges.simulators.harness import Entry
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from lab.daemon import DaemonProcess
from lab.patience import patience
from lab.pbx.other_platform import OtherPlatform
from lab.pbx.second_ami import Packet, SecondAmi
from lab.pbx_with_phones import AMI_SECRET, TRUNK, PbxWithPhones, People

AGENTS = {"410": "fred", "411": "wilma", "412": "barney", "413": "betty"}
OUTSIDE = "0305550123"
"""The number of the person at the other platform, unless a call says otherwise."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A call of two persons: the farm's channel of each, and the PBX's event of each in a bridge.

    The events name the PBX's own channel of that person: a phone's, or the trunk's.
    """

    caller: str
    callee: str
    calling: Packet
    answering: Packet


class LabSite:
    """The daemon, a Noojee server and the other platform around one PBX, open with `async with`.

    `ami_port` is where the daemon finds AMI; set another before opening, to put something between.
    `more` is merged into the daemon's configuration, table by table: `{"recorders": {"other": …}}`
    adds a recorder to `local` and `noojee`. The PBX must run, and its dialplan call the daemon.
    With a `certificate` the Noojee server speaks HTTPS. `far` is the SIP server of the other
    platform, behind the trunk.
    """

    def __init__(
        self,
        asterisks: PbxWithPhones,
        folder: Path,
        *,
        more: dict[str, dict[str, Any]] | None = None,
        certificate: Certificates | None = None,
        agents: Mapping[str, str] = AGENTS,
    ) -> None:
        self.asterisks = asterisks
        self.ami_port = asterisks.pbx.ami_port
        self.noojee = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
        self.noojee_server = SimServer(
            self.noojee, tls=certificate.server_context() if certificate else None
        )
        self._ca_file = certificate.ca_file if certificate else None
        self._more = more or {}
        self._agents = dict(agents)
        self._stack = AsyncExitStack()
        self.daemon = DaemonProcess(folder, {}, socket=asterisks.pbx.root / "offrecord.sock")
        self.pbx = SecondAmi(asterisks.pbx.ami_port)
        self.farm = SecondAmi(asterisks.farm.ami_port)
        self.people = People(self.farm)
        self.far = OtherPlatform(
            asterisks.far_port, asterisks.pbx.sip_port, asterisks.farm.sip_port
        )

    async def __aenter__(self) -> Self:
        """Start the Noojee server and the daemon, and wait until the daemon knows the PBX."""
        try:
            await self._stack.enter_async_context(self.noojee_server)
            await self._stack.enter_async_context(self.far)
            self.daemon.tables = self._tables()
            self._stack.push_async_callback(self.daemon.stop)
            await self.daemon.start()
            self.asterisks.pbx.share(self.daemon.socket)
            await self._stack.enter_async_context(self.pbx)
            await self._stack.enter_async_context(self.farm)
            self._stack.push_async_callback(self._clear)
            await self.known()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up whatever is left, and stop everything but the Asterisks."""
        await self._stack.aclose()

    async def known(self) -> None:
        """Wait until the daemon says that it knows the live calls; raises `TimeoutError`."""
        async with asyncio.timeout(patience()):
            while not (await self.ask({"op": "status"}))["known"]:
                await asyncio.sleep(0.05)

    async def ask(self, request: dict[str, object]) -> dict[str, Any]:
        """Send one request to the daemon's control socket and return its last reply."""
        from offrecord.control import client

        replies = await asyncio.to_thread(
            lambda: list(client.ask(self.daemon.socket, request, patience()))
        )
        return dict(replies[-1])

    async def talk(self, dialled: str = "411", *, caller: str = "410", callee: str = "411") -> Talk:
        """Dial from a phone, and wait until it talks with `callee`."""
        mark = self.people.now
        phone = await self.people.call(caller, dialled)
        other = await self.people.answered(mark)
        return Talk(phone, other, *await self.bridged(caller, callee))

    async def talk_in(
        self,
        dialled: str = "411",
        *,
        number: str = OUTSIDE,
        uuid: str | None = None,
        callee: str = "411",
    ) -> Talk:
        """Call in over the trunk as `number`; `callee` is the phone that answers.

        With a `uuid` it names the call in its INVITE.
        """
        self.far.invite_uuid = uuid
        mark, since = self.people.now, len(self.pbx.events)
        person = await self.people.call_in(dialled, number=number)
        other = await self.people.answered(mark)
        return Talk(person, other, *await self.bridged(TRUNK, callee, since=since))

    async def talk_out(
        self, dialled: str = OUTSIDE, *, uuid: str | None = None, caller: str = "410"
    ) -> Talk:
        """Dial out over the trunk from a phone, and wait until the other platform has answered.

        `dialled` begins with 0. With a `uuid` the other platform names the call in its answers.
        """
        mark, since = self.people.now, len(self.pbx.events)
        self.far.answer_uuid = uuid
        phone = await self.people.call(caller, dialled)
        other = await self.people.answered(mark)
        return Talk(phone, other, *await self.bridged(caller, TRUNK, since=since))

    async def bridged(self, first: str, second: str, *, since: int = 0) -> tuple[Packet, Packet]:
        """Wait until channels of two endpoints are in bridges; return the event of each.

        Events before number `since` do not count.
        """
        technology = self.asterisks.technology

        async def entered(endpoint: str) -> Packet:
            start = f"{technology}/{endpoint}-"
            _, packet = await self.pbx.wait_for(
                lambda p: p.get("Event") == "BridgeEnter" and p["Channel"].startswith(start),
                since=since,
            )
            return packet

        return await entered(first), await entered(second)

    async def reopen_tap(self) -> None:
        """Log in to the PBX again after a restart; former events are forgotten."""
        self.pbx = await self._stack.enter_async_context(SecondAmi(self.asterisks.pbx.ami_port))

    def stops(self) -> list[Entry]:
        """Return the stop requests that the Noojee server saw."""
        return self.noojee.log.of("stop")

    async def _clear(self) -> None:
        await self.people.hang_up_all()
        async with asyncio.timeout(patience()), SecondAmi(self.asterisks.pbx.ami_port) as pbx:
            while await pbx.channels():
                await asyncio.sleep(0.02)

    def _tables(self) -> dict[str, object]:
        host, _, port = self.asterisks.fastagi.rpartition(":")
        noojee: dict[str, object] = {
            "kind": "noojee",
            "url": self.noojee_server.url,
            "auth": "signed",
            "api_key": self.daemon.secret("noojee.key", DEMO_KEY),
        }
        if self._ca_file is not None:
            noojee["ca_file"] = str(self._ca_file)
        tables: dict[str, Any] = {
            "ami": {
                "port": self.ami_port,
                "username": "offrecord",
                "secret": self.daemon.secret("ami.secret", AMI_SECRET),
            },
            "agi": {"host": host, "port": int(port)},
            "extensions": {"trunks": [TRUNK]},
            "agents": self._agents,
            "recorders": {"local": {"kind": "asterisk"}, "noojee": noojee},
            # Asterisk lives in a chroot, and names its folders as it sees them from inside.
            "witness": {"folders": [str(self.asterisks.pbx.root / "spool" / "monitor")]},
        }
        return _merged(tables, self._more)


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with what another one adds to it and changes of it, at any depth."""
    made = dict(one)
    for key, value in other.items():
        old = made.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _merged(old, value)  # noqa: PLW2901 - the merged one goes in its place
        made[key] = value
    return made
