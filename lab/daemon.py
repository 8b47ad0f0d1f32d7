# SPDX-License-Identifier: Apache-2.0
"""The daemon of a laboratory: a real `offrecord run` process, with a site laid out for it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tomlkit import dumps

from lab.patience import patience
from offrecord.journal import PressSummary, presses


@dataclass(slots=True)
class DaemonProcess:
    """One `offrecord run`, started with a configuration in a folder of its own.

    `tables` is the configuration as nested tables, written as TOML. Secrets are files in the
    folder: see `secret`. The control `socket` is there too, unless another path is given.
    """

    folder: Path
    tables: dict[str, object]
    environment: Mapping[str, str] = field(default_factory=dict)
    socket: Path = Path()
    _process: "asyncio.subprocess.Process | None" = None

    def __post_init__(self) -> None:
        """Choose the socket."""
        if self.socket == Path():
            self.socket = self.folder / "offrecord.sock"

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "offrecord.toml"

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.folder / "journal.sqlite3"

    @property
    def log(self) -> Path:
        """Its log, one JSON object a line."""
        return self.folder / "offrecord.log"

    def secret(self, name: str, value: str) -> dict[str, str]:
        """Write a secret to a file of the folder; return how the configuration names it."""
        path = self.folder / name
        path.write_text(value + "\n")
        path.chmod(0o600)
        return {"file": str(path)}

    def write_config(self) -> None:
        """Write the configuration file."""
        own = {
            "socket": {"path": str(self.socket)},
            "journal": {"path": str(self.journal)},
            "log": {"format": "json", "level": "debug"},
        }
        self.config.write_text(dumps({**own, **self.tables}))

    async def start(self) -> None:
        """Start it and wait until it says that it takes presses, as systemd would.

        Raises `RuntimeError` with its log when it does not come up.
        """
        self.write_config()
        notify = self.folder / "notify.sock"
        notify.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Ready(ready), local_addr=str(notify), family=1
        )
        try:
            await self._spawn(notify)
            assert self._process is not None
            gone = asyncio.create_task(self._process.wait())
            await asyncio.wait(
                {ready, gone}, timeout=patience(), return_when=asyncio.FIRST_COMPLETED
            )
            gone.cancel()
            if not ready.done():
                raise RuntimeError(f"the daemon did not come up: {self.log.read_text()[-2000:]}")
        finally:
            transport.close()

    async def _spawn(self, notify: Path) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "offrecord", "run", "--config", str(self.config),
                env={**os.environ, "NOTIFY_SOCKET": str(notify), **self.environment},
                stdout=log, stderr=log,
            )  # fmt: skip

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait; return its exit code. SIGKILL when it does not end."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.returncode is None:
            process.send_signal(number)
        try:
            return await asyncio.wait_for(process.wait(), patience())
        except TimeoutError:
            process.kill()
            return await process.wait()

    def logged(self, event: str) -> list[dict[str, object]]:
        """Return the lines of its log with that event name."""
        lines = self.log.read_text().splitlines() if self.log.is_file() else []
        read = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in read if line.get("event") == event]

    async def verdicts(self, count: int = 1) -> list[PressSummary]:
        """Wait until `count` presses have their verdict in the journal; return all, oldest first.

        Raises `TimeoutError`.
        """
        async with asyncio.timeout(patience()):
            while True:
                if self.journal.is_file():
                    found = await asyncio.to_thread(presses, self.journal)
                    if sum(one.outcome is not None for one in found) >= count:
                        return found[::-1]
                await asyncio.sleep(0.02)


class _Ready(asyncio.DatagramProtocol):
    def __init__(self, ready: "asyncio.Future[None]") -> None:
        self._ready = ready

    def datagram_received(self, data: bytes, _address: object) -> None:
        if b"READY=1" in data and not self._ready.done():
            self._ready.set_result(None)
