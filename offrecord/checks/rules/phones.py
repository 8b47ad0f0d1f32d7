# SPDX-License-Identifier: Apache-2.0
"""The rules about the phones: how they send their digits, and which way their sound goes.

PJSIP's endpoints are asked for by `PJSIP_ENDPOINT(…)`, chan_sip's peers by `SIPshowpeer`; which
there are is told by the list of device states.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ami.errors import AmiError
from offrecord.base.errors import Exit
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.model import Finding, broken, doubt, put, some, unseen, well

MOST: Final = 300
"""Phones that are asked about; beyond it the first ones stand for all."""

_KEYS: Final = ("dtmf_mode", "direct_media", "allow", "set_var")
_OUT_OF_BAND: Final = {"rfc4733", "rfc2833", "info"}
_GUESSED: Final = {"auto", "auto_info"}
_PLAIN: Final = {"ulaw", "alaw", "slin", "g722"}
"""Codecs in which a tone survives; in all others it does not."""

_NAME: Final = re.compile(r"(PJSIP|SIP)/([^-\s]\S*)")
Endpoint = Mapping[str, str]


async def endpoints(scene: CheckInputs) -> dict[str, Endpoint]:
    """Return the phones and trunks by name, as `PJSIP/410`; empty where they are not shown."""
    rows = await scene.listing("DeviceStateList")
    names = [row.headers.get("Device", "") for row in rows or ()]
    found = {}
    for name in sorted(name for name in names if _NAME.fullmatch(name))[:MOST]:
        kept = await endpoint(scene, name)
        if kept.get("dtmf_mode"):
            found[name] = kept
    return found


async def endpoint(scene: CheckInputs, name: str) -> Endpoint:
    """Return the settings of one phone or trunk, empty where they are not shown."""
    technology, _, who = name.partition("/")
    look = {"PJSIP": _pjsip, "SIP": _sip}.get(technology)
    return await look(scene, who) if look else {}


async def _pjsip(scene: CheckInputs, who: str) -> Endpoint:
    if not re.fullmatch(r"[\w.@+ -]+", who):
        return {}
    return {key: await scene.getvar(f"PJSIP_ENDPOINT({who},{key})") for key in _KEYS}


async def _sip(scene: CheckInputs, who: str) -> Endpoint:
    if "SIPshowpeer" not in scene.granted:
        return {}
    try:
        told = (await scene.pbx.action("SIPshowpeer", {"Peer": who})).headers
    except AmiError:
        return {}
    yes = {"Y": "true", "N": "false"}
    return {
        "dtmf_mode": told.get("SIP-DTMFmode", ""),
        "direct_media": yes.get(told.get("SIP-DirectMedia", ""), ""),
        "allow": told.get("Codecs", ""),
        "set_var": told.get("ChanVariable", ""),
    }


async def phones(scene: CheckInputs) -> list[Finding]:
    """Say which phones send digits in a way that may not arrive, or past the PBX."""
    if not scene.asked:
        return []
    kept = await endpoints(scene)
    if not kept:
        text = "the PBX does not show its phones to this account"
        return [unseen("phones", text, "look how they send digits: rfc4733 is right")]
    return of_phones(scene, kept, "phones")


def of_phones(scene: CheckInputs, kept: Mapping[str, Endpoint], what: str) -> list[Finding]:
    """Weigh the settings of phones and trunks, as findings about `what`."""
    modes = {name: one["dtmf_mode"] for name, one in kept.items()}
    found = [*_inband(kept), *_guessing(modes), *_silent(modes), *_direct(scene, kept)]
    who = next(iter(kept)) if len(kept) == 1 else f"{len(kept)} phones and trunks"
    found = found or [well("phones", f"{who}: digits are sent as {_spread(modes)}")]
    return [replace(one, what=what) for one in found]


def _spread(modes: Mapping[str, str]) -> str:
    return ", ".join(sorted(set(modes.values())))


def _line(name: str, modern: str, old: str) -> str:
    """Return how a phone's setting is changed."""
    technology, _, who = name.partition("/")
    if technology == "PJSIP":
        return put(modern, who, "pjsip.conf", "module reload res_pjsip.so")
    return put(old, who, "sip.conf", "sip reload")


def _mend(names: list[str]) -> str:
    more = ", and so for the others" if len(names) > 1 else ""
    return _line(names[0], "dtmf_mode = rfc4733", "dtmfmode = rfc2833") + more


def _inband(kept: Mapping[str, Endpoint]) -> list[Finding]:
    names = [name for name, one in kept.items() if one["dtmf_mode"] == "inband"]
    lost = [name for name in names if not _survives(kept[name]["allow"])]
    heard = [name for name in names if name not in lost]
    found = []
    if lost:
        text = f"{some(lost)}: digits are sent as tones, which their codecs destroy"
        found.append(broken("phones", text, _mend(lost), Exit.PBX_SETUP))
    if heard:
        text = f"{some(heard)}: digits are sent as tones, which get lost and are heard by others"
        found.append(doubt("phones", text, _mend(heard)))
    return found


def _survives(codecs: str) -> bool:
    named = set(re.findall(r"[a-z0-9]+", codecs.lower()))
    return bool(named) and named <= _PLAIN


def _guessing(modes: Mapping[str, str]) -> list[Finding]:
    names = [name for name, mode in modes.items() if mode in _GUESSED]
    if not names:
        return []
    text = f"{some(names)}: how digits are sent is agreed anew in every call, and may be as tones"
    return [doubt("phones", text, _mend(names))]


def _silent(modes: Mapping[str, str]) -> list[Finding]:
    known = _OUT_OF_BAND | _GUESSED | {"inband"}
    names = [name for name, mode in modes.items() if mode not in known]
    if not names:
        return []
    text = f"{some(names)}: digits are not taken ({_spread({n: modes[n] for n in names})})"
    return [broken("phones", text, _mend(names), Exit.PBX_SETUP)]


def _direct(scene: CheckInputs, kept: Mapping[str, Endpoint]) -> list[Finding]:
    """Return whose sound may go past the PBX while digits are looked for there.

    A channel with codes of the application map keeps its media at the PBX, so this matters where
    digits are taken from AMI alone.
    """
    names = [name for name, one in kept.items() if one["direct_media"] in {"true", "yes"}]
    if not names or not scene.loaded.config.keypad.enabled:
        return []
    text = f"{some(names)}: phones may speak past the PBX, which then sees no digit for [keypad]"
    more = ", and so for the others" if len(names) > 1 else ""
    return [doubt("phones", text, _line(names[0], "direct_media = no", "directmedia = no") + more)]
