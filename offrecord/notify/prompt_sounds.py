# SPDX-License-Identifier: Apache-2.0
"""The prompts that offrecord ships, each as the notes it is made of, and how notes become sound.

Every prompt has a melody and a rhythm of its own, so that it is known by either where a bad line
spoils the other. A note is one pure tone between 300 and 3400 Hz: a telephone line carries it, and
no receiver takes it for a digit, which needs two. No prompt is a lone note of a beep's length.
"""

import io
import math
import struct
import wave
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from bridges.model import Outcome

RATE: Final = 8000
"""Samples a second, as in Asterisk's `wav` format: 16 bit, one channel."""
LONGEST: Final = 0.9
"""Seconds that a prompt lasts at most."""

_FADE: Final = 0.006
"""Seconds in which a note swells and dies away: a hard edge would click."""
LOUD: Final = 9000
"""Amplitude of a note, of 32767: as loud as a voice, not as an alarm."""


class Note(NamedTuple):
    """One tone of `hertz` for `seconds`; 0 Hz is silence."""

    hertz: float
    seconds: float


def _rest(seconds: float) -> Note:
    return Note(0, seconds)


PROMPTS: Final[Mapping[Outcome, tuple[Note, ...]]] = MappingProxyType(
    {
        # three steps up, and the last one stays
        Outcome.CONFIRMED: (
            Note(523, 0.10), _rest(0.05), Note(784, 0.10), _rest(0.05), Note(1318, 0.32),
        ),
        # two even notes that ask rather than tell
        Outcome.ACCEPTED: (Note(587, 0.16), _rest(0.22), Note(698, 0.16)),
        # up, and back down to where it began
        Outcome.CONTAINED: (
            Note(659, 0.24), _rest(0.06), Note(988, 0.12), _rest(0.06), Note(659, 0.24),
        ),
        # four short notes, all alike
        Outcome.NOTHING_TO_STOP: (
            Note(392, 0.06), _rest(0.12), Note(392, 0.06), _rest(0.12),
            Note(392, 0.06), _rest(0.12), Note(392, 0.06),
        ),
        # a long step down: the door is shut
        Outcome.DENIED: (Note(466, 0.26), _rest(0.20), Note(330, 0.42)),
        # a siren without a breath
        Outcome.FAILED: (
            Note(1760, 0.14), Note(1109, 0.14), Note(1760, 0.14), Note(1109, 0.14),
            Note(1760, 0.14), Note(1109, 0.16),
        ),
    }
)  # fmt: skip
"""The notes of each outcome that somebody is left to hear."""


def samples(notes: Sequence[Note]) -> list[int]:
    """Return the samples of some notes, one after the other."""
    made: list[int] = []
    for note in notes:
        count = round(note.seconds * RATE)
        edge = round(_FADE * RATE)
        turn = 2 * math.pi * note.hertz / RATE
        for place in range(count):
            swell = min(1.0, (place + 1) / edge, (count - place) / edge)
            made.append(round(LOUD * swell * math.sin(turn * place)) if note.hertz else 0)
    return made


def wav(notes: Sequence[Note]) -> bytes:
    """Return some notes as a WAV file that Asterisk plays: the same bytes every time."""
    made = samples(notes)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(struct.pack(f"<{len(made)}h", *made))
    return file.getvalue()


def files() -> dict[str, bytes]:
    """Return every shipped sound file: its name in the folder `offrecord`, and its bytes."""
    return {f"{outcome.value}.wav": wav(notes) for outcome, notes in PROMPTS.items()}
