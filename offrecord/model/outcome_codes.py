# SPDX-License-Identifier: Apache-2.0
"""Tables by outcome: exit code, HTTP status, sounds, log level, sentence.

A test finds a missing row.

The stock sounds are from Asterisk's core sounds, which every PBX has; each outcome sounds
different. The sounds of the set `offrecord` are shipped and must be copied to the PBX first.
"""

import logging
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bridges.model import Outcome, Verb

EXIT_CODES: Final[Mapping[Outcome, int]] = MappingProxyType(
    {
        Outcome.CONFIRMED: 0,
        Outcome.ACCEPTED: 10,
        Outcome.CONTAINED: 11,
        Outcome.NOTHING_TO_STOP: 12,
        Outcome.DENIED: 13,
        Outcome.CALL_ENDED: 14,
        Outcome.FAILED: 15,
    }
)
"""Exit code of a command whose press ended with an outcome, as `offrecord.base.errors.Exit`."""

HTTP_STATUSES: Final[Mapping[Outcome, int]] = MappingProxyType(
    {
        Outcome.CONFIRMED: 200,
        Outcome.ACCEPTED: 202,
        Outcome.CONTAINED: 200,
        Outcome.NOTHING_TO_STOP: 200,
        Outcome.DENIED: 403,
        Outcome.CALL_ENDED: 404,
        Outcome.FAILED: 502,
    }
)
"""HTTP status of a press by its outcome.

200: it is proven that the order was carried out. 202: that is not proven. 4xx and 5xx: it was not
carried out, or its result is not known.
"""

SOUNDS: Final[Mapping[Outcome, tuple[str, ...]]] = MappingProxyType(
    {
        Outcome.CONFIRMED: ("beep",),
        Outcome.ACCEPTED: ("beep", "beep"),
        Outcome.CONTAINED: ("ascending-2tone",),
        Outcome.NOTHING_TO_STOP: ("descending-2tone",),
        Outcome.DENIED: ("beeperr", "beeperr"),
        Outcome.CALL_ENDED: (),  # nobody is left to hear one
        Outcome.FAILED: ("beeperr",),
    }
)
"""Names of the sounds played to the presser, in order; `[sounds]` replaces them by outcome."""

REMINDER: Final = ("ascending-2tone", "descending-2tone")
"""Names of the sounds played to the presser when a pause is about to end, in order."""

OWN_SOUNDS: Final[Mapping[Outcome, tuple[str, ...]]] = MappingProxyType(
    {outcome: (f"offrecord/{outcome.value}",) if names else () for outcome, names in SOUNDS.items()}
)
"""The prompts of `offrecord.notify.prompt_sounds`; Asterisk plays nothing for a missing file."""

SETS: Final[Mapping[str, Mapping[Outcome, tuple[str, ...]]]] = MappingProxyType(
    {"stock": SOUNDS, "offrecord": OWN_SOUNDS}
)
"""The sets of sounds that a site may choose from, by the name in `[sounds]`."""

LOG_LEVELS: Final[Mapping[Outcome, int]] = MappingProxyType(
    {
        Outcome.CONFIRMED: logging.INFO,
        Outcome.ACCEPTED: logging.INFO,
        Outcome.CONTAINED: logging.WARNING,
        Outcome.NOTHING_TO_STOP: logging.INFO,
        Outcome.DENIED: logging.WARNING,
        Outcome.CALL_ENDED: logging.INFO,
        Outcome.FAILED: logging.ERROR,
    }
)

TEXTS: Final[Mapping[Outcome, str]] = MappingProxyType(
    {
        Outcome.CONFIRMED: "Recording {done}, and proven so.",
        Outcome.ACCEPTED: "The recorder says that recording is {done}; it gives no proof.",
        Outcome.CONTAINED: "Recording could not be {done}; it was paused or muted instead.",
        Outcome.NOTHING_TO_STOP: "Nothing is being recorded: there was nothing to {do}.",
        Outcome.DENIED: "You may not {do} recording on this call; nothing was changed.",
        Outcome.CALL_ENDED: "The call ended before recording could be {done}.",
        Outcome.FAILED: "Recording was NOT {done}: take it that the call is being recorded.",
    }
)

RESUMED_FAILED: Final = "Recording was NOT {done}: take it that the call is not being recorded."
"""Used instead of `TEXTS` when a verb that turns recording on has failed."""

_DO: Final[Mapping[Verb, tuple[str, str]]] = MappingProxyType(
    {
        Verb.STOP: ("stop", "stopped"),
        Verb.PAUSE: ("pause", "paused"),
        Verb.RESUME: ("resume", "resumed"),
        Verb.START: ("start", "started"),
        Verb.OBJECTION: ("stop", "stopped"),
    }
)


def text(outcome: Outcome, verb: Verb) -> str:
    """Return the sentence for a person whose press of `verb` ended with `outcome`."""
    do, done = _DO[verb]
    sentence = TEXTS[outcome]
    if outcome is Outcome.FAILED and not verb.silences:
        sentence = RESUMED_FAILED
    return sentence.format(do=do, done=done)


_SOUND: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_./-]{1,100}")


def is_sound(name: str) -> bool:
    """Return whether a sound's name may stand in a dialplan's arguments.

    Stricter than the check of `agi.verdict_message`, which has its own: that module is loaded
    by the one-shot script while a caller waits, and imports nothing of the daemon.
    """
    return bool(_SOUND.fullmatch(name))
