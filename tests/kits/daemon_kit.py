# SPDX-License-Identifier: Apache-2.0
"""A real `offrecord run` between a scripted PBX and a simulated Noojee, and its commands."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridges.simulators.harness import Entry
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from lab.daemon import DaemonProcess
from offrecord.control.client import ask
from tests.kits.ami_peer import SECRET, AmiPeer
from tests.kits.waiting import eventually, patience, safety_net


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def offrecord(*words: str | Path, env: Mapping[str, str] | None = None) -> Ran:
    """Run one command in a process of its own, in an environment of nothing but `env`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "offrecord", *map(str, words),
        env=dict(env or {}), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with safety_net(f"`offrecord {' '.join(map(str, words))}` ends"):
            out, err = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


@dataclass
class House:
    """The daemon, the PBX it follows and the Noojee server it asks."""

    daemon: DaemonProcess
    peer: AmiPeer
    noojee: NoojeeSimulator
    server: SimServer

    @property
    def stops(self) -> list[Entry]:
        return self.noojee.log.of("stop")

    @property
    def agi(self) -> tuple[str, int]:
        """Where the daemon listens for FastAGI, as it said itself."""
        host, _, port = str(self.daemon.logged("ready")[0]["agi"]).rpartition(":")
        return host, int(port)

    async def ask(self, **request: object) -> dict[str, Any]:
        replies = await asyncio.to_thread(
            lambda: list(ask(self.daemon.socket, request, patience()))
        )
        return {key: value for reply in replies for key, value in reply.items()}

    async def known(self, channels: int) -> None:
        """Wait until the daemon knows that many channels."""

        async def seen() -> bool:
            body = await self.ask(op="calls")
            return body["known"] and sum(len(c["channels"]) for c in body["calls"]) == channels

        await eventually(seen, f"the daemon knows {channels} channels")

    async def calls_known(self, *, known: bool) -> None:
        """Wait until the daemon says that it knows the live calls, or that it does not."""

        async def seen() -> bool:
            return bool((await self.ask(op="status"))["known"]) is known

        await eventually(seen, f"known={known} in the status")

    async def until_logged(self, event: str, count: int = 1) -> list[dict[str, object]]:
        await eventually(lambda: len(self.daemon.logged(event)) >= count, f"{event!r} is logged")
        return self.daemon.logged(event)

    async def fastagi(self, verb: str, uniqueid: str) -> list[str]:
        """Press as a dialplan does; return the commands that came back, all done."""
        reader, writer = await asyncio.open_connection(*self.agi)
        channel = self.peer.channels[uniqueid]
        environment = {
            "agi_network": "yes", "agi_network_script": verb, "agi_channel": channel.name,
            "agi_request": f"agi://127.0.0.1/{verb}", "agi_uniqueid": uniqueid,
        }  # fmt: skip
        writer.write("".join(f"{k}: {v}\n" for k, v in environment.items()).encode() + b"\n")
        said: list[str] = []
        async with safety_net("the script is over"):
            while line := await reader.readline():
                said.append(line.decode().strip())
                writer.write(b"200 result=1 (SUCCESS)\n")
        writer.close()
        return said

    async def command(self, *words: str) -> Ran:
        """Run a command that speaks to this daemon, or reads its files."""
        env = {
            "OFFRECORD_SOCKET": str(self.daemon.socket),
            "OFFRECORD_CONFIG": str(self.daemon.config),
        }
        return await offrecord(*words, env=env)


def two_phones(peer: AmiPeer, monitors: int = 1) -> None:
    """Add a call of 410, who is recorded, and 411."""
    peer.add("SIP/410-00000001", "1.1", monitors=monitors).bridge = "b1"
    peer.add("SIP/411-00000002", "1.2", "1.1").bridge = "b1"


def tables(daemon: DaemonProcess, ami_port: int, noojee_url: str) -> dict[str, Any]:
    """Return the configuration of a site with both kinds of recorders."""
    return {
        "ami": {
            "port": ami_port, "username": "offrecord",
            "secret": daemon.secret("ami.secret", SECRET),
            # Deadlines that do not strike on a slow machine; a test that needs one sets its own.
            "action_timeout": 60.0,
        },
        "press": {"budget": 60.0, "wait_known": 60.0},
        "agi": {"port": 0, "wait": 5.0},
        "agents": {"410": "fred", "411": "wilma"},
        "recorders": {
            "local": {"kind": "asterisk"},
            "noojee": {
                "kind": "noojee", "url": noojee_url, "auth": "signed",
                "api_key": daemon.secret("noojee.key", DEMO_KEY), "timeout": 30.0,
            },
        },
    }  # fmt: skip


@asynccontextmanager
async def house(
    folder: Path, *, recorders: tuple[str, ...] = ("local", "noojee"), **more: Any
) -> AsyncIterator[House]:
    """Run a daemon on a call of two phones; `more` is merged into its configuration."""
    noojee = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
    daemon = DaemonProcess(folder, {})
    async with AmiPeer() as peer, SimServer(noojee) as server:
        two_phones(peer)
        made = tables(daemon, peer.port, server.url)
        made["recorders"] = {name: made["recorders"][name] for name in recorders}
        for name, table in more.items():
            made[name] = {**made.get(name, {}), **table}
        daemon.tables = made
        await daemon.start()
        found = House(daemon, peer, noojee, server)
        try:
            await found.known(2)
            yield found
        finally:
            await daemon.stop()
