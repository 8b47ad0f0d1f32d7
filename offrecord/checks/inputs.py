# SPDX-License-Identifier: Apache-2.0
"""The inputs of all rules: the configuration, the PBX, and its files if they can be read.

Everything is asked with what the least account may do (`write = call,reporting`), measured on 16.28
and 22.10: `Getvar` without a channel gives globals and any dialplan function, so
`FEATURE(…)` and `FEATUREMAP(…)` tell the codes as Asterisk has them now, `AST_CONFIG(…)` a line of
a file, `PJSIP_ENDPOINT(…)` an endpoint's settings; `ShowDialPlan` and `DeviceStateList` list what
their names say; `SIPshowpeer` shows a peer of chan_sip. `Command` and `GetConfig` are not used.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ami import privileges
from ami.calls.graph import CallGraph
from ami.errors import AmiDown, AmiError, AmiUnreachable, AmiUnsupported
from ami.link.supervisor import Response
from ami.pbx import Pbx
from bridges.model import Recorder
from offrecord.assembly import build as sites
from offrecord.asterisk_files.conf_parser import Tree
from offrecord.config import Loaded
from offrecord.config.fields import is_loopback

PATIENCE: Final = 8.0
"""Seconds for one answer; Asterisk takes a second to refuse a wrong secret."""

LISTING: Final = 10.0
"""Seconds for a long list; the dialplan of a large PBX has ten thousand lines."""

ETC: Final = Path("/etc/asterisk")
_TICK: Final = 0.1
_BIGGEST: Final = 4_000_000
"""Bytes above which a file of Asterisk is not read."""


@dataclass(frozen=True, slots=True)
class Places:
    """Paths on this machine; `asterisk` None means `/etc/asterisk`.

    A folder that was named is read even where the PBX seems to be another machine.
    """

    config: Path | None = None
    asterisk: Path | None = None
    root: Path = Path("/")


@dataclass(slots=True)
class CheckInputs:
    """Everything that the rules may look at.

    `trouble` is why the PBX cannot be asked, None where it can. `tree` are Asterisk's files, None
    where they cannot be read, and `unread` says why. `granted` are the actions the account may
    run.
    """

    loaded: Loaded
    places: Places
    pbx: Pbx
    recorders: Mapping[str, Recorder]
    trouble: AmiError | None = None
    tree: Tree | None = None
    unread: str = ""
    granted: privileges.Granted = field(default_factory=dict)
    _dialplan: list[Mapping[str, str]] | None = None

    @property
    def etc(self) -> Path:
        """The folder of Asterisk's files."""
        return self.places.asterisk or ETC

    @property
    def pbx_is_here(self) -> bool:
        """True when the PBX is on this machine, by the address of its AMI."""
        return is_loopback(self.loaded.config.ami.host)

    @property
    def reachable(self) -> bool:
        """True when the PBX can be asked."""
        return self.trouble is None

    async def getvar(self, name: str) -> str:
        """Return a global variable or the value of a function; empty when the PBX has none."""
        if not self.reachable or "Getvar" not in self.granted:
            return ""
        try:
            answer = await self.pbx.action("Getvar", {"Variable": name})
        except AmiError:
            return ""  # the rule `pbx` reports a link that went down
        return str(answer.headers.get("Value", "")) if answer.ok else ""

    async def listing(
        self, action: str, fields: Mapping[str, str | Sequence[str]] | None = None
    ) -> list[Response] | None:
        """Return the rows of a list; None where the account may not see it."""
        if not self.reachable or action not in self.granted:
            return None
        try:
            return await self.pbx.action_list(action, fields or {}, timeout=LISTING)
        except AmiError:
            return None

    async def dialplan(self) -> list[Mapping[str, str]] | None:
        """Return every step of the running dialplan; None where the account may not see it."""
        if self._dialplan is None:
            rows = await self.listing("ShowDialPlan")
            if rows is None:
                return None
            self._dialplan = [row.headers for row in rows]
        return self._dialplan


def read_tree(folder: Path) -> tuple[Tree | None, str]:
    """Return Asterisk's files, or None and why they cannot be read."""
    if not folder.is_dir():
        return None, f"there is no folder {folder} here"
    tree: dict[str, str] = {}
    for path in sorted(folder.rglob("*.conf")):
        try:
            if path.is_file() and path.stat().st_size <= _BIGGEST:
                tree[str(path.relative_to(folder))] = path.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            # A file with secrets may be unreadable; those with the codes hold none.
            if path.name in {"features.conf", "extensions.conf"}:
                return None, f"{path} cannot be read: {error.strerror}; run check as root"
    return (tree, "") if tree else (None, f"there are no files of Asterisk in {folder}")


@asynccontextmanager
async def gather_inputs(
    loaded: Loaded, places: Places, *, digits: bool = False
) -> AsyncIterator[CheckInputs]:
    """Log in to the PBX, read its files, and yield the inputs. Raises `ConfigError`.

    With `digits` the link takes events of digits, whether or not `[keypad]` is on.
    """
    rules = sites.name_rules(loaded.config)
    settings = sites.ami_settings(loaded.config)
    settings = replace(settings, keypad=settings.keypad or digits)
    pbx = Pbx(settings, graph=CallGraph(rules))
    recorders = sites.recorders(loaded, pbx)
    sites.keypad(loaded)
    sites.agents(loaded)
    sites.http_tls(loaded)
    made = CheckInputs(loaded, places, pbx, recorders)
    if made.pbx_is_here or places.asterisk is not None:
        made.tree, made.unread = await asyncio.to_thread(read_tree, made.etc)
    else:
        made.unread = f"the files of the PBX are on {loaded.config.ami.host}, not here"
    link = asyncio.create_task(pbx.run(), name="pbx")
    try:
        made.trouble = await _trouble(pbx, link)
        if made.reachable:
            with contextlib.suppress(AmiError):
                made.granted = privileges.granted(await pbx.action("ListCommands"))
        yield made
    finally:
        link.cancel()
        with contextlib.suppress(asyncio.CancelledError, AmiError):
            await link


async def _trouble(pbx: Pbx, link: "asyncio.Task[None]") -> AmiError | None:
    """Return why the PBX cannot be asked; None once its calls are known."""
    for _ in range(int(PATIENCE / _TICK)):
        if await pbx.wait_known(_TICK):
            return None
        if link.done():
            problem = link.exception()
            assert isinstance(problem, AmiError)
            return problem
        if isinstance(pbx.link.problem, AmiUnreachable):
            return pbx.link.problem
        if pbx.unsupported is not None:
            return AmiUnsupported(pbx.unsupported)
        if pbx.missing_privileges:
            break
    return pbx.link.problem or AmiDown("its calls could not be listed", fix="see privileges")
