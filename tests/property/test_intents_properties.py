# SPDX-License-Identifier: Apache-2.0
"""Whatever is pressed on whatever calls: the index is true, and nothing strong gives way."""

from hypothesis import given
from hypothesis import strategies as st

from bridges.model import Verb
from offrecord.model.intents import Intent, Intents
from offrecord.model.pause_rules import PauseRules
from tests.kits.intent_kit import live_after

IDS = st.frozensets(st.sampled_from(["1.1", "1.2", "2.1", "2.2", "3.1"]), min_size=1)
VERBS = st.sampled_from([Verb.STOP, Verb.PAUSE, Verb.OBJECTION])
RECORDERS = st.sampled_from([("local",), ("noojee",), ("local", "noojee")])
STRENGTH = {Verb.PAUSE: 1, Verb.STOP: 2, Verb.OBJECTION: 3}


@given(st.lists(st.tuples(VERBS, IDS, RECORDERS)), st.lists(st.integers(0, 20)))
def test_every_call_is_held_to_the_strongest_that_was_pressed_on_it(
    presses: list[tuple[Verb, frozenset[str], tuple[str, ...]]], ends: list[int]
) -> None:
    intents, journal = Intents(), []
    for number, (verb, ids, recorders) in enumerate(presses):
        new = Intent(f"p{number}", verb, min(ids), ids, recorders, number)
        counts, ended = intents.add(new)
        if STRENGTH[counts.verb] >= STRENGTH[verb]:
            journal += [("intent_ended", {"intent": one.id}) for one in ended]
            journal.append(("intent", counts.body()))
        for name in recorders:  # nobody who was told to be silent is forgotten
            holding = [one for one in intents.all_of(ids) if name in one.recorders]
            assert max(STRENGTH[one.verb] for one in holding) >= STRENGTH[verb]
    for number in ends:
        if intents.end(f"p{number}"):
            journal.append(("intent_ended", {"intent": f"p{number}"}))

    live = list(intents)
    for one in live:
        assert all(one in intents.all_of({each}) for each in one.lineage)
    assert {each for one in live for each in one.lineage} == set(intents._by_id)
    assert {one.id: one for one in live_after(journal)} == {one.id: one for one in live}


@given(
    st.floats(1, 3600), st.floats(0, 3600), st.floats(1, 3600), st.integers(0, 2**45),
    st.integers(1, 4),
)  # fmt: skip
def test_no_pause_is_longer_than_its_maximum(
    ttl: float, extension: float, maximum: float, since: int, presses: int
) -> None:
    rules = PauseRules(ttl=ttl, extension=extension, maximum=maximum)
    until, latest = rules.times(since, {"queue": (), "trunk": ()})
    intent = Intent("p", Verb.PAUSE, "1", frozenset({"1"}), (), since, None, until, latest)
    for _ in range(presses):
        longer = rules.extend(intent)
        if longer is not None:
            assert not intent.extended
            assert (longer.until or 0) > (intent.until or 0)
            intent = longer

    assert since < (intent.until or 0) <= latest
