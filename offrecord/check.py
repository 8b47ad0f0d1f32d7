# SPDX-License-Identifier: Apache-2.0
"""Try what the daemon would need: the PBX, its account, every recorder, the journal."""

import asyncio
import contextlib
from dataclasses import dataclass

from ami.calls import CallGraph
from ami.errors import AmiError
from ami.pbx import Pbx
from bridges.model import Recorder, RecorderUnavailable
from offrecord import site as sites
from offrecord.config import Loaded
from offrecord.exits import RECORDER_EXITS, Exit
from offrecord.pbx_errors import user_error

_PATIENCE = 8.0
"""Seconds for one thing to answer; Asterisk alone takes a second to refuse a wrong secret."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: whether it is well, and what was found or how to mend it."""

    what: str
    ok: bool
    text: str
    exit: Exit = Exit.OK


async def checks(loaded: Loaded) -> list[Check]:
    """Try everything and return what was found, in the order an administrator would mend it."""
    rules = sites.name_rules(loaded.config)
    pbx = Pbx(sites.ami_settings(loaded.config), graph=CallGraph(rules))
    recorders = sites.recorders(loaded, pbx)
    found = [Check("config", ok=True, text=f"{len(loaded.warnings)} warnings")]
    found += [Check("config", ok=False, text=text, exit=Exit.CONFIG) for text in loaded.warnings]
    found += await _pbx(pbx, recorders)
    return found


async def _pbx(pbx: Pbx, recorders: dict[str, Recorder]) -> list[Check]:
    found: list[Check] = []
    task = asyncio.create_task(pbx.run(), name="pbx")
    known = asyncio.create_task(pbx.wait_known(_PATIENCE), name="known")
    try:
        await asyncio.wait({task, known}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        if known.done() and known.result():
            found.append(_version(pbx))
            found += _privileges(pbx)
        else:
            problem = pbx.link.problem
            text = str(problem) if problem else "its calls could not be listed"
            code = user_error(problem).exit if problem else Exit.PBX_UNREACHABLE
            found.append(Check("pbx", ok=False, text=text, exit=code))
        found += [await _recorder(recorder) for recorder in recorders.values()]
    except AmiError as problem:
        found.append(Check("pbx", ok=False, text=str(problem), exit=user_error(problem).exit))
        found += [
            await _recorder(recorder)
            for recorder in recorders.values()
            if recorder.kind != "mixmonitor"
        ]
    finally:
        for one in (task, known):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError, AmiError):
                await one
    return found


def _version(pbx: Pbx) -> Check:
    version = ".".join(str(part) for part in pbx.version)
    return Check("pbx", ok=True, text=f"Asterisk {version}, {len(pbx.graph.calls())} calls up")


def _privileges(pbx: Pbx) -> list[Check]:
    report = pbx.privileges
    if report is None or not report.missing:
        return [Check("privileges", ok=True, text="enough")]
    return [
        Check("privileges", ok=False, text=str(missing), exit=Exit.PBX_PRIVILEGES)
        for missing in report.missing
    ]


async def _recorder(recorder: Recorder) -> Check:
    what = f"recorder {recorder.name}"
    await recorder.open()
    try:
        async with asyncio.timeout(_PATIENCE):
            return Check(what, ok=True, text=await recorder.probe())
    except RecorderUnavailable as problem:
        return Check(what, ok=False, text=str(problem), exit=RECORDER_EXITS[problem.cause])
    except TimeoutError:
        text = f"no answer within {_PATIENCE:g} s; check address and network"
        return Check(what, ok=False, text=text, exit=Exit.RECORDER_UNREACHABLE)
    finally:
        await recorder.close()
