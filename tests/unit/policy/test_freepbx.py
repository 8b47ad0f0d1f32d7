# SPDX-License-Identifier: Apache-2.0
"""FreePBX's words, row by row."""

import re

import pytest

from bridges.model import Verb
from offrecord.policy.freepbx import VARIABLE, WORDS, judge
from tests.kits.docs_kit import read

ROWS = {
    # word: the verbs that it denies
    "FORCE": {"stop", "pause", "objection"},
    "always": {"stop", "pause", "objection"},
    "YES": set(),
    "delayed": set(),
    "dontcare": set(),
    "NO": {"start"},
    "NEVER": {"start", "resume"},
    "never": {"start", "resume"},
}


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("word", ROWS)
def test_a_word_denies_the_verbs_of_its_row(word: str, verb: Verb) -> None:
    said = judge([word], verb)

    assert (said.denied == word) is (verb.value in ROWS[word])
    assert said.note.startswith(f"FreePBX says {word}: ")
    assert said.strange == ()


def test_every_word_has_its_row() -> None:
    assert {word.lower() for word in ROWS} == set(WORDS)


@pytest.mark.parametrize("word", ["NO", "NEVER"])
def test_a_stop_goes_on_where_nothing_should_be_recording_and_that_is_said(word: str) -> None:
    said = judge([word], Verb.STOP)

    assert said.denied is None
    assert re.search("should be recording|not to be recorded", said.note)


@pytest.mark.parametrize("values", [[], ["", " "]])
def test_a_call_without_a_word_is_not_spoken_of(values: list[str]) -> None:
    said = judge(values, Verb.STOP)

    assert (said.denied, said.note, said.strange) == (None, "", ())


def test_one_leg_that_speaks_against_the_verb_is_enough() -> None:
    assert judge(["YES", "FORCE"], Verb.STOP).denied == "FORCE"
    assert judge(["NEVER", "FORCE"], Verb.STOP).denied == "FORCE"
    assert judge(["NEVER", "FORCE"], Verb.START).denied == "NEVER"
    assert judge(["FORCE", "YES"], Verb.START).denied is None


def test_a_word_that_nobody_knows_decides_nothing_and_is_told() -> None:
    said = judge(["Perhaps", "FORCE"], Verb.STOP)

    assert (said.denied, said.strange) == ("FORCE", ("Perhaps",))
    assert judge(["Perhaps"], Verb.STOP).denied is None


def test_case_and_blanks_around_a_word_do_not_matter() -> None:
    assert judge([" Force "], Verb.PAUSE).denied == "Force"


def test_the_table_of_the_guide_is_that_of_the_code() -> None:
    section = read("docs/policy.md").split("## FreePBX's words")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*) \|$", section, re.MULTILINE)
    said = {}
    for row in rows:
        words, _, silence, start, resume = (cell.strip() for cell in row.split(" | "))
        for word in re.findall(r"`(\w+)`", words):
            said[word.lower()] = (silence, start, resume)

    assert f"`{VARIABLE}`" in section
    assert said == {
        name: tuple("yes" if able else "no" for able in (word.silence, word.start, word.resume))
        for name, word in WORDS.items()
    }
