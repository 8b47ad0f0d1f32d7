# SPDX-License-Identifier: Apache-2.0
"""The shipped prompts: short, on the telephone's band, and never taken for one another."""

import itertools
import random
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridges.model import Outcome
from lab.pbx import audio
from offrecord.model.outcome_codes import OWN_SOUNDS, SETS, SOUNDS
from offrecord.notify import prompt_sounds
from tests.kits.prompt_kit import WINDOW, pattern, windows

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "sounds" / "offrecord"
HEARD = sorted(prompt_sounds.PROMPTS)


def shipped(outcome: Outcome) -> tuple[int, ...]:
    return audio.samples(FOLDER / f"{outcome.value}.wav")


def unlike(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the share of 20 ms windows in which two patterns differ."""
    pairs = list(itertools.zip_longest(one, other, fillvalue=0))
    return sum(a != b for a, b in pairs) / len(pairs)


def rhythm(notes: Sequence[int]) -> list[int]:
    return [min(note, 1) for note in notes]


def test_every_outcome_that_somebody_hears_has_a_prompt_and_a_file() -> None:
    assert set(prompt_sounds.PROMPTS) == set(Outcome) - {Outcome.CALL_ENDED}
    assert {path.name for path in FOLDER.iterdir()} == set(prompt_sounds.files())
    named = {name for names in OWN_SOUNDS.values() for name in names}
    assert {f"{name.removeprefix('offrecord/')}.wav" for name in named} == set(
        prompt_sounds.files()
    )
    assert SETS == {"stock": SOUNDS, "offrecord": OWN_SOUNDS}
    assert OWN_SOUNDS[Outcome.CALL_ENDED] == ()


def test_made_anew_they_are_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "make_sounds.py"), str(tmp_path)],
        check=True, capture_output=True,
    )  # fmt: skip
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert made == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@pytest.mark.parametrize("outcome", HEARD)
def test_a_file_is_of_the_form_that_asterisk_plays(outcome: Outcome) -> None:
    data = (FOLDER / f"{outcome.value}.wav").read_bytes()
    form = struct.unpack("<4sI4s4sIHHIIHH4sI", data[:44])

    assert form[0] == b"RIFF"
    assert form[5:8] == (1, 1, 8000)  # PCM, one channel, 8 kHz
    assert form[10] == 16
    assert form[12] == len(data) - 44


@pytest.mark.parametrize("outcome", HEARD)
def test_a_prompt_is_short_and_neither_clipped_nor_faint(outcome: Outcome) -> None:
    samples = shipped(outcome)

    assert 0.3 <= len(samples) / audio.RATE <= prompt_sounds.LONGEST <= 0.9
    assert 8000 < max(map(abs, samples)) < 20000
    assert samples[0] == 0
    assert abs(samples[-1]) < 1000


def test_the_guide_tells_how_long_each_lasts() -> None:
    guide = (ROOT / "docs" / "feedback.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| (0\.\d\d) \|$", guide, re.MULTILINE))

    assert told == {outcome.value: f"{len(shipped(outcome)) / audio.RATE:.2f}" for outcome in HEARD}


@pytest.mark.parametrize("outcome", HEARD)
def test_a_prompt_sounds_the_notes_it_is_made_of_and_no_others(outcome: Outcome) -> None:
    samples, at = shipped(outcome), 0
    for note in prompt_sounds.PROMPTS[outcome]:
        count = round(note.seconds * audio.RATE)
        middle = samples[at + count // 10 : at + count - count // 10]
        power = sum(sample * sample for sample in middle) / len(middle)
        if note.hertz:
            assert 300 < note.hertz < 3400
            strength = audio.goertzel(middle, note.hertz)
            assert strength > 8000
            assert strength**2 / 2 > 0.95 * power  # nothing else is in it
        else:
            assert power == 0
        at += count
    assert at == len(samples)


def test_no_prompt_is_a_key_of_a_telephone() -> None:
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
    for outcome in HEARD:
        for window in windows(shipped(outcome)):
            low = max(audio.goertzel(window, hertz) for hertz in rows)
            high = max(audio.goertzel(window, hertz) for hertz in columns)
            assert min(low, high) < prompt_sounds.LOUD / 6, (
                outcome
            )  # a key sounds one of each, as loud


PAIRS = list(itertools.combinations(HEARD, 2))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_prompts_differ_in_melody_and_in_rhythm(one: Outcome, other: Outcome) -> None:
    first, second = pattern(shipped(one)), pattern(shipped(other))
    melodies = [[note for note, _ in itertools.groupby(heard) if note] for heard in (first, second)]

    assert unlike(first, second) > 0.5
    assert unlike(rhythm(first), rhythm(second)) > 0.15
    assert melodies[0] != melodies[1]


def spoiled(samples: Sequence[int], chance: random.Random) -> list[int]:
    """Return samples as a bad line gives them: a tenth of the packets lost, and loud noise."""
    heard: list[int] = []
    for window in windows(samples):
        lost = chance.random() < 0.1
        heard += [0] * WINDOW if lost else [round(one + chance.gauss(0, 4000)) for one in window]
    return heard


@pytest.mark.parametrize("outcome", HEARD)
def test_a_prompt_is_known_on_a_bad_line(outcome: Outcome) -> None:
    chance = random.Random(outcome.value)
    known = {each: pattern(shipped(each)) for each in HEARD}
    for _ in range(5):
        heard = pattern(spoiled(shipped(outcome), chance))
        assert min(known, key=lambda each: unlike(known[each], heard)) is outcome
