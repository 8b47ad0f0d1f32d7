# SPDX-License-Identifier: Apache-2.0
"""What FreePBX says about recording a call, and what that means for a press. Pure.

FreePBX keeps its word in a channel variable that is handed on to the legs dialled later. Sources:
the module `callrecording` (`functions.inc.php`, contexts `sub-record-check` and
`ext-callrecording`; `bin/one_touch_record.php`), and "Call Recording walk through" of its wiki
(https://wiki.freepbx.org/display/FPG/Call+Recording+walk+through).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bridges.model import Verb

VARIABLE: Final = "REC_POLICY_MODE"
"""The channel variable with FreePBX's word."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one word allows: to silence, to start a recording, to resume one; `says` is why."""

    silence: bool
    start: bool
    resume: bool
    says: str

    def allows(self, verb: Verb) -> bool:
        """Say whether the word leaves `verb` to the people on the call."""
        if verb.silences:
            return self.silence
        return self.start if verb is Verb.START else self.resume


_FORCE: Final = Word(silence=False, start=True, resume=True, says="this call must be recorded")
_ANY: Final = Word(silence=True, start=True, resume=True, says="people may choose")
_NO: Final = Word(
    silence=True, start=False, resume=True, says="this part of the call is not to be recorded"
)
_NEVER: Final = Word(
    silence=True, start=False, resume=False, says="nothing of this call should be recording"
)

WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        "force": _FORCE,
        "always": _FORCE,  # FreePBX calls it its older name of `force`
        "yes": _ANY,
        "delayed": _ANY,  # and this one the older name of `yes`
        "dontcare": _ANY,
        "no": _NO,
        "never": _NEVER,
    }
)
"""FreePBX's words, in small letters: it writes most of them large, and some small."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the words on the legs of one call say about a verb.

    `denied` is the word that speaks against it, None when none does. `note` is a sentence about
    what was found, empty for a call without a word. `strange` are words that nobody knows.
    """

    denied: str | None
    note: str
    strange: tuple[str, ...] = ()


def judge(values: Sequence[str], verb: Verb) -> Said:
    """Return what `values`, those of `VARIABLE` on the legs of a call, say about `verb`.

    Legs may differ after a transfer: one that speaks against the verb is enough. A word that is
    not known decides nothing.
    """
    spoken = {value.strip(): WORDS.get(value.strip().lower()) for value in values if value.strip()}
    strange = tuple(value for value, word in spoken.items() if word is None)
    known = {value: word for value, word in spoken.items() if word is not None}
    against = next((value for value, word in known.items() if not word.allows(verb)), None)
    told = {against: known[against]} if against else known
    note = "; ".join(f"FreePBX says {value}: {word.says}" for value, word in told.items())
    return Said(against, note, strange)
