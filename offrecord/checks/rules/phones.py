# SPDX-License-Identifier: Apache-2.0
"""The rule about phones and trunks: how they send digits, and whether media passes the PBX.

The list of device states names them. `PJSIP_ENDPOINT(…)` shows the settings of a PJSIP endpoint,
`SIPshowpeer` those of a chan_sip peer.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ami.errors import AmiError
from offrecord.base.errors import Exit
from offrecord.checks.finding import Finding, failure, ok, put, skipped, some, warning
from offrecord.checks.inputs import CheckInputs

MOST: Final = 300
"""Phones that are looked at; of a larger PBX only the first ones are."""

_KEYS: Final = ("dtmf_mode", "direct_media", "allow", "set_var")
_OUT_OF_BAND: Final = {"rfc4733", "rfc2833", "info"}
_GUESSED: Final = {"auto", "auto_info"}
_PLAIN: Final = {"ulaw", "alaw", "slin", "g722"}
"""Codecs in which a DTMF tone survives; in all others it does not."""

_NAME: Final = re.compile(r"(PJSIP|SIP)/([^-\s]\S*)")
Endpoint = Mapping[str, str]


async def endpoints(inputs: CheckInputs) -> dict[str, Endpoint]:
    """Return the settings of phones and trunks by name, as `PJSIP/410`; empty when not shown."""
    rows = await inputs.listing("DeviceStateList")
    names = [row.headers.get("Device", "") for row in rows or ()]
    found = {}
    for name in sorted(name for name in names if _NAME.fullmatch(name))[:MOST]:
        kept = await endpoint(inputs, name)
        if kept.get("dtmf_mode"):
            found[name] = kept
    return found


async def endpoint(inputs: CheckInputs, name: str) -> Endpoint:
    """Return the settings of one phone or trunk; empty when not shown."""
    technology, _, who = name.partition("/")
    look = {"PJSIP": _pjsip, "SIP": _sip}.get(technology)
    return await look(inputs, who) if look else {}


async def _pjsip(inputs: CheckInputs, who: str) -> Endpoint:
    if not re.fullmatch(r"[\w.@+ -]+", who):
        return {}
    return {key: await inputs.getvar(f"PJSIP_ENDPOINT({who},{key})") for key in _KEYS}


async def _sip(inputs: CheckInputs, who: str) -> Endpoint:
    if "SIPshowpeer" not in inputs.granted:
        return {}
    try:
        told = (await inputs.pbx.action("SIPshowpeer", {"Peer": who})).headers
    except AmiError:
        return {}
    yes = {"Y": "true", "N": "false"}
    return {
        "dtmf_mode": told.get("SIP-DTMFmode", ""),
        "direct_media": yes.get(told.get("SIP-DirectMedia", ""), ""),
        "allow": told.get("Codecs", ""),
        "set_var": told.get("ChanVariable", ""),
    }


async def phones(inputs: CheckInputs) -> list[Finding]:
    """List the phones whose digits may be lost or bypass the PBX."""
    if not inputs.reachable:
        return []
    kept = await endpoints(inputs)
    if not kept:
        text = "the PBX does not show its phones to this account"
        return [skipped("phones", text, "look how they send digits: rfc4733 is right")]
    return of_phones(inputs, kept, "phones")


def of_phones(inputs: CheckInputs, kept: Mapping[str, Endpoint], what: str) -> list[Finding]:
    """Return the findings for the settings of phones and trunks, under the name `what`."""
    modes = {name: one["dtmf_mode"] for name, one in kept.items()}
    found = [*_inband(kept), *_guessing(modes), *_silent(modes), *_direct(inputs, kept)]
    who = next(iter(kept)) if len(kept) == 1 else f"{len(kept)} phones and trunks"
    found = found or [ok("phones", f"{who}: digits are sent as {_spread(modes)}")]
    return [replace(one, what=what) for one in found]


def _spread(modes: Mapping[str, str]) -> str:
    return ", ".join(sorted(set(modes.values())))


def _line(name: str, modern: str, old: str) -> str:
    """Return the fix for one setting of a phone: `modern` for PJSIP, `old` for chan_sip."""
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
        found.append(failure("phones", text, _mend(lost), Exit.PBX_SETUP))
    if heard:
        text = f"{some(heard)}: digits are sent as tones, which get lost and are heard by others"
        found.append(warning("phones", text, _mend(heard)))
    return found


def _survives(codecs: str) -> bool:
    named = set(re.findall(r"[a-z0-9]+", codecs.lower()))
    return bool(named) and named <= _PLAIN


def _guessing(modes: Mapping[str, str]) -> list[Finding]:
    names = [name for name, mode in modes.items() if mode in _GUESSED]
    if not names:
        return []
    text = f"{some(names)}: how digits are sent is agreed again in every call, and may be as tones"
    return [warning("phones", text, _mend(names))]


def _silent(modes: Mapping[str, str]) -> list[Finding]:
    known = _OUT_OF_BAND | _GUESSED | {"inband"}
    names = [name for name, mode in modes.items() if mode not in known]
    if not names:
        return []
    text = f"{some(names)}: digits are not taken ({_spread({n: modes[n] for n in names})})"
    return [failure("phones", text, _mend(names), Exit.PBX_SETUP)]


def _direct(inputs: CheckInputs, kept: Mapping[str, Endpoint]) -> list[Finding]:
    """Return a warning for phones whose media may bypass the PBX while `[keypad]` is on.

    A channel with codes of the application map keeps its media at the PBX, so this matters where
    digits are taken from AMI alone.
    """
    names = [name for name, one in kept.items() if one["direct_media"] in {"true", "yes"}]
    if not names or not inputs.loaded.config.keypad.enabled:
        return []
    text = f"{some(names)}: phones may speak past the PBX, which then sees no digit for [keypad]"
    more = ", and so for the others" if len(names) > 1 else ""
    return [
        warning("phones", text, _line(names[0], "direct_media = no", "directmedia = no") + more)
    ]
