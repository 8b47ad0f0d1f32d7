# SPDX-License-Identifier: Apache-2.0
"""`check --call`: why a live call can or cannot fire a code, and what a press would then do."""

import time
from collections.abc import Mapping
from typing import Any, Final

from ami.calls.snapshots import Call, Channel
from ami.errors import AmiError
from bridges.model import Verb
from offrecord.assembly import build as sites
from offrecord.base.errors import Exit, UserError, user_error
from offrecord.checks import codes_in_force
from offrecord.checks.finding import Finding, failure, ok, skipped, warning
from offrecord.checks.inputs import CheckInputs, Places, gather_inputs
from offrecord.checks.rules.dialplan import VARIABLE
from offrecord.checks.rules.phones import endpoint, of_phones
from offrecord.config import Loaded
from offrecord.model.intents import Intents
from offrecord.model.press import Press
from offrecord.presses.explain import explain
from offrecord.presses.find_call import Unresolved
from offrecord.presses.plan import plan

_ELSEWHERE: Final = {
    "ConfBridge": "it is in a conference",
    "Park": "it is parked",
    "ParkedCall": "it is parked",
    "Stasis": "a Stasis application has it",
    "Wait": "it waits alone in the dialplan",
}
"""Reason why Asterisk looks for no codes on a channel, by the application that runs it."""

_OTHERWISE: Final = "press by offrecord stop, a button or the HTTP API"


async def check_call(loaded: Loaded, target: str, places: Places | None = None) -> list[Finding]:
    """Check whether a code pressed on `target` would be taken, and what the press would do.

    `target` is a channel, a uniqueid or an extension. Nothing is sent to a recorder. Raises
    `UserError` when the PBX cannot be asked or the call is not there.
    """
    async with gather_inputs(loaded, places or Places()) as inputs:
        if inputs.trouble is not None:
            raise user_error(inputs.trouble)
        body = await _explained(inputs, target)
        graph = inputs.pbx.graph
        call = next((one for one in graph.calls() if body["call"] in one.lineage), None)
        presser = graph.by_name(str(body["presser"]))
        if call is None or presser is None:
            text = f"{target} names no channel of a call that is up"
            fix = "name a channel: offrecord calls lists them"
            raise UserError(text, fix, Exit.NOT_FOUND)
        return await _look(inputs, call, presser, body)


async def _explained(inputs: CheckInputs, target: str) -> Mapping[str, Any]:
    site = sites.site(inputs.loaded, inputs.pbx, inputs.recorders)
    press = Press("check", Verb.STOP, "cli", target, time.time_ns() // 10**6, time.monotonic())
    try:
        resolved = await site.resolver.resolve(press)
    except Unresolved as problem:
        fix = "offrecord calls lists the live ones"
        raise UserError(problem.why, fix, Exit.NOT_FOUND) from problem
    return explain(await plan(press, resolved, site, Intents()), site, refusal=None)


async def _look(
    inputs: CheckInputs, call: Call, presser: Channel, body: Mapping[str, Any]
) -> list[Finding]:
    who = f"extension {presser.extension}" if presser.extension else "no extension"
    names = ", ".join(channel.name for channel in call.channels)
    found = [ok("call", f"{call.linkedid}: {names}; {presser.name} is {who}")]
    bridged = _bridge(inputs, presser)
    found += [bridged, *await _features(inputs, call, presser), *await _digits(inputs, presser)]
    found += [_keypad(inputs, presser), _policy(body)]
    for sheet in body["recorders"]:
        what = f"recorder {sheet['recorder']}"
        if sheet["refusal"]:
            fix = f"see offrecord explain {presser.name}"
            found.append(warning(what, f"nothing would be sent: {sheet['refusal']}", fix))
        else:
            found.append(ok(what, f"would be asked about {sheet['target']}"))
    if not body["recorders"]:
        text, fix = "no recorder is configured for this call", "add one, or mend the route"
        found.append(failure("recorders", text, fix, Exit.CONFIG))
    return found


def _bridge(inputs: CheckInputs, presser: Channel) -> Finding:
    """Check that the channel is in a bridge in which Asterisk looks for codes."""
    inside = _ELSEWHERE.get(presser.application)
    if inputs.pbx.graph.two_party(presser.uniqueid) and inside is None:
        return ok("bridge", f"{presser.name} talks with one other in a plain bridge")
    if presser.bridge_id is None:
        inside = inside or "it is in no bridge: it rings, waits, or listens to the PBX"
    elif inside is None:
        inside = "its bridge is a conference, a parking lot, or has more than two in it"
    text = f"{inside}, where Asterisk looks for no codes"
    return failure("bridge", text, _OTHERWISE, Exit.PBX_SETUP)


async def _features(inputs: CheckInputs, call: Call, presser: Channel) -> list[Finding]:
    """Check that the channel was given the codes; they are read when it enters its bridge."""
    told = await codes_in_force.read(inputs)
    has = {one.uniqueid: await _variable(inputs, one) for one in call.channels}
    own = has[presser.uniqueid]
    if own:
        note = "it was read when the channel entered its bridge: set later it does nothing"
        found = [ok("codes", f"{VARIABLE} is {own} on {presser.name}; {note}")]
        if told is not None and not told.ours:
            text = f"no code of ours is in {told.source}"
            found.append(warning("codes", text, "take over the lines of the shipped features.conf"))
        return found
    others = [one.name for one in call.channels if has[one.uniqueid]]
    if others:
        text = f"{', '.join(others)} has {VARIABLE} and {presser.name} has not"
        fix = f"write Set(__{VARIABLE}=…), with two underscores, before Dial or Queue"
    else:
        text = f"no channel of this call has {VARIABLE}"
        fix = f"Set(__{VARIABLE}=offrecord) before the Dial or Queue that makes such calls"
    local = [one.name for one in call.channels if one.technology == "Local"]
    if local:
        text += f"; {local[0]} loses its variables when it is optimised away: dial it with /n"
    return [failure("codes", text, fix, Exit.PBX_SETUP)]


async def _variable(inputs: CheckInputs, channel: Channel) -> str:
    try:
        return await inputs.pbx.getvar(channel.uniqueid, VARIABLE)
    except AmiError:
        return ""  # it has hung up meanwhile


async def _digits(inputs: CheckInputs, presser: Channel) -> list[Finding]:
    """Check how the presser's phone sends digits."""
    name = f"{presser.technology}/{presser.endpoint}"
    kept = await endpoint(inputs, name)
    if not kept.get("dtmf_mode"):
        return [skipped("digits", f"the PBX does not show how {name} sends digits")]
    return of_phones(inputs, {name: kept}, "digits")


def _keypad(inputs: CheckInputs, presser: Channel) -> Finding:
    if not inputs.loaded.config.keypad.enabled:
        return ok("keypad", "off: digits are not looked at, the codes of features.conf are all")
    if inputs.pbx.graph.two_party(presser.uniqueid):
        return ok("keypad", "on: digits that the PBX reports of this channel are taken")
    return warning("keypad", "on, and it looks at bridges of two alone", _OTHERWISE)


def _policy(body: Mapping[str, Any]) -> Finding:
    """Check that the same press at the phone would be allowed."""
    ruling = body["policy"]["phone"]
    if ruling["allowed"]:
        return ok("policy", f"allowed at the phone: {ruling['why']}")
    return failure("policy", f"denied at the phone: {ruling['why']}",
                  "see [policy], and extensions.trunks", Exit.DENIED)  # fmt: skip
