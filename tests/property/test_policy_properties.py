# SPDX-License-Identifier: Apache-2.0
"""Who may press, under any list of rules."""

from typing import cast, get_args

from hypothesis import given
from hypothesis import strategies as st

from ami.calls.channel_names import Rules
from ami.calls.snapshots import Channel
from bridges.model import Verb
from offrecord.model.policy_terms import KINDS, Allow, Rule
from offrecord.model.press import WAYS, Press, Way
from offrecord.policy.policy import PHONE_WAYS, Policy, may
from offrecord.policy.press_limits import Limits
from offrecord.policy.rule_matching import Facts, Person, fits

NAMES = Rules()
WORDS = st.sampled_from(["410", "411", "sales", "my-trunk", "fred"])
PATTERNS = st.none() | WORDS | st.sampled_from(["*", "4*", "?????", "[!4]*", "my-*"])
RULE = st.builds(
    Rule,
    allow=st.sampled_from(Allow),
    queue=PATTERNS,
    trunk=PATTERNS,
    agent=PATTERNS,
    extension=PATTERNS,
    verbs=st.lists(st.sampled_from(Verb), max_size=2).map(tuple),
    ways=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3).map(tuple),
    allow_trunk=st.booleans(),
)
LISTS = st.lists(RULE, max_size=5).map(tuple)
WAY = st.sampled_from(cast("tuple[Way, ...]", get_args(Way)))
ENDPOINTS = st.sampled_from(["my-trunk", "your-trunk", "411", "*"])
PHONE = st.sampled_from(["410", "411"]).map(
    lambda exten: Channel(f"PJSIP/{exten}-1", "1.1", "1.0", "PJSIP", exten, exten)
)
STRANGER = st.builds(
    lambda tech, endpoint: Channel(f"{tech}/{endpoint}-1", "1.1", "1.0", tech, endpoint, None),
    st.sampled_from(["PJSIP", "DAHDI", "Local"]),
    ENDPOINTS,
)
TEXTS = st.lists(WORDS, max_size=2).map(tuple)


def _facts(presser: st.SearchStrategy[Channel | None]) -> st.SearchStrategy[Facts]:
    return st.builds(
        Facts,
        call=st.just(frozenset({"1.0"})),
        presser=presser,
        agent=st.none() | WORDS,
        extensions=TEXTS,
        trunks=st.lists(ENDPOINTS, max_size=2).map(tuple),
        queues=TEXTS,
        freepbx=st.none() | st.lists(st.sampled_from(["FORCE", "YES", "never", "x"])).map(tuple),
        silenced_by=st.lists(
            st.builds(Person, st.none() | WORDS, st.none() | WORDS), max_size=2
        ).map(tuple),
        seen=st.booleans(),
    )


def _limits(*, reached: bool) -> Limits:
    limits = Limits(1, 1)
    if reached:
        limits.count(frozenset({"1.0"}), "fred", 0.0)
    return limits


POLICY = st.builds(
    Policy,
    rules=LISTS,
    freepbx=st.booleans(),
    resume_by=st.sampled_from(["anyone", "same_person"]),
    limits=st.booleans().map(lambda reached: _limits(reached=reached)),
)


def _press(way: Way, verb: Verb) -> Press:
    return Press("p", verb, way, "1.1", 0, 1.0)


@given(
    POLICY, _facts(st.none() | PHONE | STRANGER), WAY, st.sampled_from(["erase", "", "STOP", "*"])
)
def test_no_policy_lets_an_unknown_verb_pass(
    policy: Policy, facts: Facts, way: Way, verb: str
) -> None:
    assert not policy.rule(_press(way, cast("Verb", verb)), facts, NAMES).allowed


@given(POLICY, _facts(STRANGER), st.sampled_from(sorted(PHONE_WAYS)), st.sampled_from(Verb))
def test_no_policy_lets_a_stranger_press_whom_no_rule_names(
    policy: Policy, facts: Facts, way: str, verb: Verb
) -> None:
    ruling = policy.rule(_press(cast("Way", way), verb), facts, NAMES)
    presser = facts.presser
    assert presser is not None
    named = any(rule.allow_trunk and rule.trunk == presser.endpoint for rule in policy.rules)

    assert not ruling.allowed or (named and presser.technology != "Local")


@given(LISTS, _facts(PHONE | STRANGER), WAY, st.sampled_from(Verb))
def test_the_first_rule_that_fits_decides(
    rules: tuple[Rule, ...], facts: Facts, way: Way, verb: Verb
) -> None:
    press = _press(way, verb)
    ruling = Policy(rules).rule(press, facts, NAMES)
    places = [place for place, rule in enumerate(rules) if fits(rule, press, facts)[0]]
    first = next(iter(places), None)

    assert [place for place, trial in enumerate(ruling.trials) if trial.matched] == places[:1]
    if first is None:
        assert ruling.allowed == may(press, facts.presser, NAMES).allowed
    else:
        match rules[first].allow:
            case Allow.ALLOW:
                assert ruling.allowed
            case Allow.PAUSE_ONLY:
                assert ruling.allowed is (verb in {Verb.PAUSE, Verb.RESUME})
            case Allow.DENY:
                assert not ruling.allowed
        # What comes after it changes nothing.
        assert Policy(rules[: first + 1]).rule(press, facts, NAMES).allowed == ruling.allowed


@given(POLICY, _facts(PHONE), st.sampled_from(sorted(WAYS)), st.sampled_from(Verb))
def test_neither_limits_nor_who_was_first_keep_anybody_from_silencing(
    policy: Policy, facts: Facts, way: str, verb: Verb
) -> None:
    press = _press(cast("Way", way), verb)
    free = Policy(policy.rules, policy.freepbx).rule(press, facts, NAMES)
    held = policy.rule(press, facts, NAMES)

    assert held.allowed <= free.allowed
    if verb.silences:
        assert held.allowed == free.allowed
