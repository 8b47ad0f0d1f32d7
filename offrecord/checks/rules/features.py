# SPDX-License-Identifier: Apache-2.0
"""The rules about features.conf: colliding codes, a short digit timeout, an ignored file."""

import ipaddress
import itertools
import re
from collections.abc import Iterable
from typing import Final

from bridges.model import Verb
from offrecord.asterisk_files.feature_codes import Clash, Code, clashes, shipped
from offrecord.base.errors import Exit
from offrecord.checks import codes_in_force
from offrecord.checks.codes_in_force import BUILTIN, FILE, MAP, TIMEOUT, Codes, OurCode
from offrecord.checks.finding import Finding, failure, ok, put, skipped, warning
from offrecord.checks.inputs import CheckInputs

RELOAD: Final = "module reload features"
DIALPLAN: Final = "dialplan reload"
GLOBAL: Final = "OFFRECORD_AGI"
LEAST_TIMEOUT: Final = 2000
"""Milliseconds between two digits that a slow caller needs."""

AGI_PORT: Final = 4573
"""The port of FastAGI where an address names none."""

ANYWHERE: Final = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on
_URL: Final = re.compile(r"agi://(\[[^\]]+\]|[^/:,]+)(?::(\d+))?", re.IGNORECASE)


async def codes(inputs: CheckInputs) -> list[Finding]:
    """List the codes; fail for those that collide, and for a file that Asterisk ignored."""
    told = await codes_in_force.read(inputs)
    if told is None:
        return [skipped("codes", _why(inputs), "run check on the PBX, as root")]
    found = [*_ignored(told), *_collisions(told), *_slow(told)]
    if not told.ours:
        found += _none(inputs, told)
    if found:
        return found
    named = ", ".join(f"{own.code} {own.verb.value}" for own in told.ours)
    said = named or "taken from the digits of calls, by [keypad]"
    return [ok("codes", f"{said}; seen in {told.source}")]


def _why(inputs: CheckInputs) -> str:
    asked = "the PBX does not tell them" if inputs.reachable else "the PBX cannot be asked"
    return f"{asked}, and {inputs.unread or f'{inputs.etc} has no {FILE}'}"


def _none(inputs: CheckInputs, told: Codes) -> list[Finding]:
    if inputs.loaded.config.keypad.enabled:
        return []
    text = f"no code of ours is in {told.source}: no press can come from a phone"
    fix = "run offrecord init, or take over the lines of the shipped features.conf"
    return [warning("codes", text, fix)]


def _ignored(told: Codes) -> Iterable[Finding]:
    """Yield a failure when Asterisk uses another value than its file has."""
    for at in BUILTIN:
        written, running = told.written.get(at), told.running.get(at)
        if written is not None and running is not None and written != running and told.running:
            yield failure(
                "codes",
                f"{FILE} has {at[1]} = {written or 'nothing'} and Asterisk goes by"
                f" {running or 'none'}: the file was not read again, or a mistake in it made"
                " Asterisk ignore all of it",
                f"asterisk -rx '{RELOAD}', and look in Asterisk's log for features_config",
                Exit.PBX_SETUP,
            )
            return


def _collisions(told: Codes) -> Iterable[Finding]:
    for other in told.others:
        met = clashes({own.verb: own.code for own in told.ours}, [other])
        if met:
            also = "".join(f", {clash.verb.value} on {clash.code}" for clash in met[1:])
            head, _, rest = str(met[0]).partition(": ")
            text = f"{head}{also}: {rest}"
            yield failure("codes", text, _way_out(met[0]), Exit.PBX_SETUP)
    for one, ours in itertools.combinations(told.ours, 2):
        if one.code.startswith(ours.code) or ours.code.startswith(one.code):
            what = Clash(one.verb, one.code, Code(MAP, ours.name, ours.code, ours.place))
            yield failure("codes", str(what), _way_out(what), Exit.PBX_SETUP)
    for first, second in itertools.combinations(told.others, 2):
        if first.code == second.code:
            yield warning(
                "codes",
                f"{first} and so is {second.name}: only one of them can work",
                f"give one of them another code in {FILE}",
            )


def _way_out(clash: Clash) -> str:
    """Return the fix: move the other code to where the shipped file has it."""
    other = clash.other
    moved = shipped().moved.get((other.section, other.name))
    if moved is not None and moved != other.code:
        return put(f"{other.name} = {moved}", other.section, FILE, RELOAD)
    return (
        f"give {other.name} or {clash.verb.value} another code in {FILE}, then"
        f" asterisk -rx '{RELOAD}'"
    )


def _slow(told: Codes) -> Iterable[Finding]:
    if told.timeout < LEAST_TIMEOUT and any(len(own.code) > 1 for own in told.ours):
        yield warning(
            "codes",
            f"{TIMEOUT} is {told.timeout} ms: codes of those who press slowly are lost",
            put(f"{TIMEOUT} = {LEAST_TIMEOUT}", "general", FILE, RELOAD),
        )


# where the codes lead


async def address(inputs: CheckInputs) -> list[Finding]:
    """Check that the application of each code connects to this daemon."""
    told = await codes_in_force.read(inputs)
    if told is None or not told.ours:
        return []
    found = []
    for application, verbs in _by_application(told.ours).items():
        found += await _leads(inputs, application, verbs)
    return found or [ok("address", "the codes lead to the daemon")]


def _by_application(own: Iterable[OurCode]) -> dict[str, list[Verb]]:
    """Return the verbs by address: the codes of one address share its mistake."""
    by: dict[str, list[Verb]] = {}
    for one in own:
        if match := _URL.search(one.application):
            by.setdefault(match[0], []).append(one.verb)
        elif "UserEvent" in one.application:
            by.setdefault("UserEvent", []).append(one.verb)
    return by


async def _leads(inputs: CheckInputs, application: str, verbs: list[Verb]) -> list[Finding]:
    what = ", ".join(verb.value for verb in verbs)
    if application == "UserEvent":
        if inputs.loaded.config.user_event.enabled:
            return []
        text = f"{what}: the code raises a UserEvent, and those are ignored"
        return [failure("address", text, "set `enabled = true` in [user_event]", Exit.PBX_SETUP)]
    match = _URL.search(await _filled(inputs, application))
    if match is None:
        return [
            failure(
                "address",
                f"{what}: {application} names no address, as the global {GLOBAL} is not set",
                put(f"{GLOBAL} = {_where(inputs)}", "globals", "extensions.conf", DIALPLAN),
                Exit.PBX_SETUP,
            )
        ]
    host, port = match[1].strip("[]"), int(match[2] or AGI_PORT)
    agi = inputs.loaded.config.agi
    if agi.port and port != agi.port:
        return [_astray(inputs, application, f"{what}: the codes call port {port}, and the daemon"
                        f" listens on {agi.port}")]  # fmt: skip
    if not _same_host(host, agi.host, near=inputs.pbx_is_here):
        return [_astray(inputs, application, f"{what}: the codes call {host}, and the daemon"
                        f" listens on {agi.host}")]  # fmt: skip
    return []


async def _filled(inputs: CheckInputs, application: str) -> str:
    """Return an address with the global variable in it replaced by its value."""
    if f"${{{GLOBAL}}}" not in application:
        return application
    value = await inputs.getvar(GLOBAL)
    if not value and not inputs.reachable and inputs.tree is not None:
        from offrecord.asterisk_files.conf_parser import lines

        for line in lines(inputs.tree, "extensions.conf", str(inputs.etc)):
            if (line.section, line.key) == ("globals", GLOBAL):
                value = line.value
    return application.replace(f"${{{GLOBAL}}}", value)


def _where(inputs: CheckInputs) -> str:
    agi = inputs.loaded.config.agi
    host = "127.0.0.1" if agi.host in ANYWHERE and inputs.pbx_is_here else agi.host
    return f"{f'[{host}]' if ':' in host else host}:{agi.port or AGI_PORT}"


def _astray(inputs: CheckInputs, application: str, text: str) -> Finding:
    if GLOBAL in application:
        fix = put(f"{GLOBAL} = {_where(inputs)}", "globals", "extensions.conf", DIALPLAN)
    else:
        fix = f"write agi://{_where(inputs)} in [{MAP}] of {FILE}, then asterisk -rx '{RELOAD}'"
    return failure("address", text, fix, Exit.PBX_SETUP)


def _same_host(called: str, listened: str, *, near: bool) -> bool:
    """Return whether a connection to `called` can reach a listener on `listened`.

    Names are not resolved: two different ones are taken to be the same host.
    """
    if listened in ANYWHERE or called == listened:
        return True
    try:
        one, other = ipaddress.ip_address(called), ipaddress.ip_address(listened)
    except ValueError:
        return "localhost" not in {called, listened} or near
    return near and one.is_loopback and other.is_loopback and one.version == other.version
