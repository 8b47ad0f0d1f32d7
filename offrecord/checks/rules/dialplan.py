# SPDX-License-Identifier: Apache-2.0
"""The rules about the dialplan: that some call can press a code, and that tones can be played."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from offrecord.asterisk_files.conf_parser import lines, sections
from offrecord.base.errors import Exit
from offrecord.checks import codes_in_force as seen
from offrecord.checks.codes_in_force import MAP
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.model import Finding, broken, doubt, some, unseen, well
from offrecord.checks.rules.features import DIALPLAN
from offrecord.checks.rules.phones import endpoints
from offrecord.notify.late_tone import CONTEXT, FIX, WHISPER

VARIABLE: Final = "DYNAMIC_FEATURES"
FILE: Final = "extensions.conf"
_SET: Final = re.compile(rf"(_{{0,2}}){VARIABLE}=([^,)&\"]*)")
_NAMES: Final = re.compile(r"[#^]")


class Setting(NamedTuple):
    """One place where the variable is set: how many underscores, to what, and where."""

    marks: int
    value: str
    place: str


async def _settings(scene: CheckInputs) -> tuple[list[Setting], str] | None:
    """Return where the variable is set and how that was seen; None where nothing is seen."""
    rows = await scene.dialplan()
    if rows is not None:
        found = [one for row in rows for one in _in(row.get("AppData", ""), _place(row))]
        found += (
            _in(f"{VARIABLE}={value}", "the globals")
            if (value := await scene.getvar(VARIABLE))
            else []
        )
        for name, kept in (await endpoints(scene)).items():
            found += _in(kept.get("set_var", ""), f"the endpoint {name}")
        return found, "the running dialplan"
    if scene.tree is None or FILE not in scene.tree:
        return None
    said = lines(scene.tree, FILE, str(scene.etc))
    texts = [(f"{line.key}={line.value}", line) for line in said]
    found = [one for text, line in texts for one in _in(text, f"[{line.section}]")]
    return found, f"{scene.etc}/{FILE}"


def _place(row: Mapping[str, str]) -> str:
    return f"[{row.get('Context', '')}]"


def _in(text: str, place: str) -> list[Setting]:
    return [Setting(len(match[1]), match[2].strip(), place) for match in _SET.finditer(text)]


async def dialplan(scene: CheckInputs) -> list[Finding]:
    """Say whether some channel is given the codes, and what it is given exists."""
    told = await _settings(scene)
    if told is None:
        why = "the PBX does not show it" if scene.asked else "the PBX cannot be asked"
        text = f"{why}, and {scene.unread or f'{scene.etc} has no {FILE}'}"
        return [unseen("dialplan", text, "run check on the PBX, as root")]
    found, source = told
    codes = await seen.read(scene)
    if not any(one.value for one in found):
        if codes is None or not codes.own:
            return []  # the rule about codes has said that there are none
        text = f"nothing in {source} sets {VARIABLE}, so no call can fire a code"
        fix = f"Set(__{VARIABLE}=offrecord) before Dial or Queue, then asterisk -rx '{DIALPLAN}'"
        return [broken("dialplan", text, fix, Exit.PBX_SETUP)]
    problems = [*_unknown(scene, found), *_lonely(found)]
    places = some(list(dict.fromkeys(one.place for one in found if one.value)))
    return problems or [well("dialplan", f"{VARIABLE} is set in {places}; seen in {source}")]


def _unknown(scene: CheckInputs, found: list[Setting]) -> list[Finding]:
    """Return the names that mean neither a group nor a code; only the files show all of them."""
    tree = scene.tree
    if tree is None or seen.FILE not in tree:
        return []
    folder = str(scene.etc)
    known = set(sections(tree, seen.FILE, folder))
    known |= {line.key for line in lines(tree, seen.FILE, folder) if line.section == MAP}
    named = {
        name: one.place
        for one in found
        for name in _NAMES.split(one.value)
        if name and "$" not in name
    }
    return [
        broken(
            "dialplan",
            f"{place} sets {VARIABLE} to {name}, and features.conf has neither a section nor a"
            " code of that name",
            f"set it to the name of a section of {folder}/{seen.FILE}, such as offrecord",
            Exit.PBX_SETUP,
        )
        for name, place in named.items()
        if name not in known
    ]


def _lonely(found: list[Setting]) -> list[Finding]:
    """Return that the other side cannot press, where nothing gives it the codes."""
    given = [one for one in found if one.value]
    if any(one.marks for one in given) or len({one.place for one in given}) > 1:
        return []
    text = (
        f"{given[0].place} sets {VARIABLE} without underscores: only the channel that runs it has"
        " the codes, the one that Dial makes has none"
    )
    return [doubt("dialplan", text, f"write Set(__{VARIABLE}={given[0].value}), if it is to have"
                  " them too")]  # fmt: skip


async def tones(scene: CheckInputs) -> list[Finding]:
    """Say whether late tones and music find their context, where they are asked for."""
    config = scene.loaded.config
    if not (config.tell.whisper or config.retry.holds):
        return []
    rows = await scene.dialplan()
    if rows is not None:
        there = any(
            (row.get("Context"), row.get("Extension")) == (CONTEXT, WHISPER) for row in rows
        )
    elif scene.tree is not None:
        there = CONTEXT in sections(scene.tree, FILE, str(scene.etc))
    else:
        return [unseen("tones", f"nobody tells whether the dialplan has {CONTEXT}")]
    if there:
        return [well("tones", f"the dialplan has {WHISPER}@{CONTEXT}")]
    return [broken("tones", f"the dialplan lacks {WHISPER}@{CONTEXT}", FIX, Exit.PBX_SETUP)]
