# SPDX-License-Identifier: Apache-2.0
"""The folders that are watched, those that cannot be, and why."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from ami.errors import AmiError
from ami.ports import Actions
from offrecord.witness.folders import MONITOR, SPOOL, path_here, use_of, why_not
from offrecord.witness.watch import FolderWatch

SPOOL_VARIABLE: Final = "ASTSPOOLDIR"
"""The global variable of Asterisk that names its spool; no right but `call` is needed."""

ELSEWHERE: Final = "the PBX is on another machine"
MOST_NAMED: Final = 200
"""Folders that are watched because a recording was named there."""

_log = structlog.stdlib.get_logger(__name__)


class Places:
    """Finds the folders that Asterisk records into and has them watched.

    `here`: whether the PBX is on this machine.
    """

    def __init__(self, pbx: Actions, watch: FolderWatch, *, here: bool) -> None:
        self.broken = ""
        """Why nothing can be watched at all; empty when something can."""
        self.roots: list[Path] = []
        """The folders that are watched, with those below them."""
        self._pbx = pbx
        self._watch = watch
        self._here = here
        self._why: dict[str, str] = {}
        self._named: set[Path] = set()

    @property
    def not_watched(self) -> dict[str, str]:
        """Folders that cannot be watched, and why; `spool` stands for those of Asterisk."""
        if self.broken:
            return {"spool": self.broken}
        return dict(self._why)

    def path_here(self, name: str) -> Path | None:
        """Return a file that the PBX names, as this machine sees it; None where it does not."""
        return path_here(name, self.roots)

    def use(self, path: Path) -> str:
        """Return what records into the folder of a file; see `folders.use_of`."""
        roots = [root for root in self.roots if path.is_relative_to(root)]
        return use_of(max(roots, key=lambda root: len(root.parts), default=path.parent))

    def named(self, name: str) -> None:
        """Watch the folder of a file that a recording was said to be written to, too."""
        if not self._here or self.path_here(name) is not None or len(self._named) >= MOST_NAMED:
            return
        folder = Path(name).parent
        if Path(name).is_absolute() and folder not in self._named:
            self._named.add(folder)
            self._add(folder, below=False)

    async def look(self, more: Sequence[Path]) -> None:
        """Watch what is there now: the spool's folders, and `more` that the site names."""
        if self.broken:
            return
        folders = [*more]
        spool = await self._spool()
        await asyncio.to_thread(self._add_all, folders, spool)

    def _add_all(self, folders: Sequence[Path], spool: Path | None) -> None:
        for folder in folders:
            self._add(folder)
        if spool is None:
            return
        if not spool.is_dir():
            self._why["spool"] = f"{spool} is not on this machine, or may not be read"
            return
        self._why.pop("spool", None)
        for name in SPOOL:
            if name == MONITOR or (spool / name).exists():
                self._add(spool / name)
        self._watch.add(spool, below=False)  # for those that are made later

    async def _spool(self) -> Path | None:
        """Return the PBX's spool, None when it is not on this machine, or not known."""
        if not self._here:
            self._why["spool"] = ELSEWHERE
            return None
        try:
            answer = await self._pbx.action("Getvar", {"Variable": SPOOL_VARIABLE})
        except AmiError as problem:
            self._why["spool"] = f"the PBX does not say where its spool is: {problem}"
            return None
        value = answer.headers.get("Value", "") if answer.ok else ""
        if not value.startswith("/"):
            self._why["spool"] = "the PBX does not say where its spool is"
            return None
        return Path(value)

    def _add(self, folder: Path, *, below: bool = True) -> None:
        problem = why_not(folder)
        if not problem and folder not in self.roots:
            problem = self._watch.add(folder, below=below)
            self.roots = sorted({*self.roots, folder})
            _log.info("witness_watches", folder=str(folder))
        if not problem:
            self._why.pop(str(folder), None)
        elif self._why.get(str(folder)) != problem:
            self._why[str(folder)] = problem
            _log.warning("witness_not_watching", folder=str(folder), problem=problem)
