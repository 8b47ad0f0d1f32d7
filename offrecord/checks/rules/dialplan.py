# SPDX-License-Identifier: Apache-2.0
"""The rules about the dialplan: calls are given the codes, and the context for tones exists."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from offrecord.asterisk_files.conf_parser import lines, sections
from offrecord.base.errors import Exit
from offrecord.checks import codes_in_force
from offrecord.checks.codes_in_force import MAP
from offrecord.checks.finding import Finding, failure, ok, skipped, some, warning
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.rules.features import DIALPLAN
from offrecord.checks.rules.phones import endpoints
from offrecord.notify.late_tone import CONTEXT, FIX, WHISPER

VARIABLE: Final = "DYNAMIC_FEATURES"
FILE: Final = "extensions.conf"
_SET: Final = re.compile(rf"(_{{0,2}}){VARIABLE}=([^,)&\"]*)")
_NAMES: Final = re.compile(r"[#^]")


class Setting(NamedTuple):
    """One place where the variable is set: the underscores before it, its value, the place."""

    marks: int
    value: str
    place: str


async def _settings(inputs: CheckInputs) -> tuple[list[Setting], str] | None:
    """Return where the variable is set, and the source; None when neither source can be read."""
    rows = await inputs.dialplan()
    if rows is not None:
        found = [one for row in rows for one in _in(row.get("AppData", ""), _place(row))]
        found += (
            _in(f"{VARIABLE}={value}", "the globals")
            if (value := await inputs.getvar(VARIABLE))
            else []
        )
        for name, kept in (await endpoints(inputs)).items():
            found += _in(kept.get("set_var", ""), f"the endpoint {name}")
        return found, "the running dialplan"
    if inputs.tree is None or FILE not in inputs.tree:
        return None
    said = lines(inputs.tree, FILE, str(inputs.etc))
    texts = [(f"{line.key}={line.value}", line) for line in said]
    found = [one for text, line in texts for one in _in(text, f"[{line.section}]")]
    return found, f"{inputs.etc}/{FILE}"


def _place(row: Mapping[str, str]) -> str:
    return f"[{row.get('Context', '')}]"


def _in(text: str, place: str) -> list[Setting]:
    return [Setting(len(match[1]), match[2].strip(), place) for match in _SET.finditer(text)]


async def dialplan(inputs: CheckInputs) -> list[Finding]:
    """Check that some channel is given the codes, and that the names it is given exist."""
    told = await _settings(inputs)
    if told is None:
        why = "the PBX does not show it" if inputs.reachable else "the PBX cannot be asked"
        text = f"{why}, and {inputs.unread or f'{inputs.etc} has no {FILE}'}"
        return [skipped("dialplan", text, "run check on the PBX, as root")]
    found, source = told
    codes = await codes_in_force.read(inputs)
    if not any(one.value for one in found):
        if codes is None or not codes.ours:
            return []  # the rule about codes has said that there are none
        text = f"nothing in {source} sets {VARIABLE}, so no call can fire a code"
        fix = f"Set(__{VARIABLE}=offrecord) before Dial or Queue, then asterisk -rx '{DIALPLAN}'"
        return [failure("dialplan", text, fix, Exit.PBX_SETUP)]
    problems = [*_unknown(inputs, found), *_lonely(found)]
    places = some(list(dict.fromkeys(one.place for one in found if one.value)))
    return problems or [ok("dialplan", f"{VARIABLE} is set in {places}; seen in {source}")]


def _unknown(inputs: CheckInputs, found: list[Setting]) -> list[Finding]:
    """Return a failure for each name that is neither a group nor a code.

    Only the files list all names; without them nothing is returned.
    """
    tree = inputs.tree
    if tree is None or codes_in_force.FILE not in tree:
        return []
    folder = str(inputs.etc)
    known = set(sections(tree, codes_in_force.FILE, folder))
    known |= {line.key for line in lines(tree, codes_in_force.FILE, folder) if line.section == MAP}
    named = {
        name: one.place
        for one in found
        for name in _NAMES.split(one.value)
        if name and "$" not in name
    }
    return [
        failure(
            "dialplan",
            f"{place} sets {VARIABLE} to {name}, and features.conf has neither a section nor a"
            " code of that name",
            f"set it to the name of a section of {folder}/{codes_in_force.FILE}, such as offrecord",
            Exit.PBX_SETUP,
        )
        for name, place in named.items()
        if name not in known
    ]


def _lonely(found: list[Setting]) -> list[Finding]:
    """Return a warning when the codes are given to the calling channel alone."""
    given = [one for one in found if one.value]
    if any(one.marks for one in given) or len({one.place for one in given}) > 1:
        return []
    text = (
        f"{given[0].place} sets {VARIABLE} without underscores: only the channel that runs it has"
        " the codes, the one that Dial makes has none"
    )
    return [warning("dialplan", text, f"write Set(__{VARIABLE}={given[0].value}), if it is to have"
                  " them too")]  # fmt: skip


async def tones(inputs: CheckInputs) -> list[Finding]:
    """Check that the context for late tones and music exists, when they are configured."""
    config = inputs.loaded.config
    if not (config.tell.whisper or config.retry.holds):
        return []
    rows = await inputs.dialplan()
    if rows is not None:
        there = any(
            (row.get("Context"), row.get("Extension")) == (CONTEXT, WHISPER) for row in rows
        )
    elif inputs.tree is not None:
        there = CONTEXT in sections(inputs.tree, FILE, str(inputs.etc))
    else:
        return [skipped("tones", f"nobody tells whether the dialplan has {CONTEXT}")]
    if there:
        return [ok("tones", f"the dialplan has {WHISPER}@{CONTEXT}")]
    return [failure("tones", f"the dialplan lacks {WHISPER}@{CONTEXT}", FIX, Exit.PBX_SETUP)]
