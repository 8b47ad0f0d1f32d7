# SPDX-License-Identifier: Apache-2.0
"""`[policy]` of the configuration."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bridges.model import Verb
from offrecord.assembly.build import policy
from offrecord.config.read_files import read
from offrecord.config.sections.policy import PolicyConfig
from offrecord.config.validate import problems_of
from offrecord.model.policy_terms import Allow, Rule
from offrecord.policy.policy import Policy
from offrecord.policy.press_limits import Limits


def _load(folder: Path, text: str) -> PolicyConfig:
    path = folder / "offrecord.toml"
    path.write_text(text)
    return PolicyConfig.model_validate(read(path, {}).tree.get("policy", {}))


def _lines(folder: Path, text: str) -> list[str]:
    """Return the mistakes of the section as an administrator reads them."""
    with pytest.raises(ValidationError) as caught:
        _load(folder, text)
    merged = read(folder / "offrecord.toml", {})
    problems = problems_of(merged, ("policy",), PolicyConfig, caught.value)
    return [str(problem).removeprefix(f"{folder}/") for problem in problems]


RULE = '[[policy.rule]]\nqueue = "loans"\n'
WHOLE = """
[policy]
freepbx = true
resume_by = "same_person"
max_per_call = 4
max_per_agent_hour = 0

[[policy.rule]]
queue = "loans"
allow = "deny"
why = "loans are recorded in full"

[[policy.rule]]
trunk = "my-trunk"
allow_trunk = true
allow = "pause_only"

[[policy.rule]]
agent = "b*"
extension = "4??"
verb = ["stop", "objection"]
ways = ["phone", "http"]
allow = "allow"
"""


def test_what_is_configured_is_what_decides(tmp_path: Path) -> None:
    made = policy(_load(tmp_path, WHOLE))

    assert made == Policy(
        (
            Rule(Allow.DENY, queue="loans", why="loans are recorded in full"),
            Rule(Allow.PAUSE_ONLY, trunk="my-trunk", allow_trunk=True),
            Rule(
                Allow.ALLOW,
                agent="b*",
                extension="4??",
                verbs=(Verb.STOP, Verb.OBJECTION),
                ways=("phone", "http"),
            ),
        ),
        freepbx=True,
        resume_by="same_person",
        limits=Limits(4, 0),
    )


def test_without_the_section_extensions_may_do_everything_up_to_the_limits(tmp_path: Path) -> None:
    made = policy(_load(tmp_path, ""))

    assert made == Policy(limits=Limits(10, 60))


def test_a_policy_that_replaces_another_keeps_what_was_counted(tmp_path: Path) -> None:
    old = policy(_load(tmp_path, ""))
    old.limits.count(frozenset({"1.0"}), "fred", 0.0)
    new = policy(_load(tmp_path, "[policy]\nmax_per_call = 1\n"), old.limits)

    assert new.limits.over(frozenset({"1.0"}), "fred", 1.0)


EVERY_PRESS = (
    "this rule fits every press: add one of queue, trunk, agent, extension, verb, ways; if every"
    ' phone is meant, add `extension = "*"`'
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (RULE, "policy.rule[0].allow: this is missing; add allow, pause_only or deny"),
        (
            RULE + 'allow = "stop"',
            (
                "policy.rule[0].allow: this is none of the known values; "
                "give allow, pause_only or deny"
            ),
        ),
        ('[[policy.rule]]\nallow = "deny"', f"policy.rule[0]: {EVERY_PRESS}"),
        (
            RULE + 'allow = "deny"\n[[policy.rule]]\nallow = "deny"\nways = ["phone"]',
            f"policy.rule[1]: {EVERY_PRESS}",
        ),
        (
            RULE + 'allow = "deny"\nqueues = "x"',
            "policy.rule[0].queues: unknown key; did you mean `queue`?",
        ),
        (
            RULE + 'allow = "deny"\nverb = ["stop", "halt"]',
            (
                "policy.rule[0].verb[1]: this is none of the known values; "
                'give a list of verbs, as ["stop", "objection"]; all without it'
            ),
        ),
        (
            RULE + 'allow = "deny"\nverb = []',
            (
                "policy.rule[0].verb: this list is empty; "
                'give a list of verbs, as ["stop", "objection"]; all without it'
            ),
        ),
        (
            RULE + 'allow = "deny"\nways = ["keypad"]',
            (
                "policy.rule[0].ways[0]: this is none of the known values; "
                'give a list of "phone", "cli" and "http"'
            ),
        ),
        (
            RULE + 'allow = "pause_only"\nverb = ["pause"]',
            (
                "policy.rule[0]: `pause_only` says itself which verbs are left: remove `verb`,"
                " or write `allow` or `deny`"
            ),
        ),
        (
            RULE + 'allow = "allow"\nwhy = "x"',
            "policy.rule[0]: `why` is told to those who are refused: remove it, nobody is",
        ),
        (
            RULE + 'allow = "allow"\nallow_trunk = true',
            (
                "policy.rule[0]: `allow_trunk` is for one trunk: give `trunk` its full name,"
                " no * ? ["
            ),
        ),
        (
            '[[policy.rule]]\ntrunk = "my-*"\nallow = "allow"\nallow_trunk = true',
            (
                "policy.rule[0]: `allow_trunk` is for one trunk: give `trunk` its full name,"
                " no * ? ["
            ),
        ),
        (
            '[[policy.rule]]\ntrunk = "t"\nallow = "deny"\nallow_trunk = true',
            'policy.rule[0]: `allow_trunk` and `allow = "deny"` contradict: remove one of them',
        ),
        (
            '[[policy.rule]]\ntrunk = "t"\nextension = "4"\nallow = "allow"\nallow_trunk = true',
            "policy.rule[0]: a trunk is no extension: remove `extension` or `allow_trunk`",
        ),
        (
            '[[policy.rule]]\ntrunk = "t"\nallow = "allow"\nallow_trunk = true\nways = ["cli"]',
            'policy.rule[0]: `allow_trunk` is about phones: add "phone" to `ways` or remove it',
        ),
        (
            '[policy]\nresume_by = "me"',
            (
                "policy.resume_by: this is none of the known values; give who may turn on again"
                " what somebody silenced: anyone or same_person"
            ),
        ),
        (
            "[policy]\nmax_per_call = -1",
            (
                "policy.max_per_call: this is out of range; "
                "give presses on one call before it is reported, 0 for no limit"
            ),
        ),
    ],
)
def test_each_mistake_is_one_line_with_file_key_cause_and_fix(
    tmp_path: Path, text: str, line: str
) -> None:
    assert _lines(tmp_path, text) == [f"offrecord.toml: {line}"]
