# SPDX-License-Identifier: Apache-2.0
"""Intents: whose they are, which counts, what ends them; all of it without a clock or a PBX."""

from dataclasses import replace

import pytest

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call
from bridges.model import ORDERS, Verb
from offrecord.assembly.build import pause_rules
from offrecord.config.sections.enforcement import PauseConfig, RetryConfig
from offrecord.model.intents import Intent, Intents, kin, read
from offrecord.model.pause_rules import PauseRules, TtlRule
from tests.kits.call_kit import TWO_PHONES, enter, graph, hangup, leave, new
from tests.kits.intent_kit import live_after, strongest

ONE = Intent("p1", Verb.STOP, "1.1", frozenset({"1.1", "1.2"}), ("local", "noojee"), 1000)


def call_of(made: CallGraph, uniqueid: str) -> Call:
    found = made.call_of(uniqueid)
    assert found is not None
    return found


def of(verb: Verb, name: str = "p2", **more: object) -> Intent:
    return replace(ONE, id=name, verb=verb, since=2000, **more)  # type: ignore[arg-type]


# verbs


def test_recorders_know_four_verbs_and_an_objection_is_a_stop_to_them() -> None:
    assert [verb.order for verb in Verb] == [*ORDERS, Verb.STOP]
    assert {verb for verb in Verb if verb.silences} == {Verb.STOP, Verb.PAUSE, Verb.OBJECTION}


# which counts


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (Verb.PAUSE, Verb.STOP, "p2"),
        (Verb.PAUSE, Verb.OBJECTION, "p2"),
        (Verb.STOP, Verb.OBJECTION, "p2"),
        (Verb.STOP, Verb.PAUSE, "p1"),
        (Verb.OBJECTION, Verb.PAUSE, "p1"),
        (Verb.OBJECTION, Verb.STOP, "p1"),
        (Verb.STOP, Verb.STOP, "p1"),
        (Verb.PAUSE, Verb.PAUSE, "p1"),
    ],
)
def test_the_stronger_counts_and_of_equals_the_first(
    first: Verb, second: Verb, counts: str
) -> None:
    intents = Intents()
    intents.add(replace(ONE, verb=first))
    now, ended = intents.add(of(second))

    assert now.id == counts
    assert [one.id for one in intents] == [counts]
    assert [one.id for one in ended] == (["p1"] if counts == "p2" else [])


def test_intents_about_other_recorders_live_side_by_side() -> None:
    intents = Intents()
    intents.add(replace(ONE, verb=Verb.PAUSE))
    _, ended = intents.add(of(Verb.STOP, recorders=("noojee",)))

    assert not ended
    found = strongest(intents, ONE.lineage)
    assert found is not None
    assert found.id == "p2"
    assert [one.id for one in intents.all_of({"1.2"})] == ["p2", "p1"]


def test_the_same_verb_for_one_more_recorder_is_one_intent_about_both() -> None:
    intents = Intents()
    intents.add(replace(ONE, recorders=("noojee",)))
    now, _ = intents.add(of(Verb.STOP, recorders=("local",), lineage=frozenset({"1.2", "7.7"})))

    assert now.recorders == ("noojee", "local")
    assert now.lineage == {"1.1", "1.2", "7.7"}


def test_it_is_found_by_any_id_of_its_call_and_by_no_other() -> None:
    intents = Intents()
    intents.add(ONE)

    assert strongest(intents, frozenset({"1.2", "9.9"})) == ONE
    assert strongest(intents, frozenset({"9.9"})) is None
    assert intents.touches("1.1")
    intents.end("p1")
    assert not intents.touches("1.1")
    assert intents.end("p1") is None


# growing and parting


def test_it_grows_with_the_linkedid_of_a_transfer() -> None:
    made = graph(*TWO_PHONES, new("5.1", "SIP/412-5"), new("5.2", "SIP/413-6", "5.1"))
    made.apply(enter("c", "5.1", "5.1"))
    intents = Intents()
    intents.add(replace(ONE, lineage=call_of(made, "1.1").ids))
    made.apply(hangup("1.1"))
    made.apply(enter("c", "1.2", "5.1"))  # Asterisk gives both the same linkedid
    [grown] = intents.widen(call_of(made, "1.2"))

    assert grown.lineage >= {"1.1", "1.2", "5.1", "5.2"}
    assert intents.touches("5.2")
    assert not intents.widen(call_of(made, "1.2"))


CONFERENCE = (
    *TWO_PHONES, new("3.1", "SIP/412-3"), new("4.1", "SIP/413-4"),
    enter("conf", "3.1", "3.1", kind="base"), enter("conf", "4.1", "4.1", kind="base"),
)  # fmt: skip


def test_it_does_not_grow_through_a_conference() -> None:
    made = graph(*CONFERENCE)
    intents = Intents()
    intents.add(ONE)
    made.apply(enter("conf", "1.1", "1.1", kind="base"))
    intents.widen(call_of(made, "1.1"))

    assert strongest(intents, call_of(made, "3.1").ids) is not None  # while they are together
    assert not intents.touches("3.1")
    made.apply(leave("conf", "1.1"))
    assert strongest(intents, call_of(made, "3.1").ids) is None


def in_conference() -> tuple[CallGraph, Intents]:
    made = graph(*CONFERENCE, leave("b", "1.1"), enter("conf", "1.1", "1.1", kind="base"))
    call = call_of(made, "1.1")
    intents = Intents()
    home = kin(call, frozenset({"1.1"}))
    intents.add(replace(ONE, lineage=call.ids, home=home))
    return made, intents


def test_the_pressers_own_call_is_home_and_the_others_are_guests() -> None:
    _, intents = in_conference()
    [intent] = intents

    assert intent.home == {"1.1", "1.2"}
    assert intent.lineage == {"1.1", "1.2", "3.1", "4.1"}


def test_a_guest_on_their_own_is_let_go_and_nobody_else() -> None:
    made, intents = in_conference()
    made.apply(leave("conf", "3.1"))

    assert not intents.part(call_of(made, "1.1"))
    [less] = intents.part(call_of(made, "3.1"))
    assert less.lineage == {"1.1", "1.2", "4.1"}


def test_guests_stay_covered_together_after_the_presser_has_left() -> None:
    made, intents = in_conference()
    made.apply(leave("conf", "1.1"))

    assert not intents.part(call_of(made, "1.1"))
    assert not intents.part(call_of(made, "4.1"))
    assert strongest(intents, call_of(made, "4.1").ids) is not None
    made.apply(leave("conf", "4.1"))
    assert intents.part(call_of(made, "4.1"))
    assert strongest(intents, call_of(made, "4.1").ids) is None


def test_kin_of_a_plain_call_is_the_whole_call() -> None:
    call = call_of(graph(*TWO_PHONES), "1.2")

    assert kin(call, frozenset({"1.2"})) == call.ids


# times


def about(
    queue: tuple[str, ...] = (), trunk: tuple[str, ...] = (), **more: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Return what is known of a call, by the keys of a rule about routes."""
    return {"queue": queue, "trunk": trunk, "did": (), "agent": (), "extension": ()} | more


def test_the_rule_that_fits_with_the_most_patterns_says_how_long_a_pause_lasts() -> None:
    rules = PauseRules(
        queues=(("sales", 60),), trunks=(("*", 70),), maximum=600,
        routes=(
            TtlRule({"agent": "fred"}, 20), TtlRule({"extension": "4??"}, 30),
            TtlRule({"queue": "sales", "agent": "fred"}, 40), TtlRule({"did": "0305*"}, 50),
        ),
    )  # fmt: skip

    def lasts(*queues: str, **more: tuple[str, ...]) -> float:
        return (rules.times(0, about(queues, ("gw",), **more))[0]) / 1000

    assert lasts() == 70
    assert lasts("sales") == 60
    assert lasts("sales", agent=("wilma",), extension=("410",)) == 30
    assert lasts("sales", did=("0305550123",)) == 50
    assert lasts("sales", agent=("fred",), extension=("410",)) == 40
    assert lasts(agent=("fred",), extension=("410",)) == 20  # the first of equals


def test_a_pause_lasts_as_long_as_its_queue_says_and_never_over_the_maximum() -> None:
    rules = PauseRules(ttl=180, queues=(("sales-*", 60), ("slow", 900)), maximum=600)

    assert rules.times(1000, about()) == (181_000, 601_000)
    assert rules.times(1000, about(("support", "sales-1"))) == (61_000, 601_000)
    assert rules.times(1000, about(("slow",))) == (601_000, 601_000)
    rules = replace(rules, trunks=(("bank-*", 300), ("*", 30)))
    assert rules.times(1000, about((), ("bank-1",))) == (301_000, 601_000)
    assert rules.times(1000, about(("sales-1",), ("bank-1",))) == (61_000, 601_000)
    assert rules.times(1000, about(("support",), ("gw",))) == (31_000, 601_000)


@pytest.mark.parametrize(
    ("intent", "until"),
    [
        (of(Verb.PAUSE, until=5000, maximum=90_000), 35_000),
        (of(Verb.PAUSE, until=5000, maximum=6000), 6000),
        (of(Verb.PAUSE, until=5000, maximum=90_000, extended=True), None),
        (of(Verb.PAUSE), None),
        (of(Verb.STOP, until=5000, maximum=90_000), None),
    ],
    ids=["once", "to-the-maximum", "not-twice", "not-without-an-end", "not-a-stop"],
)
def test_what_a_second_press_adds(intent: Intent, until: int | None) -> None:
    longer = PauseRules(extension=30).extend(intent)

    assert (longer.until if longer else None) == until


# the journal


def test_what_was_live_is_read_back_from_the_journal() -> None:
    pause = of(Verb.PAUSE, until=5000, maximum=9000, agent="fred", facts={"UUID": ("a", "b")})
    records = [
        ("pressed", {}),
        ("intent", ONE.body()),
        ("intent", pause.body()),
        ("extended", {"intent": "p2", "until": 8000}),
        ("extended", {"intent": "p9", "until": 8000}),
        ("intent_ended", {"intent": "p1", "why": "superseded"}),
    ]

    assert live_after(records) == [replace(pause, until=8000, extended=True)]
    assert read(pause.body()) == pause


def test_an_intent_of_the_agreed_fields_alone_can_be_read() -> None:
    names = ("intent", "verb", "call", "lineage", "recorders", "agent", "until", "maximum",
             "at_end")  # fmt: skip
    body = {name: value for name, value in ONE.body().items() if name in names}

    assert replace(read({**body, "since": 1000}), facts={}) == ONE


# the configuration


def test_the_sections_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="longer than `maximum` allows"):
        PauseConfig(ttl=700)
    with pytest.raises(ValueError, match="longer than `maximum` allows"):
        PauseConfig(queues={"sales-*": 700})
    with pytest.raises(ValueError, match="is no way out"):
        RetryConfig(fallback=("hold",))
    with pytest.raises(ValueError, match="needs `hold_sounds`"):
        RetryConfig(fallback=("hold_music",))
    with pytest.raises(ValueError, match="no plain name"):
        RetryConfig(fallback=("hold_music",), hold_sounds=("moh/a&b",))
    with pytest.raises(ValueError, match="is no way out"):
        RetryConfig(fallback=("recorder:",))
    held = RetryConfig(fallback=("hold_music",), hold_sounds=("/usr/share/asterisk/moh/calm",))
    assert held.holds
    assert not RetryConfig().holds
    assert RetryConfig(fallback=("mute", "recorder:backup")).recorders == ("backup",)


def test_the_defaults_of_the_section_are_those_of_the_rules() -> None:
    assert pause_rules(PauseConfig()) == PauseRules()
