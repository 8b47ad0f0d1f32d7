# SPDX-License-Identifier: Apache-2.0
"""The rules about features.conf: codes that collide, a slow finger, a file that was ignored."""

import ipaddress
import itertools
import re
from collections.abc import Iterable
from typing import Final

from bridges.model import Verb
from offrecord.asterisk_files.feature_codes import Clash, Code, clashes, shipped
from offrecord.base.errors import Exit
from offrecord.checks import codes_in_force as seen
from offrecord.checks.codes_in_force import BUILTIN, FILE, MAP, TIMEOUT, Codes, Own
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.model import Finding, broken, doubt, put, unseen, well

RELOAD: Final = "module reload features"
DIALPLAN: Final = "dialplan reload"
GLOBAL: Final = "OFFRECORD_AGI"
LEAST_TIMEOUT: Final = 2000
"""Milliseconds between two digits that slow fingers need."""

AGI_PORT: Final = 4573
"""The port of FastAGI where an address names none."""

ANYWHERE: Final = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on
_URL: Final = re.compile(r"agi://(\[[^\]]+\]|[^/:,]+)(?::(\d+))?", re.IGNORECASE)


async def codes(scene: CheckInputs) -> list[Finding]:
    """Say which codes there are, which of them collide, and whether Asterisk took the file."""
    told = await seen.read(scene)
    if told is None:
        return [unseen("codes", _why(scene), "run check on the PBX, as root")]
    found = [*_ignored(told), *_collisions(told), *_slow(told)]
    if not told.own:
        found += _none(scene, told)
    if found:
        return found
    named = ", ".join(f"{own.code} {own.verb.value}" for own in told.own)
    said = named or "taken from the digits of calls, by [keypad]"
    return [well("codes", f"{said}; seen in {told.source}")]


def _why(scene: CheckInputs) -> str:
    asked = "the PBX does not tell them" if scene.asked else "the PBX cannot be asked"
    return f"{asked}, and {scene.unread or f'{scene.etc} has no {FILE}'}"


def _none(scene: CheckInputs, told: Codes) -> list[Finding]:
    if scene.loaded.config.keypad.enabled:
        return []
    text = f"no code of ours is in {told.source}: no press can come from a phone"
    fix = "run offrecord init, or take over the lines of the shipped features.conf"
    return [doubt("codes", text, fix)]


def _ignored(told: Codes) -> Iterable[Finding]:
    """Yield where Asterisk goes by another value than its file has."""
    for at in BUILTIN:
        written, running = told.written.get(at), told.running.get(at)
        if written is not None and running is not None and written != running and told.running:
            yield broken(
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
        met = clashes({own.verb: own.code for own in told.own}, [other])
        if met:
            also = "".join(f", {clash.verb.value} on {clash.code}" for clash in met[1:])
            head, _, rest = str(met[0]).partition(": ")
            text = f"{head}{also}: {rest}"
            yield broken("codes", text, _way_out(met[0]), Exit.PBX_SETUP)
    for one, ours in itertools.combinations(told.own, 2):
        if one.code.startswith(ours.code) or ours.code.startswith(one.code):
            what = Clash(one.verb, one.code, Code(MAP, ours.name, ours.code, ours.place))
            yield broken("codes", str(what), _way_out(what), Exit.PBX_SETUP)
    for first, second in itertools.combinations(told.others, 2):
        if first.code == second.code:
            yield doubt(
                "codes",
                f"{first} and so is {second.name}: only one of them can work",
                f"give one of them another code in {FILE}",
            )


def _way_out(clash: Clash) -> str:
    """Return the line that moves the other code away, to where the shipped file has it."""
    other = clash.other
    moved = shipped().moved.get((other.section, other.name))
    if moved is not None and moved != other.code:
        return put(f"{other.name} = {moved}", other.section, FILE, RELOAD)
    return (
        f"give {other.name} or {clash.verb.value} another code in {FILE}, then"
        f" asterisk -rx '{RELOAD}'"
    )


def _slow(told: Codes) -> Iterable[Finding]:
    if told.timeout < LEAST_TIMEOUT and any(len(own.code) > 1 for own in told.own):
        yield doubt(
            "codes",
            f"{TIMEOUT} is {told.timeout} ms: codes of those who press slowly are lost",
            put(f"{TIMEOUT} = {LEAST_TIMEOUT}", "general", FILE, RELOAD),
        )


# where the codes lead


async def address(scene: CheckInputs) -> list[Finding]:
    """Say whether what the codes run leads to this daemon."""
    told = await seen.read(scene)
    if told is None or not told.own:
        return []
    found = []
    for application, verbs in _by_application(told.own).items():
        found += await _leads(scene, application, verbs)
    return found or [well("address", "the codes lead to the daemon")]


def _by_application(own: Iterable[Own]) -> dict[str, list[Verb]]:
    """Return who is asked by the codes, each address once: all codes have the same mistake."""
    by: dict[str, list[Verb]] = {}
    for one in own:
        if match := _URL.search(one.application):
            by.setdefault(match[0], []).append(one.verb)
        elif "UserEvent" in one.application:
            by.setdefault("UserEvent", []).append(one.verb)
    return by


async def _leads(scene: CheckInputs, application: str, verbs: list[Verb]) -> list[Finding]:
    what = ", ".join(verb.value for verb in verbs)
    if application == "UserEvent":
        if scene.loaded.config.user_event.enabled:
            return []
        text = f"{what}: the code raises a UserEvent, and those are ignored"
        return [broken("address", text, "set `enabled = true` in [user_event]", Exit.PBX_SETUP)]
    match = _URL.search(await _filled(scene, application))
    if match is None:
        return [
            broken(
                "address",
                f"{what}: {application} names no address, as the global {GLOBAL} is not set",
                put(f"{GLOBAL} = {_where(scene)}", "globals", "extensions.conf", DIALPLAN),
                Exit.PBX_SETUP,
            )
        ]
    host, port = match[1].strip("[]"), int(match[2] or AGI_PORT)
    agi = scene.loaded.config.agi
    if agi.port and port != agi.port:
        return [_astray(scene, application, f"{what}: the codes call port {port}, and the daemon"
                        f" listens on {agi.port}")]  # fmt: skip
    if not _same_host(host, agi.host, near=scene.near):
        return [_astray(scene, application, f"{what}: the codes call {host}, and the daemon"
                        f" listens on {agi.host}")]  # fmt: skip
    return []


async def _filled(scene: CheckInputs, application: str) -> str:
    """Return an address with the global in it replaced by its value."""
    if f"${{{GLOBAL}}}" not in application:
        return application
    value = await scene.getvar(GLOBAL)
    if not value and not scene.asked and scene.tree is not None:
        from offrecord.asterisk_files.conf_parser import lines

        for line in lines(scene.tree, "extensions.conf", str(scene.etc)):
            if (line.section, line.key) == ("globals", GLOBAL):
                value = line.value
    return application.replace(f"${{{GLOBAL}}}", value)


def _where(scene: CheckInputs) -> str:
    agi = scene.loaded.config.agi
    host = "127.0.0.1" if agi.host in ANYWHERE and scene.near else agi.host
    return f"{f'[{host}]' if ':' in host else host}:{agi.port or AGI_PORT}"


def _astray(scene: CheckInputs, application: str, text: str) -> Finding:
    if GLOBAL in application:
        fix = put(f"{GLOBAL} = {_where(scene)}", "globals", "extensions.conf", DIALPLAN)
    else:
        fix = f"write agi://{_where(scene)} in [{MAP}] of {FILE}, then asterisk -rx '{RELOAD}'"
    return broken("address", text, fix, Exit.PBX_SETUP)


def _same_host(called: str, listened: str, *, near: bool) -> bool:
    """Say whether a call to one address reaches who listens on another, as far as can be told."""
    if listened in ANYWHERE or called == listened:
        return True
    try:
        one, other = ipaddress.ip_address(called), ipaddress.ip_address(listened)
    except ValueError:
        return "localhost" not in {called, listened} or near
    return near and one.is_loopback and other.is_loopback and one.version == other.version
