# SPDX-License-Identifier: Apache-2.0
"""FreePBX's recording setting of a call, and which verbs it leaves to the people on it. Pure.

FreePBX keeps it as one word in a channel variable that legs dialled later inherit. Sources:
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
"""The channel variable that holds FreePBX's word."""


@dataclass(frozen=True, slots=True)
class Word:
    """Rights that one word gives: to stop or pause, to start, to resume; `says` is its meaning."""

    silence: bool
    start: bool
    resume: bool
    says: str

    def allows(self, verb: Verb) -> bool:
        """Return whether the people on the call may use `verb`."""
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
"""FreePBX's words in lower case; FreePBX itself writes most of them in capitals."""


@dataclass(frozen=True, slots=True)
class Said:
    """Meaning for a verb of the words on the legs of one call.

    `denied` is the word that forbids it, None when none does. `note` is a sentence about the words
    that were found, empty without any. `strange` are words that FreePBX is not known to use.
    """

    denied: str | None
    note: str
    strange: tuple[str, ...] = ()


def judge(values: Sequence[str], verb: Verb) -> Said:
    """Return what `values`, read from `VARIABLE` on each leg of a call, mean for `verb`.

    Legs may differ after a transfer: one that forbids the verb is enough. An unknown word decides
    nothing.
    """
    spoken = {value.strip(): WORDS.get(value.strip().lower()) for value in values if value.strip()}
    strange = tuple(value for value, word in spoken.items() if word is None)
    known = {value: word for value, word in spoken.items() if word is not None}
    against = next((value for value, word in known.items() if not word.allows(verb)), None)
    told = {against: known[against]} if against else known
    note = "; ".join(f"FreePBX says {value}: {word.says}" for value, word in told.items())
    return Said(against, note, strange)
