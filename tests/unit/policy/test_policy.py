# SPDX-License-Identifier: Apache-2.0
"""Who may press."""

import tomllib
from collections.abc import Sequence
from typing import Any, cast

import pytest

from ami.calls.channel_names import Rules
from ami.calls.snapshots import Call, Channel
from bridges.model import Verb
from offrecord.assembly import build
from offrecord.config.sections.policy import PolicyConfig
from offrecord.model.policy_terms import KINDS, Allow, Rule
from offrecord.model.press import WAYS, Press, Way
from offrecord.policy import freepbx
from offrecord.policy.policy import PHONE_WAYS, Policy, Ruling, may
from offrecord.policy.press_limits import Limits
from offrecord.policy.rule_matching import Facts, Person, kind_of
from offrecord.presses.agent_lookup import Who
from offrecord.presses.find_call import Resolved
from offrecord.presses.plan import facts_of

RULES = Rules(trunks=frozenset({"0299"}))
PHONE = Channel("PJSIP/410-01", "1.0", "1.0", "PJSIP", "410", "410")
TRUNK = Channel("PJSIP/my-trunk-02", "1.1", "1.0", "PJSIP", "my-trunk", None)
HALF = Channel("Local/my-trunk@x-01;1", "1.2", "1.0", "Local", "my-trunk", None)
CALL = frozenset({"1.0", "1.1"})
SILENCING = [verb for verb in Verb if verb.silences]
STARTING = [verb for verb in Verb if not verb.silences]


def _press(way: Way = "fastagi", verb: Verb = Verb.STOP, received: float = 0.0) -> Press:
    return Press("p", verb, way, "1.0", 0, received)


def _facts(
    presser: Channel | None = PHONE, agent: str | None = "fred", *queues: str, **more: Any
) -> Facts:
    return Facts(
        **{
            "call": CALL,
            "presser": presser,
            "agent": agent,
            "extensions": ("410",),
            "trunks": ("my-trunk",),
            "queues": queues,
            **more,
        }
    )


def _rule(policy: Policy, facts: Facts | None = None, press: Press | None = None) -> Ruling:
    return policy.rule(press or _press(), facts or _facts(), RULES)


# without a policy


@pytest.mark.parametrize("way", sorted(PHONE_WAYS))
def test_a_known_extension_may_press_by_every_way_of_the_phone(way: Way) -> None:
    assert may(_press(way), PHONE, RULES).allowed
    assert _rule(Policy(), press=_press(way)).allowed


@pytest.mark.parametrize("way", sorted(PHONE_WAYS))
def test_the_other_end_of_a_trunk_may_not(way: Way) -> None:
    ruling = may(_press(way), TRUNK, RULES)

    assert not ruling.allowed
    assert "PJSIP/my-trunk-02" in ruling.why
    assert "extensions.map" in ruling.why
    assert _rule(Policy(), _facts(TRUNK), _press(way)) == ruling


def test_a_press_of_nobody_knows_whom_is_refused() -> None:
    ruling = may(_press("fastagi"), None, RULES)

    assert not ruling.allowed
    assert _rule(Policy((Rule(Allow.ALLOW, queue="*"),)), _facts(None, "fred", "q")) == ruling


@pytest.mark.parametrize("way", sorted(WAYS - PHONE_WAYS))
def test_other_ways_have_rights_of_their_own(way: Way) -> None:
    assert may(_press(way), None, RULES).allowed
    assert _rule(Policy(), _facts(None), _press(way)).allowed


def test_every_way_is_of_one_kind_and_an_unknown_one_has_the_least_rights() -> None:
    assert {kind_of(way) for way in WAYS} == set(KINDS)
    assert {way for way in WAYS if kind_of(way) == "phone"} == PHONE_WAYS
    assert kind_of("telex") == "phone"


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_verb_that_nobody_knows_never_passes(way: Way) -> None:
    press = _press(way, cast("Verb", "erase"))
    ruling = _rule(Policy((Rule(Allow.ALLOW, extension="*", ways=KINDS),)), press=press)

    assert not ruling.allowed
    assert "'erase'" in ruling.why
    assert "objection" in ruling.why


# rules


def test_the_first_rule_that_fits_decides_and_each_says_why() -> None:
    policy = Policy(
        (
            Rule(Allow.DENY, queue="loans"),
            Rule(Allow.ALLOW, agent="f*", extension="41?"),
            Rule(Allow.DENY, extension="*"),
        )
    )
    ruling = _rule(policy, _facts(PHONE, "fred", "sales"))

    assert ruling.allowed
    assert ruling.why == (
        "policy.rule[1] (agent = f*, extension = 41?) allows it: agent fred and extension 410"
    )
    assert [(trial.matched, trial.why) for trial in ruling.trials] == [
        (False, "no queue of this press (sales) is loans"),
        (True, "agent fred and extension 410"),
        (False, "policy.rule[1] decided already"),
    ]


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Rule(Allow.DENY, queue="cards-*"), True),
        (Rule(Allow.DENY, queue="cards"), False),
        (Rule(Allow.DENY, trunk="my-*"), True),
        (Rule(Allow.DENY, trunk="410"), False),
        (Rule(Allow.DENY, agent="fred"), True),
        (Rule(Allow.DENY, agent="Fred"), False),
        (Rule(Allow.DENY, extension="4??"), True),
        (Rule(Allow.DENY, extension="411"), False),  # on the call, and not who presses
        (Rule(Allow.DENY, queue="cards-*", agent="wilma"), False),
        (Rule(Allow.DENY, queue="cards-*", verbs=(Verb.STOP, Verb.START)), True),
        (Rule(Allow.DENY, queue="cards-*", verbs=(Verb.PAUSE,)), False),
        (Rule(Allow.DENY, queue="cards-*", ways=("phone", "cli")), True),
        (Rule(Allow.DENY, queue="cards-*", ways=("cli", "http")), False),
    ],
    ids=str,
)
def test_a_rule_fits_when_all_that_it_gives_fits(rule: Rule, *, fits: bool) -> None:
    facts = _facts(PHONE, "fred", "sales", "cards-1", extensions=("410", "411"))

    assert _rule(Policy((rule,)), facts).allowed is not fits


def test_a_person_without_a_login_is_matched_by_no_pattern_of_agents() -> None:
    assert _rule(Policy((Rule(Allow.DENY, agent="*"),)), _facts(PHONE, None)).allowed


@pytest.mark.parametrize("verb", Verb)
def test_pause_only_leaves_pause_and_resume(verb: Verb) -> None:
    policy = Policy((Rule(Allow.PAUSE_ONLY, queue="cards", why="cards are paused, not stopped"),))
    ruling = _rule(policy, _facts(PHONE, "fred", "cards"), _press(verb=verb))

    assert ruling.allowed is (verb in {Verb.PAUSE, Verb.RESUME})
    if not ruling.allowed:
        assert ruling.why == (
            "cards are paused, not stopped; only pause and resume are allowed here;"
            " to change that, edit policy.rule[0] (queue = cards)"
        )


def test_a_rule_without_a_reason_is_named_by_what_fits() -> None:
    ruling = _rule(Policy((Rule(Allow.DENY, extension="4*", verbs=(Verb.STOP,)),)))

    assert ruling.why == (
        "extension 410 is not allowed to; to change that,"
        " edit policy.rule[0] (extension = 4*, verb = stop)"
    )


@pytest.mark.parametrize("way", ["cli", "http"])
def test_other_ways_are_ruled_by_the_rules_that_name_them_alone(way: Way) -> None:
    phones = Policy((Rule(Allow.DENY, extension="*"),))
    assert _rule(phones, press=_press(way)).allowed

    named = Policy((Rule(Allow.DENY, extension="410", ways=("cli", "http")),))
    assert not _rule(named, press=_press(way)).allowed
    # No channel pressed: the extensions of the call are meant.
    assert not _rule(named, _facts(None), _press(way)).allowed
    assert _rule(named, _facts(None, extensions=("411",)), _press(way)).allowed
    assert _rule(named).allowed


# trunks


MAY_PRESS = Rule(Allow.ALLOW, trunk="my-trunk", allow_trunk=True)


@pytest.mark.parametrize(
    "rule",
    [
        Rule(Allow.ALLOW, trunk="my-trunk"),
        Rule(Allow.ALLOW, trunk="*"),
        Rule(Allow.PAUSE_ONLY, queue="*"),
        Rule(Allow.ALLOW, agent="*"),
        Rule(Allow.ALLOW, trunk="your-trunk", allow_trunk=True),
        Rule(Allow.ALLOW, trunk="*", allow_trunk=True),
    ],
    ids=str,
)
def test_no_rule_lets_a_trunk_press_that_does_not_name_it_and_say_so(rule: Rule) -> None:
    ruling = _rule(Policy((rule,)), _facts(TRUNK, "fred", "q"))

    assert not ruling.allowed
    assert not ruling.trials[0].matched


def test_a_rule_that_names_a_trunk_lets_it_press_wherever_it_stands() -> None:
    policy = Policy((Rule(Allow.ALLOW, queue="*"), MAY_PRESS))

    assert _rule(policy, _facts(TRUNK, "fred", "q")).allowed
    assert not _rule(Policy((MAY_PRESS,)), _facts(HALF)).allowed


def test_a_trunk_that_may_pause_may_no_more() -> None:
    policy = Policy((Rule(Allow.PAUSE_ONLY, trunk="my-trunk", allow_trunk=True),))

    assert _rule(policy, _facts(TRUNK), _press(verb=Verb.PAUSE)).allowed
    assert not _rule(policy, _facts(TRUNK), _press(verb=Verb.STOP)).allowed


def test_such_a_rule_is_not_about_the_phones_of_the_call() -> None:
    ruling = _rule(Policy((MAY_PRESS, Rule(Allow.DENY, extension="*"))))

    assert not ruling.allowed
    assert ruling.trials[0].why == "about presses from my-trunk itself, and PJSIP/410-01 pressed"


def test_a_rule_that_denies_is_about_trunks_too_and_tells_its_reason() -> None:
    policy = Policy((Rule(Allow.DENY, queue="loans", why="loans are recorded in full"), MAY_PRESS))
    ruling = _rule(policy, _facts(TRUNK, None, "loans"))

    assert ruling.why.startswith("loans are recorded in full; ")


# FreePBX


def test_the_word_of_freepbx_denies_and_says_how_to_change_that() -> None:
    ruling = _rule(Policy(freepbx=True), _facts(freepbx=("FORCE",)))

    assert not ruling.allowed
    assert ruling.why == (
        "FreePBX says FORCE: this call must be recorded (REC_POLICY_MODE); change its recording"
        " setting in FreePBX, or let a rule of the policy allow it"
    )


def test_the_word_is_noted_where_it_denies_nothing() -> None:
    ruling = _rule(Policy(freepbx=True), _facts(freepbx=("NEVER",)))

    assert ruling == Ruling(
        allowed=True,
        why="extension 410; FreePBX says NEVER: nothing of this call should be recording",
    )


def test_the_word_counts_only_where_it_is_asked_for() -> None:
    assert Policy().variables == ()
    assert Policy(freepbx=True).variables == (freepbx.VARIABLE,)
    assert _rule(Policy(), _facts(freepbx=("FORCE",))).allowed


def test_a_rule_goes_before_the_word_in_both_directions() -> None:
    facts = _facts(PHONE, "betty", freepbx=("FORCE",))
    assert _rule(Policy((Rule(Allow.ALLOW, agent="betty"),), freepbx=True), facts).allowed

    facts = _facts(PHONE, "betty", freepbx=("YES",))
    assert not _rule(Policy((Rule(Allow.DENY, agent="betty"),), freepbx=True), facts).allowed


def test_the_word_says_nothing_to_ways_with_rights_of_their_own() -> None:
    assert _rule(Policy(freepbx=True), _facts(freepbx=("FORCE",)), _press("cli")).allowed


def test_the_word_allows_no_trunk() -> None:
    ruling = _rule(Policy(freepbx=True), _facts(TRUNK, freepbx=("YES",)))

    assert ruling == may(_press(), TRUNK, RULES)


def test_a_strange_word_and_a_word_not_read_are_reported() -> None:
    policy = Policy(freepbx=True)

    strange = _rule(policy, _facts(freepbx=("MAYBE",)))
    assert strange.allowed
    assert strange.report is not None
    assert "'MAYBE'" in strange.report
    unread = _rule(policy, _facts(freepbx=None))
    assert unread.allowed
    assert unread.report == "ruled without FreePBX's word: REC_POLICY_MODE could not be read"
    assert _rule(policy, _facts(freepbx=())).report is None


@pytest.mark.parametrize(
    ("rules", "reported"),
    [((), False), ((Rule(Allow.DENY, agent="x"),), False), ((Rule(Allow.DENY, queue="x"),), True)],
)
def test_a_press_ruled_on_without_the_pbx_is_reported_where_that_matters(
    rules: tuple[Rule, ...], *, reported: bool
) -> None:
    ruling = _rule(Policy(rules), _facts(seen=False))

    assert ruling.allowed
    assert bool(ruling.report) is reported


# who resumes


FRED, WILMA, AT_411 = Person("fred", "410"), Person("wilma", "411"), Person(None, "411")


@pytest.mark.parametrize(
    ("by", "me", "same"),
    [
        (FRED, FRED, True),
        (FRED, Person("fred", "499"), True),  # moved to another phone
        (FRED, Person("wilma", "410"), False),  # took over his
        (FRED, Person(None, "410"), True),
        (FRED, AT_411, False),
        (AT_411, WILMA, True),
        (Person(), FRED, False),
        (Person(), Person(), False),
        (Person("fred"), Person("fred"), True),
    ],
    ids=str,
)
def test_two_are_one_person_by_login_or_else_by_extension(
    by: Person, me: Person, *, same: bool
) -> None:
    assert by.is_same(me) is same
    assert me.is_same(by) is same


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("by", [(), (FRED,), (FRED, WILMA), (Person(),)], ids=str)
def test_who_silenced_the_call_counts_for_turning_it_on_again_where_the_site_says_so(
    verb: Verb, by: tuple[Person, ...]
) -> None:
    facts, press = _facts(silenced_by=by), _press(verb=verb)
    mine = set(by) <= {FRED}

    assert _rule(Policy(), facts, press).allowed
    ruling = _rule(Policy(resume_by="same_person"), facts, press)
    assert ruling.allowed is (verb.silences or mine)
    if not ruling.allowed:
        assert ruling.why.startswith("wilma " if WILMA in by else "somebody else ")
        assert "policy.resume_by" in ruling.why
    assert _rule(Policy(resume_by="same_person"), facts, _press("cli", verb)).allowed


# limits


def _pressed_to_the_limit() -> Policy:
    policy = Policy(limits=Limits(per_call=2))
    for at in (0.0, 10.0):
        policy.count(_press(received=at), _facts())
    return policy


@pytest.mark.parametrize("verb", SILENCING)
def test_no_count_refuses_a_verb_that_silences_but_it_is_reported(verb: Verb) -> None:
    ruling = _rule(_pressed_to_the_limit(), press=_press(verb=verb, received=20.0))

    assert ruling.allowed
    assert ruling.report == (
        f"this call had its 2 presses (policy.max_per_call); this {verb} was let through all"
        " the same"
    )


@pytest.mark.parametrize("verb", STARTING)
def test_over_the_limit_nothing_is_turned_on_again(verb: Verb) -> None:
    ruling = _rule(_pressed_to_the_limit(), press=_press(verb=verb, received=20.0))

    assert not ruling.allowed
    assert ruling.why == (
        "this call had its 2 presses (policy.max_per_call); a stop or pause is still carried out"
    )


def test_a_person_is_counted_by_login_or_else_by_extension() -> None:
    policy = Policy(limits=Limits(per_agent_hour=1))
    policy.count(_press(), _facts(PHONE, None))
    report = _rule(policy, _facts(PHONE, None, call=frozenset({"2.0"}))).report

    assert report is not None
    assert report.startswith("410 had 1 press within an hour")
    assert _rule(policy, _facts(PHONE, "fred", call=frozenset({"2.0"}))).report is None


def test_ways_with_rights_of_their_own_are_neither_counted_nor_limited() -> None:
    policy = Policy(limits=Limits(per_call=1))
    policy.count(_press("cli"), _facts())
    assert _rule(policy).report is None
    policy.count(_press(), _facts())

    assert _rule(policy, press=_press("http", Verb.START)) == may(_press("http"), None, RULES)


def test_ruling_and_explaining_count_nothing() -> None:
    policy = Policy(limits=Limits(1, 1))
    for _ in range(3):
        assert _rule(policy).report is None
        policy.explain(_press(), _facts(), RULES)
    assert policy.limits.size == 0


# what is around it


def test_the_facts_are_taken_from_the_call_that_was_resolved() -> None:
    call = Call("1.0", frozenset({"0.9", "1.0"}), (PHONE, TRUNK, HALF))
    resolved = Resolved(
        call, PHONE, Who("fred", "test"), "", None,
        queues=("sales",), facts={freepbx.VARIABLE: ("YES",), "OTHER": ("x",)},
    )  # fmt: skip

    assert facts_of(resolved, [FRED]) == Facts(
        frozenset({"0.9", "1.0", "1.1", "1.2"}), PHONE, "fred", ("410",), ("my-trunk",),
        ("sales",), ("YES",), (FRED,), seen=True,
    )  # fmt: skip


def test_explain_shows_what_the_phone_would_get_beside_what_the_terminal_gets() -> None:
    policy = Policy((Rule(Allow.DENY, extension="410"),))
    body = policy.explain(_press("cli"), _facts(), RULES)

    assert body["allowed"] is True
    assert body["phone"] == {
        "allowed": False,
        "why": "extension 410 is not allowed to; to change that, edit policy.rule[0]"
        " (extension = 410)",
        "report": None,
        "rules": [{"rule": "extension = 410", "matched": True, "why": "extension 410"}],
    }


# one site: a queue that is recorded in full, one that takes cards, and all others


SITE = """
[[policy.rule]]
queue = "loans"
allow = "deny"
why = "calls about loans are recorded in full"

[[policy.rule]]
queue = "cards-*"
allow = "pause_only"
"""
SITES_POLICY = build.policy(PolicyConfig.model_validate(tomllib.loads(SITE)["policy"]))


@pytest.mark.parametrize(
    ("queues", "allowed"),
    [
        (["loans"], set()),
        (["cards-1"], {Verb.PAUSE, Verb.RESUME}),
        (["sales"], set(Verb)),
        (["loans", "sales"], set()),
        (["cards-1", "loans"], set()),  # the first rule decides, not the first queue
        ([], set(Verb)),
    ],
)
@pytest.mark.parametrize("verb", Verb)
def test_each_queue_of_a_site_has_its_own_regime(
    queues: Sequence[str], allowed: set[Verb], verb: Verb
) -> None:
    ruling = SITES_POLICY.rule(_press(verb=verb), _facts(PHONE, "fred", *queues), RULES)

    assert ruling.allowed is (verb in allowed)
    if not ruling.allowed and "loans" in queues:
        assert ruling.why == (
            "calls about loans are recorded in full; to change that, edit policy.rule[0]"
            " (queue = loans)"
        )
