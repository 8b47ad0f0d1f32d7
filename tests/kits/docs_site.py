# SPDX-License-Identifier: Apache-2.0
"""Where the commands of the guides are run: a root folder of their own, and a site around it.

Paths such as `/etc/offrecord` lie in that folder. What `<!-- with: … -->` may name:

- `pbx`: an embedded PBX with a captured call, and a Noojee server with a certificate;
- `daemon`: `offrecord run` beside them; `call`: 410 is talking to 411, recorded twice; `pressed`:
  410 has pressed *1, and the verdict is in the journal;
- `api`: the HTTP API at that daemon, with a token of every scope in `$TOKEN`;
- `freepbx`, alone: the files of a PBX that FreePBX configures, and nothing that runs;
- `pbx-away`, `wrong-secret`, `noojee-away`, `noojee-stranger`: what is wrong with that site.
"""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridges.simulators import certificates
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from bridges.simulators.noojee.switches import NoojeeSwitches
from bridges.simulators.server import SimServer
from lab.pbx.embedded_pbx import EmbeddedPbx, stream
from lab.pbx.ports import free_tcp
from offrecord.control import client
from offrecord.journal import presses
from offrecord.web.tokens import Scope, Tokens
from tests.kits.docs_kit import ROOT, blocks
from tests.kits.init_kit import FREEPBX
from tests.kits.waiting import eventually, patience

GIVEN = frozenset(
    {"pbx", "daemon", "api", "call", "pressed", "pbx-away", "wrong-secret", "noojee-away",
     "noojee-stranger", "freepbx"}
)  # fmt: skip
CREDENTIALS = "/etc/offrecord/credentials"
_PLACES = r"(?<![\w./])/(?=(?:etc|opt|run|usr/local|usr/share/asterisk|var/lib)/)"
_BIN = Path(sys.executable).parent
_SECONDS = 20.0


@dataclass(slots=True)
class Ran:
    """How one command ended: all that it printed, and its exit code."""

    printed: str
    code: int


class DocsSite:
    """A root folder, and what runs around it. The folder has what a machine with Asterisk has."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._port = 8473
        for folder in (
            "etc/asterisk", "etc/offrecord", "etc/systemd/system", "opt/offrecord/bin",
            "run/offrecord", "usr/local/bin", "usr/share/asterisk/agi-bin", "var/lib/offrecord",
            "usr/share/asterisk/sounds", "checkout",
        ):  # fmt: skip
            (root / folder).mkdir(parents=True)
        for name in ("manager", "features", "extensions", "queues"):
            (root / f"etc/asterisk/{name}.conf").write_text("[general]\n")
        for program in ("offrecord", "offrecord-agi"):
            (root / "opt/offrecord/bin" / program).symlink_to(_BIN / program)
        for name in (
            "dialplan-examples", "packaging", "constraints.txt", "pyproject.toml", "sounds",
        ):  # fmt: skip
            (root / "checkout" / name).symlink_to(ROOT / name)

    def path(self, name: str) -> Path:
        """Return where a path of the guides lies."""
        return self.root / name.lstrip("/")

    def placed(self, text: str) -> str:
        """Return a text with the paths of the guides turned to those of this site."""
        text = text.replace("127.0.0.1:8473", f"127.0.0.1:{self._port}")
        return re.sub(_PLACES, f"{self.root}/", text)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.path("/etc/offrecord/offrecord.toml")

    def first_site(self) -> None:
        """Lay the first site of the README, where the guide itself has laid none."""
        credentials = self.path(CREDENTIALS)
        credentials.mkdir(mode=0o700, exist_ok=True)
        for name, secret in (("ami.secret", "docs-secret"), ("noojee.key", DEMO_KEY)):
            self.secret(credentials / name, secret)
        asterisk = self.path("/etc/asterisk")
        if not (asterisk / "features-offrecord.conf").exists():  # which `init` writes
            for name in ("features.conf", "extensions-pjsip.conf"):
                (asterisk / name).write_text((ROOT / "dialplan-examples" / name).read_text())
            include = '#include "extensions-pjsip.conf"\n'
            extensions = asterisk / "extensions.conf"
            if include not in extensions.read_text():
                extensions.write_text(extensions.read_text() + include)
        if not self.config.exists():
            block = next(b for b in blocks("README.md", "toml") if b.file.endswith(".toml"))
            self.config.write_text(self.placed(block.text))

    @staticmethod
    def secret(path: Path, text: str) -> None:
        """Write a secret where there is none yet."""
        if not path.exists():
            path.write_text(f"{text}\n")
            path.chmod(0o600)

    def environment(self) -> dict[str, str]:
        """Return the environment of the commands when nothing runs around them."""
        kept = {key: value for key, value in os.environ.items() if "OFFRECORD" not in key}
        return {
            **kept,
            "HOME": str(self.root),
            "PATH": f"{self.root}/usr/local/bin:{_BIN}:{os.environ['PATH']}",
            "OFFRECORD_CONFIG": str(self.config),
            "OFFRECORD_ASTERISK_ETC": str(self.path("/etc/asterisk")),
            "OFFRECORD_ROOT": str(self.root),
            "OFFRECORD_SOCKET": str(self.path("/run/offrecord/offrecord.sock")),
            "OFFRECORD__SOCKET__PATH": str(self.path("/run/offrecord/offrecord.sock")),
            "OFFRECORD__JOURNAL__PATH": str(self.path("/var/lib/offrecord/journal.sqlite3")),
        }

    async def run(self, commands: Sequence[str], given: Sequence[str] = ()) -> list[Ran]:
        """Run the commands of one block in one shell, in a checkout; the key is typed where asked.

        `given` is what must be there.
        """
        if "freepbx" in given:
            self._freepbx()
        if not set(given) - {"freepbx"}:
            return await self._shell(commands, self.environment())
        async with self._around(given) as more:
            return await self._shell(commands, {**self.environment(), **more})

    def _freepbx(self) -> None:
        """Lay FreePBX's files in the place of Asterisk's, but for those that are there already."""
        etc = self.path("/etc/asterisk")
        if not (etc / "globals_custom.conf").exists():
            for name, text in FREEPBX.items():
                (etc / name).write_text(text)
            self.config.unlink(missing_ok=True)  # `init` writes its own

    async def _shell(self, commands: Sequence[str], environment: Mapping[str, str]) -> list[Ran]:
        mark = "\x1e"
        script = "".join(f"{self.placed(c)}\nprintf '{mark}%s{mark}' $?\n" for c in commands)
        shell = await asyncio.create_subprocess_exec(
            "bash", "-c", script, cwd=self.root / "checkout", env=dict(environment),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await shell.communicate(f"{DEMO_KEY}\n".encode())
        parts = self._told(out.decode()).split(mark)
        return [Ran(text, int(code)) for text, code in zip(parts[::2], parts[1::2], strict=False)]

    def _told(self, text: str) -> str:
        """Return what was printed as the guides have it: their paths, their Noojee."""
        return re.sub(
            r"https://127\.0\.0\.1:\d+", "https://noojee.example", text.replace(str(self.root), "")
        )

    @asynccontextmanager
    async def _around(self, given: Sequence[str]) -> AsyncIterator[dict[str, str]]:
        """Lay what is given, and yield what the environment says of it."""
        unknown = set(given) - GIVEN
        assert not unknown, unknown
        self.first_site()
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            made = certificates.issue(folder)
            noojee = NoojeeSimulator(DEMO_KEY, switches=NoojeeSwitches(auto=True))
            server = SimServer(noojee, tls=made.server_context())
            await stack.enter_async_context(server)
            secret = self.path(f"{CREDENTIALS}/ami.secret").read_text().strip()
            if "wrong-secret" in given:
                secret = "another"
            agi = free_tcp()
            for dialplan in self.path("/etc/asterisk").glob("extensions-*.conf"):
                dialplan.write_text(dialplan.read_text().replace(":4573", f":{agi}"))
            pbx = EmbeddedPbx(stream("22"), ("127.0.0.1", agi), secret)
            port = await pbx.start()
            stack.push_async_callback(pbx.stop)
            away = free_tcp()
            variables = {
                "OFFRECORD__AMI__PORT": str(away if "pbx-away" in given else port),
                "OFFRECORD__AGI__PORT": str(agi),
                "OFFRECORD__RECORDERS__NOOJEE__URL": (
                    f"https://127.0.0.1:{away}" if "noojee-away" in given else server.url
                ),
            }
            if "noojee-stranger" not in given:
                variables["OFFRECORD__RECORDERS__NOOJEE__CA_FILE"] = str(made.ca_file)
            if "api" in given:
                variables |= self._api(free_tcp())
            if "daemon" in given:
                await self._daemon(variables, stack)
            if {"call", "pressed"} & set(given):
                digit = pbx.play_until_press()
                await self._until("calls", lambda body: len(body["calls"]) == 1)
                if "pressed" in given:
                    await pbx.press(digit, "stop")
                    await self._verdict()
            yield variables

    def _api(self, port: int) -> dict[str, str]:
        """Return what turns the API on; its commands ask `127.0.0.1:8473`."""
        path = self.path("/var/lib/offrecord-api/tokens.json")
        if path.exists():
            path.unlink()
        self._port = port
        return {
            "OFFRECORD__HTTP__ENABLED": "true",
            "OFFRECORD__HTTP__PORT": str(port),
            "OFFRECORD__API__ENABLED": "true",
            "OFFRECORD__API__TOKENS": str(path),
            "TOKEN": Tokens(path).add("docs", [scope.value for scope in Scope]),
        }

    async def _daemon(self, variables: Mapping[str, str], stack: AsyncExitStack) -> None:
        for old in self.path("/var/lib/offrecord").iterdir():
            old.unlink()
        log = self.root / "daemon.log"
        environment = {
            **self.environment(), **variables, "CREDENTIALS_DIRECTORY": str(self.path(CREDENTIALS))
        }  # fmt: skip
        with log.open("wb") as out:
            daemon = await asyncio.create_subprocess_exec(
                _BIN / "offrecord", "run", env=environment, stdout=out, stderr=out
            )

        async def stop() -> None:
            if daemon.returncode is None:
                daemon.terminate()
            assert await asyncio.wait_for(daemon.wait(), _SECONDS) == 0, log.read_text()

        stack.push_async_callback(stop)
        await self._until("status", lambda body: bool(body["known"]))

    async def _until(self, op: str, holds: Any) -> None:
        path = self.path("/run/offrecord/offrecord.sock")

        async def seen() -> bool:
            if not path.exists():
                return False
            [body] = await asyncio.to_thread(lambda: list(client.ask(path, {"op": op}, patience())))
            return holds(body)

        await eventually(seen, f"the daemon's answer to {op!r} is as awaited", every=0.02)

    async def _verdict(self) -> None:
        journal = self.path("/var/lib/offrecord/journal.sqlite3")

        async def told() -> bool:
            return any(one.outcome for one in await asyncio.to_thread(presses, journal))

        await eventually(told, "a press has its verdict", every=0.02)
