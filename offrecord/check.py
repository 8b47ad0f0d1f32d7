# SPDX-License-Identifier: Apache-2.0
"""Try what the daemon would need: the PBX, its account, every recorder, the journal."""

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from ami.calls import CallGraph
from ami.errors import AmiDown, AmiError, AmiUnreachable
from ami.link import LinkState
from ami.pbx import Pbx
from ami.privileges import Excessive
from bridges.model import Recorder, RecorderUnavailable
from offrecord import site as sites
from offrecord.config import Loaded
from offrecord.exits import RECORDER_EXITS, Exit
from offrecord.giving import LOCAL
from offrecord.http import hook_of
from offrecord.journal import JournalError, presses
from offrecord.pbx_errors import user_error

_PATIENCE = 8.0
"""Seconds for one thing to answer; Asterisk alone takes a second to refuse a wrong secret."""

_PRIVILEGES_PATIENCE = 4.0
_TICK = 0.1


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: whether it is well, and what was found or how to mend it."""

    what: str
    ok: bool
    text: str
    exit: Exit = Exit.OK
    warning: bool = False
    """True for what works and is not as it should be."""


async def checks(loaded: Loaded) -> list[Check]:
    """Try everything and return what was found, in the order an administrator would mend it."""
    rules = sites.name_rules(loaded.config)
    pbx = Pbx(sites.ami_settings(loaded.config), graph=CallGraph(rules))
    recorders = sites.recorders(loaded, pbx)
    sites.keypad(loaded)
    sites.agents(loaded)
    sites.http_tls(loaded)
    found = [Check("config", ok=True, text=f"{len(loaded.warnings)} warnings")]
    found += [Check("config", ok=False, text=text, exit=Exit.CONFIG) for text in loaded.warnings]
    found += [
        Check("hooks", ok=True, warning=True,
              text=f"{name} waits for reports of its vendor: set enabled = true in [http]")
        for name, recorder in recorders.items()
        if hook_of(recorder) is not None and not loaded.config.http.enabled
    ]  # fmt: skip
    found += await _pbx(pbx, recorders)
    found.append(_journal(loaded.config.journal.path))
    return found


async def _pbx(pbx: Pbx, recorders: dict[str, Recorder]) -> list[Check]:
    """Try the PBX, then the recorders; those on the PBX itself only where it can be asked."""
    link = asyncio.create_task(pbx.run(), name="pbx")
    try:
        problem = await _first_problem(pbx, link)
        local = any(recorder.kind == LOCAL for recorder in recorders.values())
        account = await _privileges(pbx, local=local)
        lacking = [one for one in account if not one.ok]
        if problem is None:
            found = [_version(pbx), *account]
        elif lacking:  # the very reason why no view of the calls came
            found = lacking
        else:
            code = user_error(problem).exit
            found = [Check("pbx", ok=False, text=str(problem), exit=code)]
        asked = problem is None and not lacking
        found += [
            await _recorder(recorder)
            for recorder in recorders.values()
            if asked or recorder.kind != LOCAL
        ]
    finally:
        link.cancel()
        with contextlib.suppress(asyncio.CancelledError, AmiError):
            await link
    return found


async def _first_problem(pbx: Pbx, link: "asyncio.Task[None]") -> AmiError | None:
    """Return why the PBX cannot be asked; None once its calls are known."""
    for _ in range(int(_PATIENCE / _TICK)):
        if await pbx.wait_known(_TICK):
            return None
        if link.done():
            problem = link.exception()
            assert isinstance(problem, AmiError)
            return problem
        if isinstance(pbx.link.problem, AmiUnreachable):
            return pbx.link.problem
        if pbx.missing_privileges:
            break
    return pbx.link.problem or AmiDown("its calls could not be listed", fix="see privileges")


def _version(pbx: Pbx) -> Check:
    version = ".".join(str(part) for part in pbx.version)
    return Check("pbx", ok=True, text=f"Asterisk {version}, {len(pbx.graph.calls())} calls up")


def _too_much(one: Excessive, *, local: bool) -> Check:
    """Weigh a privilege that the account could do without.

    `ConfbridgeStopRecord`, which alone stops what ConfBridge itself records, needs `system`: where
    the PBX is a recorder the account may have it on purpose.
    """
    if local and one.privilege == "system":
        text = (
            "write = system is there: it stops what ConfBridge records of a conference, which"
            f" nothing else can; without such conferences take it away, as it also {one.risk}"
        )
        return Check("privileges", ok=True, text=text)
    text = f"{one.direction} = {one.privilege} is more than is used: {one.risk}"
    return Check("privileges", ok=True, warning=True, text=text)


async def _privileges(pbx: Pbx, *, local: bool) -> list[Check]:
    """Say what the account lacks and has too much; `local`: the PBX itself is a recorder."""
    if pbx.link.state is not LinkState.UP:
        return []
    report = await pbx.wait_privileges(_PRIVILEGES_PATIENCE)
    if report is None:
        text = "the PBX did not say what the account may do; see whether it is overloaded"
        return [Check("privileges", ok=False, text=text, exit=Exit.PBX_PRIVILEGES)]
    too_much = [_too_much(one, local=local) for one in report.excessive]
    if not report.missing:
        blind = ", ".join(f"{one.direction} = {one.privilege}" for one in report.unchecked)
        text = f"enough, as far as can be checked: {blind} cannot" if blind else "enough"
        return [Check("privileges", ok=True, text=text), *too_much]
    return [
        *(
            Check("privileges", ok=False, text=str(missing), exit=Exit.PBX_PRIVILEGES)
            for missing in report.missing
        ),
        *too_much,
    ]


async def _recorder(recorder: Recorder) -> Check:
    what = f"recorder {recorder.name}"
    await recorder.open()
    try:
        async with asyncio.timeout(_PATIENCE):
            return Check(what, ok=True, text=await recorder.probe())
    except RecorderUnavailable as problem:
        text = str(problem).removeprefix(f"recorder {recorder.name!r}: ")
        return Check(what, ok=False, text=text, exit=RECORDER_EXITS[problem.cause])
    except TimeoutError:
        text = f"no answer within {_PATIENCE:g} s; check address and network"
        return Check(what, ok=False, text=text, exit=Exit.RECORDER_UNREACHABLE)
    finally:
        await recorder.close()


def _journal(path: Path) -> Check:
    """Read the journal that is there, or see whether one could be begun. Creates nothing."""
    if path.exists():
        try:
            presses(path, limit=1)
        except JournalError as problem:
            return Check("journal", ok=False, text=str(problem), exit=problem.exit)
        return Check("journal", ok=True, text=f"{path} can be read")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        text = f"{path} cannot be begun: no right to write in {folder}; make its folder writable"
        return Check("journal", ok=False, text=text, exit=Exit.JOURNAL)
    return Check("journal", ok=True, text=f"{path} will be begun")
