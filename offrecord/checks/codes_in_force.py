# SPDX-License-Identifier: Apache-2.0
"""The codes of a PBX: as it runs them now, and as its files have them.

The PBX tells what runs. Its files are read when they are on this machine; else the PBX is asked for
their lines one by one. Asterisk ignores the whole of a features.conf with a mistake in it, tells
only its log and keeps its former codes: only a comparison shows that.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bridges.model import Verb
from offrecord.asterisk_files.conf_parser import lines
from offrecord.asterisk_files.feature_codes import PREFIX, Code, in_play
from offrecord.checks.inputs import CheckInputs

FILE: Final = "features.conf"
MAP: Final = "applicationmap"
TIMEOUT: Final = "featuredigittimeout"
_TRANSFERS: Final = ("atxferabort", "atxfercomplete", "atxferthreeway", "atxferswap")
_MAPPED: Final = ("blindxfer", "disconnect", "atxfer", "parkcall", "automon", "automixmon")
BUILTIN: Final = (
    ("general", TIMEOUT),
    *(("general", name) for name in _TRANSFERS),
    *(("featuremap", name) for name in _MAPPED),
)
"""The keys of Asterisk's own codes, and of the time between two digits."""

FUNCTIONS: Final = {"general": "FEATURE", "featuremap": "FEATUREMAP"}
_DEFAULT_TIMEOUT: Final = "1000"
_OURS: Final = re.compile(
    r"offrecord|agi://[^,/]+/(?:stop|pause|resume|start|objection)\b", re.IGNORECASE
)
_VERB: Final = re.compile(r"\b(stop|pause|resume|start|objection)\b")


@dataclass(frozen=True, slots=True)
class OurCode:
    """A code of ours: the application that it runs, as `AGI,agi://127.0.0.1:4573/stop`."""

    name: str
    verb: Verb
    code: str
    application: str
    place: str


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of a PBX. `source` names where they were read, for a finding.

    `running` has what Asterisk uses, `written` what the files say, both by section and key and
    only as far as seen. `foreign` are codes in the application map that are not ours.
    """

    source: str
    running: Mapping[tuple[str, str], str] = field(default_factory=dict)
    written: Mapping[tuple[str, str], str] = field(default_factory=dict)
    ours: tuple[OurCode, ...] = ()
    foreign: tuple[Code, ...] = ()

    @property
    def timeout(self) -> int:
        """Milliseconds between two digits."""
        key = ("general", TIMEOUT)
        value = self.running.get(key) or self.written.get(key) or _DEFAULT_TIMEOUT
        return int(value) if value.isdigit() else int(_DEFAULT_TIMEOUT)

    @property
    def others(self) -> list[Code]:
        """Every code that is not ours: Asterisk's own as they are in force, and the site's."""
        defaults = {(one.section, one.name): one.code for one in in_play({}, "")}
        found = []
        for at in BUILTIN[1:]:
            code = self.running.get(at) if self.running else self.written.get(at, defaults.get(at))
            if code:
                found.append(Code(*at, code, FILE if at in self.written else ""))
        return [*found, *self.foreign]


async def read(inputs: CheckInputs) -> Codes | None:
    """Return the codes of the PBX; None when neither it nor its files show them."""
    running = {at: await inputs.getvar(f"{FUNCTIONS[at[0]]}({at[1]})") for at in BUILTIN}
    if not running["general", TIMEOUT]:
        running = {}  # without the function nothing is known, rather than that there is no code
    if inputs.tree is not None and FILE in inputs.tree:
        written, applications = _of_files(inputs)
        place = f"{inputs.etc}/{FILE}"
    elif running:
        written, applications = await _of_pbx(inputs)
        place = "the PBX's own view of features.conf"
    else:
        return None
    source = f"the running PBX and {place}" if running else place
    own: list[OurCode] = []
    foreign: list[Code] = []
    for name, (value, where) in applications.items():
        parts = [part.strip() for part in value.split(",", 2)]
        if len(parts) < 3:
            continue
        verb = _verb(name, parts[2])
        if verb is None:
            foreign.append(Code(MAP, name, parts[0], where))
        else:
            own.append(OurCode(name, verb, parts[0], parts[2], where))
    return Codes(source, running, written, tuple(own), tuple(foreign))


def _of_files(inputs: CheckInputs) -> tuple[dict[tuple[str, str], str], dict[str, tuple[str, str]]]:
    written: dict[tuple[str, str], str] = {}
    applications: dict[str, tuple[str, str]] = {}
    for line in lines(inputs.tree or {}, FILE, str(inputs.etc)):
        at = (line.section, line.key)
        if at in BUILTIN:
            written[at] = line.value
        elif line.section == MAP:
            applications[line.key] = (line.value, line.place)
    return written, applications


async def _of_pbx(
    inputs: CheckInputs,
) -> tuple[dict[tuple[str, str], str], dict[str, tuple[str, str]]]:
    """Ask for the lines that are known by name; a code of the site's own is not among them."""
    written = {at: await inputs.getvar(f"AST_CONFIG({FILE},{at[0]},{at[1]})") for at in BUILTIN}
    applications = {}
    for verb in Verb:
        value = await inputs.getvar(f"AST_CONFIG({FILE},{MAP},{PREFIX}{verb.value})")
        if value:
            applications[PREFIX + verb.value] = (value, FILE)
    return {at: value for at, value in written.items() if value}, applications


def _verb(name: str, application: str) -> Verb | None:
    """Return the verb of a code of ours; None for one of the site's own."""
    if not _OURS.search(application):
        return None
    found = _VERB.search(application) or _VERB.search(name)
    return Verb(found[1]) if found else None
