# SPDX-License-Identifier: Apache-2.0
"""The codes that can be pressed during a call: ours, Asterisk's and the site's. Pure.

Our codes, and the new codes for Asterisk's own features, are read from the shipped snippet
`dialplan-examples/features.conf`, their single source. Asterisk's defaults:
https://docs.asterisk.org/Asterisk_22_Documentation/API_Documentation/Module_Configuration/features/.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bridges.model import Verb
from offrecord.asterisk_files.conf_parser import Line, Tree, lines, without_block
from offrecord.asterisk_files.shipped import snippet

PREFIX: Final = "offrecord-"
OWN_FILE: Final = "features-offrecord.conf"
CODE = re.compile(r"[0-9*#A-D]{1,8}")
_DEFAULTS: Final = {
    ("general", "atxferabort"): "*1",
    ("general", "atxfercomplete"): "*2",
    ("general", "atxferthreeway"): "*3",
    ("general", "atxferswap"): "*4",
    ("featuremap", "blindxfer"): "#",
    ("featuremap", "disconnect"): "*",
}
_FEATUREMAP: Final = frozenset(
    {"blindxfer", "disconnect", "atxfer", "parkcall", "automon", "automixmon"}
)
_DIGIT_TIMEOUT: Final = 1000
_ENDINGS: Final = {Verb.STOP: "1", Verb.PAUSE: "2", Verb.RESUME: "3", Verb.START: "4",
                   Verb.OBJECTION: "9"}  # fmt: skip
_BEGINNINGS: Final = ("*9", "*8", "*7", "*6", "*5", "#9", "#8")


@dataclass(frozen=True, slots=True)
class Code:
    """A code of the PBX that is not ours. `place` is `file:line`, empty for Asterisk's default."""

    section: str
    name: str
    code: str
    place: str

    def __str__(self) -> str:
        """Return a description for people."""
        return f"{self.name} is {self.code} ({self.place or 'the default of Asterisk'})"


@dataclass(frozen=True, slots=True)
class Clash:
    """A code of ours that conflicts with another code."""

    verb: Verb
    code: str
    other: Code

    def __str__(self) -> str:
        """Return a sentence that says what would happen."""
        if self.other.code == self.code:
            why = "they are the same"
        elif self.code.startswith(self.other.code):
            why = f"{self.other.code} fires before {self.code} is dialled"
        else:
            why = f"{self.code} fires before {self.other.code} is dialled"
        return f"{self.verb.value} on {self.code}: {self.other}; {why}"


@dataclass(frozen=True, slots=True)
class Shipped:
    """The shipped snippet: a line for each verb, and new codes for Asterisk's own features."""

    applications: Mapping[Verb, str]
    codes: Mapping[Verb, str]
    moved: Mapping[tuple[str, str], str]
    digit_timeout: int


def shipped() -> Shipped:
    """Parse the shipped snippet."""
    applications: dict[Verb, str] = {}
    codes: dict[Verb, str] = {}
    moved: dict[tuple[str, str], str] = {}
    timeout = _DIGIT_TIMEOUT
    for line in lines({"features.conf": snippet("features.conf")}, "features.conf"):
        if line.section == "applicationmap":
            verb = Verb(line.key.removeprefix(PREFIX))
            codes[verb], _, applications[verb] = line.value.partition(",")
        elif line.key == "featuredigittimeout":
            timeout = int(line.value)
        elif line.section in {"general", "featuremap"}:
            moved[line.section, line.key] = line.value
    return Shipped(applications, codes, moved, timeout)


def in_play(tree: Tree, folder: str) -> list[Code]:
    """Return the codes of the PBX that work during a call, without ours."""
    found = {at: Code(*at, code, "") for at, code in _DEFAULTS.items()}
    for line in _foreign(tree, folder):
        at = (line.section, line.key)
        if line.section == "applicationmap":
            if not line.key.startswith(PREFIX):
                code = line.value.split(",")[0].strip()
                found[at] = Code(*at, code, line.place)
        elif at in _DEFAULTS or (line.section == "featuremap" and line.key in _FEATUREMAP):
            found[at] = Code(*at, line.value, line.place)
    return [code for code in found.values() if code.code]


def by_hand(tree: Tree, folder: str) -> dict[Verb, Code]:
    """Return those of our codes that the site's own files define."""
    known = {verb.value: verb for verb in Verb}
    return {
        known[name]: Code(line.section, line.key, line.value.split(",")[0].strip(), line.place)
        for line in _foreign(tree, folder)
        if line.section == "applicationmap"
        and line.key.startswith(PREFIX)
        and (name := line.key.removeprefix(PREFIX)) in known
    }


def of_init(tree: Tree, folder: str) -> dict[Verb, str]:
    """Return the codes that an earlier run of `init` wrote."""
    ours = {
        (line.key, line.file): line.value.split(",")[0].strip()
        for line in lines(tree, "features.conf", folder)
        if line.section == "applicationmap" and line.key.startswith(PREFIX)
    }
    hand = {code.name for code in by_hand(tree, folder).values()}
    known = {verb.value: verb for verb in Verb}
    return {
        known[name]: code
        for (key, _), code in ours.items()
        if key not in hand and (name := key.removeprefix(PREFIX)) in known
    }


def digit_timeout(tree: Tree, folder: str) -> int:
    """Return the site's own digit timeout, in milliseconds."""
    value = _DIGIT_TIMEOUT
    for line in _foreign(tree, folder):
        if line.section == "general" and line.key == "featuredigittimeout" and line.value.isdigit():
            value = int(line.value)
    return value


def _foreign(tree: Tree, folder: str) -> list[Line]:
    """Return the lines of features.conf without those that an earlier run of `init` wrote."""
    kept = {name: without_block(text) for name, text in tree.items() if name != OWN_FILE}
    return list(lines(kept, "features.conf", folder))


def clashes(codes: Mapping[Verb, str], others: Sequence[Code]) -> list[Clash]:
    """Return the conflicts of our codes: equal codes, and codes that begin another."""
    return [
        Clash(verb, code, other)
        for verb, code in codes.items()
        for other in others
        if other.code.startswith(code) or code.startswith(other.code)
    ]


def free_codes(verbs: Sequence[Verb], others: Sequence[Code]) -> dict[Verb, str]:
    """Return a code for each verb without any conflict, empty when no such set exists."""
    for beginning in _BEGINNINGS:
        codes = {verb: beginning + _ENDINGS[verb] for verb in verbs}
        if not clashes(codes, others):
            return codes
    return {}


def chosen(others: Sequence[Code]) -> list[Code]:
    """Return the codes that the site chose itself, and the defaults that cannot be moved."""
    places = shipped().moved
    return [other for other in others if other.place or (other.section, other.name) not in places]


def moved_away(
    codes: Mapping[Verb, str], others: Sequence[Code]
) -> tuple[dict[tuple[str, str], str], list[Clash]]:
    """Return the new codes for Asterisk's own features, and the conflicts that remain.

    Codes in conflict are moved. If one code of attended transfer is moved, its other default codes
    are moved as well, to keep them alike. Further codes are moved only where a new code conflicts
    with them.
    """
    places = shipped().moved
    target = {(other.section, other.name): other for other in others}
    moves = {
        at: places[at] for at, other in target.items() if at in places and clashes(codes, [other])
    }
    if any(section == "general" for section, _ in moves):
        moves |= {at: places[at] for at, other in target.items()
                  if at in places and at[0] == "general" and not other.place}  # fmt: skip
    while True:
        after = [
            Code(other.section, other.name, moves.get(at, other.code), other.place)
            for at, other in target.items()
        ]
        in_the_way = {
            (other.section, other.name)
            for other in after
            if (at := (other.section, other.name)) not in moves
            and at in places
            and any(other.code.startswith(new) or new.startswith(other.code)
                    for new in moves.values())
        }  # fmt: skip
        if not in_the_way:
            break
        moves |= {at: places[at] for at in in_the_way}
    moves = {at: code for at, code in moves.items() if code != target[at].code}
    return moves, clashes(codes, after)
