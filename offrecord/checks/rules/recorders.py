# SPDX-License-Identifier: Apache-2.0
"""The rules about recorders: each answers, what its answer shows, and its vendor's reports."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from bridges.model import Recorder, RecorderUnavailable, hook_of
from bridges.registry import kind_now
from offrecord.base.errors import RECORDER_EXITS, Exit
from offrecord.checks.finding import Finding, State, failure, ok, skipped, warning
from offrecord.checks.inputs import PATIENCE, CheckInputs

WINDOW: Final = 10.0
"""Seconds for which Noojee accepts a signed request after its timestamp."""

APART: Final = 10.0
"""Seconds that a recorder's clock may differ from ours: recordings are found by time."""

_TIME: Final = re.compile(r"its time is (\d{12,14}) ms")
_NO_FEATURE: Final = "has no feature"
_EXPIRED: Final = "certificate has expired"


async def recorders(inputs: CheckInputs) -> list[Finding]:
    """Probe every recorder; those on the PBX itself only when the PBX can be asked."""
    asked = inputs.reachable and not inputs.pbx.missing_privileges
    each = [
        _recorder(inputs, recorder)
        for recorder in inputs.recorders.values()
        if asked or not recorder.capabilities.on_pbx
    ]
    found = [one for some in await asyncio.gather(*each) for one in some]
    return [*_former_names(inputs), *found]


def _former_names(inputs: CheckInputs) -> list[Finding]:
    """Return a finding for each recorder whose kind has another name now."""
    return [
        warning(f"recorder {name}", f"its kind {given.kind!r} is called {now!r} now",
                f'write kind = "{now}" in [recorders.{name}]')
        for name, given in inputs.loaded.config.recorders.items()
        if (now := kind_now(given.kind)) != given.kind
    ]  # fmt: skip


async def _recorder(inputs: CheckInputs, recorder: Recorder) -> list[Finding]:
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
        return [failure(what, found or text, fix if found else "", RECORDER_EXITS[problem.cause])]
    except TimeoutError:
        text = f"no answer within {PATIENCE:g} s"
        return [failure(what, text, "check address and network", Exit.RECORDER_UNREACHABLE)]
    finally:
        await recorder.close()
    extra = _MORE.get(recorder.kind, _nothing)
    more = extra(inputs, recorder.name, said, time.monotonic() - began)
    if any(one.state is State.FAIL for one in more):
        return more
    return [ok(what, said), *more]


def _nothing(_scene: CheckInputs, _name: str, _said: str, _took: float) -> list[Finding]:
    return []


def _noojee(inputs: CheckInputs, name: str, said: str, took: float) -> list[Finding]:
    """Check Noojee's clock, the time of its answer, and that some agent is known for a stop."""
    what, found = f"recorder {name}", []
    if took > WINDOW / 2:
        text = f"it took {took:.1f} s to answer, and takes a signed request for {WINDOW:g} s only"
        found.append(warning(what, text, "see what makes the way there slow"))
    told = _TIME.search(said)
    apart = int(told[1]) / 1000 - time.time() if told else 0.0
    if abs(apart) > APART:
        text = (
            f"its clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this"
            " machine's: recordings are looked for at the wrong time"
        )
        found.append(warning(what, text, "have both machines keep time by NTP"))
    config = inputs.loaded.config
    options = config.recorders[name].options
    lookup = config.agent_lookup
    someone = (
        options.get("agent_login"), config.agents, lookup.file, lookup.astdb, lookup.queue_members
    )  # fmt: skip
    if not any(someone):
        text = "no agent is known, so no stop can be sent in anybody's name that it knows"
        found.append(warning(what, text, f"set `agent_login` in [recorders.{name}], or [agents]"))
    return found


def _genesys(_scene: CheckInputs, name: str, said: str, _took: float) -> list[Finding]:
    if _NO_FEATURE not in said:
        return []
    text, _, missing = said.partition("; ")
    fix = "switch the feature on for that agent in Genesys"
    return [failure(f"recorder {name}", f"{text}: {missing}", fix, Exit.RECORDER_REFUSED)]


def _voipnow(_scene: CheckInputs, name: str, _said: str, _took: float) -> list[Finding]:
    """Name the one setting that a stop depends on and that VoipNow does not show."""
    text = "whether its extensions record by the trigger `When *1 is pressed` is not shown"
    return [skipped(f"recorder {name}", text, "look in VoipNow: with any other, no stop works")]


_MORE: Final[Mapping[str, Callable[[CheckInputs, str, str, float], list[Finding]]]] = {
    "noojee": _noojee,
    "genesys": _genesys,
    "voipnow": _voipnow,
}
"""More findings from the answer of a recorder, by its kind."""


async def hooks(inputs: CheckInputs) -> list[Finding]:
    """List the recorders that wait for their vendor's reports while `[http]` is off."""
    if inputs.loaded.config.http.enabled:
        return []
    return [
        warning("hooks", f"{name} waits for reports of its vendor, and nothing listens for them",
              "set `enabled = true` in [http]")
        for name, recorder in inputs.recorders.items()
        if hook_of(recorder) is not None
    ]  # fmt: skip
