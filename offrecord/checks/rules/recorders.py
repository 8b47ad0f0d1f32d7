# SPDX-License-Identifier: Apache-2.0
"""The rules about the recorders: that each answers, and what its answer shows beside that."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from bridges.model import Recorder, RecorderUnavailable
from offrecord.base.errors import RECORDER_EXITS, Exit
from offrecord.checks.inputs import PATIENCE, CheckInputs
from offrecord.checks.model import Finding, State, broken, doubt, unseen, well

WINDOW: Final = 10.0
"""Seconds that Noojee gives a signed request, from the time that it told to its arrival."""

APART: Final = 10.0
"""Seconds that a recorder's clock may be away from ours: recordings are looked for by time."""

_TIME: Final = re.compile(r"its time is (\d{12,14}) ms")
_NO_FEATURE: Final = "has no feature"
_EXPIRED: Final = "certificate has expired"


async def recorders(scene: CheckInputs) -> list[Finding]:
    """Try every recorder; those on the PBX itself only where it can be asked."""
    asked = scene.asked and not scene.pbx.missing_privileges
    each = [
        _recorder(scene, recorder)
        for recorder in scene.recorders.values()
        if asked or not recorder.capabilities.on_pbx
    ]
    return [one for found in await asyncio.gather(*each) for one in found]


async def _recorder(scene: CheckInputs, recorder: Recorder) -> list[Finding]:
    what = f"recorder {recorder.name}"
    await recorder.open()
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            said = await recorder.probe()
    except RecorderUnavailable as problem:
        text = str(problem).removeprefix(f"recorder {recorder.name!r}: ")
        found, _, fix = text.rpartition("; ")
        if _EXPIRED in text:
            fix = "renew the certificate over there, and see that both clocks are right"
        return [broken(what, found or text, fix if found else "", RECORDER_EXITS[problem.cause])]
    except TimeoutError:
        text = f"no answer within {PATIENCE:g} s"
        return [broken(what, text, "check address and network", Exit.RECORDER_UNREACHABLE)]
    finally:
        await recorder.close()
    extra = _MORE.get(recorder.kind, _nothing)
    more = extra(scene, recorder.name, said, time.monotonic() - began)
    if any(one.state is State.FAIL for one in more):
        return more
    return [well(what, said), *more]


def _nothing(_scene: CheckInputs, _name: str, _said: str, _took: float) -> list[Finding]:
    return []


def _noojee(scene: CheckInputs, name: str, said: str, took: float) -> list[Finding]:
    """Weigh the time that Noojee told, the way there and back, and in whose name is stopped."""
    what, found = f"recorder {name}", []
    if took > WINDOW / 2:
        text = f"it took {took:.1f} s to answer, and takes a signed request for {WINDOW:g} s only"
        found.append(doubt(what, text, "see what makes the way there slow"))
    told = _TIME.search(said)
    apart = int(told[1]) / 1000 - time.time() if told else 0.0
    if abs(apart) > APART:
        text = (
            f"its clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this"
            " machine's: recordings are looked for at the wrong time"
        )
        found.append(doubt(what, text, "have both machines keep time by NTP"))
    config = scene.loaded.config
    options = config.recorders[name].options
    lookup = config.agent_lookup
    someone = (
        options.get("agent_login"), config.agents, lookup.file, lookup.astdb, lookup.queue_members
    )  # fmt: skip
    if not any(someone):
        text = "no agent is known, so no stop can be sent in anybody's name that it knows"
        found.append(doubt(what, text, f"set `agent_login` in [recorders.{name}], or [agents]"))
    return found


def _genesys(_scene: CheckInputs, name: str, said: str, _took: float) -> list[Finding]:
    if _NO_FEATURE not in said:
        return []
    text, _, missing = said.partition("; ")
    fix = "switch the feature on for that agent in Genesys"
    return [broken(f"recorder {name}", f"{text}: {missing}", fix, Exit.RECORDER_REFUSED)]


def _voipnow(_scene: CheckInputs, name: str, _said: str, _took: float) -> list[Finding]:
    """Name the one setting that decides and that VoipNow shows to nobody."""
    text = "whether its extensions record by the trigger `When *1 is pressed` is not shown"
    return [unseen(f"recorder {name}", text, "look in VoipNow: with any other, no stop works")]


_MORE: Final[Mapping[str, Callable[[CheckInputs, str, str, float], list[Finding]]]] = {
    "noojee": _noojee,
    "genesys": _genesys,
    "voipnow": _voipnow,
}
"""What the answer of each kind shows beside that there is one."""
