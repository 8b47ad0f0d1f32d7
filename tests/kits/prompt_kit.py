# SPDX-License-Identifier: Apache-2.0
"""Which notes of the shipped prompts are heard in a recording, window by window."""

from collections.abc import Sequence

from lab.pbx import audio
from offrecord.notify import prompt_sounds

WINDOW = audio.RATE // 50  # 20 ms, what a packet of a call carries

SCALE = sorted(
    {note.hertz for notes in prompt_sounds.PROMPTS.values() for note in notes if note.hertz}
)


def windows(samples: Sequence[int]) -> list[Sequence[int]]:
    return [samples[at : at + WINDOW] for at in range(0, len(samples) - WINDOW + 1, WINDOW)]


def pattern(samples: Sequence[int], floor: float = 2500) -> list[int]:
    """Return what is heard in each 20 ms: 0 for silence, else the number of a note."""
    heard = []
    for window in windows(samples):
        strengths = [audio.goertzel(window, hertz) for hertz in SCALE]
        loudest = max(strengths)
        heard.append(strengths.index(loudest) + 1 if loudest > floor else 0)
    return heard
