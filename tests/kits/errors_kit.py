# SPDX-License-Identifier: Apache-2.0
"""A site that works and can be broken, and what a command must say and leave with then."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from lab.daemon import DaemonProcess
from offrecord.base.errors import Exit
from tests.kits.ami_peer import SECRET, AmiPeer
from tests.kits.daemon_kit import Ran, offrecord, tables, two_phones

SECRETS = (SECRET, DEMO_KEY)


@dataclass
class Ground:
    """A configuration that works, a PBX and a Noojee server to break."""

    peer: AmiPeer
    noojee: NoojeeSimulator
    server: SimServer
    daemon: DaemonProcess
    stack: AsyncExitStack
    env: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.daemon.folder

    @property
    def tables(self) -> dict[str, Any]:
        return self.daemon.tables  # type: ignore[return-value]

    async def run(self, *words: str) -> Ran:
        env = {
            "OFFRECORD_CONFIG": str(self.daemon.config),
            "OFFRECORD_SOCKET": str(self.daemon.socket),
            **self.env,
        }
        return await offrecord(*words, env=env)


@asynccontextmanager
async def ground(folder: Path, **peer: Any) -> AsyncIterator[Ground]:
    noojee = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(AmiPeer(**peer))
        server = await stack.enter_async_context(SimServer(noojee))
        two_phones(made)
        daemon = DaemonProcess(folder, {})
        daemon.tables = tables(daemon, made.port, server.url)
        daemon.tables["log"] = {"format": "json", "level": "error"}
        daemon.write_config()
        yield Ground(made, noojee, server, daemon, stack)


def one_line(ran: Ran, code: Exit, *words: str) -> None:
    """Assert that a command failed as it should: one line, all words in it, no trace of a fault."""
    assert ran.code == code, ran
    (line,) = ran.err.splitlines()
    assert [word for word in words if word not in line] == [], line
    assert "Traceback" not in ran.out + ran.err
    assert not any(secret in ran.out + ran.err for secret in SECRETS)
