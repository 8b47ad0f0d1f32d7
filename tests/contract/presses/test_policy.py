# SPDX-License-Identifier: Apache-2.0
"""The policy in the life of a press: what is denied asks nobody, is journalled and told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bridges.model import Outcome, Verb
from offrecord.model.policy_terms import Allow, Rule
from offrecord.model.press import Press
from offrecord.policy.freepbx import VARIABLE
from offrecord.policy.policy import Policy
from offrecord.policy.press_limits import Limits
from tests.kits.call_kit import graph
from tests.kits.lifecycle_kit import TRUNK_CALL, Bench, FakePbx, FakeRecorder, bench, end

POLICY = Policy(
    (
        Rule(Allow.DENY, queue="loans", why="Calls about loans are recorded in full"),
        Rule(Allow.PAUSE_ONLY, queue="cards"),
    ),
    freepbx=True,
)


@asynccontextmanager
async def queue_call(
    folder: Path, recorder: FakeRecorder, queue: str = "", policy: Policy = POLICY, word: str = ""
) -> AsyncIterator[Bench]:
    """Have 411 on the phone with somebody who waited in a queue, with FreePBX's word on a leg."""
    told = {
        ("1.1", "CHANNEL(appname)"): "Queue" if queue else "Dial",
        ("1.1", "CHANNEL(appdata)"): f"{queue},t",
        ("1.1", VARIABLE): word,
    }
    pbx = FakePbx(graph(*TRUNK_CALL), told)
    async with bench(folder, recorder, pbx=pbx, policy=policy) as here:
        settings = here.site.settings
        resolver = replace(settings.resolver, queues=True)
        here.site.settings = replace(settings, resolver=resolver)
        yield here


@pytest.mark.parametrize(
    ("queue", "verb", "outcome"),
    [
        ("loans", Verb.STOP, Outcome.DENIED),
        ("loans", Verb.PAUSE, Outcome.DENIED),
        ("cards", Verb.STOP, Outcome.DENIED),
        ("cards", Verb.OBJECTION, Outcome.DENIED),
        ("cards", Verb.PAUSE, Outcome.CONFIRMED),
        ("sales", Verb.STOP, Outcome.CONFIRMED),
        ("sales", Verb.OBJECTION, Outcome.CONFIRMED),
    ],
)
async def test_a_queue_has_its_regime_and_a_denied_press_asks_nobody(
    tmp_path: Path, queue: str, verb: Verb, outcome: Outcome
) -> None:
    recorder = FakeRecorder("local")
    async with queue_call(tmp_path, recorder, queue) as here:
        [verdict] = await end(here.press(verb, "1.2"))
        records = {record.kind: record.body for record in await here.records()}

        assert verdict.outcome is outcome
        assert bool(recorder.orders) is (outcome is not Outcome.DENIED)
        assert records["verdict"]["outcome"] == outcome.value
        if queue == "loans":
            assert "Calls about loans are recorded in full; to change that" in verdict.text
            assert records["resolved"]["policy"] == verdict.reason


async def test_the_word_of_freepbx_is_read_on_every_leg(tmp_path: Path) -> None:
    recorder = FakeRecorder("local")
    async with queue_call(tmp_path, recorder, word="FORCE") as here:
        [verdict] = await end(here.press(Verb.STOP, "1.2"))

        assert verdict.outcome is Outcome.DENIED
        assert "FreePBX says FORCE" in verdict.reason
        assert recorder.orders == []


async def test_a_stop_over_the_limit_is_carried_out_and_the_report_is_in_the_journal(
    tmp_path: Path,
) -> None:
    recorder = FakeRecorder("local")
    policy = Policy(limits=Limits(per_call=1))
    async with queue_call(tmp_path, recorder, policy=policy) as here:
        await end(here.press(Verb.PAUSE, "1.2"))
        here.now += 10.0
        [stopped] = await end(here.press(Verb.STOP, "1.2"))
        here.now += 10.0
        [resumed] = await end(here.press(Verb.RESUME, "1.2"))
        alarms = [r.body for r in await here.records("p2") if r.kind == "alarm"]

        assert [stopped.outcome, resumed.outcome] == [Outcome.CONFIRMED, Outcome.DENIED]
        assert recorder.verbs == [Verb.PAUSE, Verb.STOP]
        assert [alarm["what"] for alarm in alarms] == ["policy"]
        assert "policy.max_per_call" in str(alarms[0]["detail"])
        assert "alarm" not in await here.kinds("p1")
        assert "policy.max_per_call" in resumed.text


async def test_explain_says_what_the_phone_would_get_and_counts_nothing(tmp_path: Path) -> None:
    recorder = FakeRecorder("local")
    policy = replace(POLICY, limits=Limits(per_call=1))
    async with queue_call(tmp_path, recorder, "cards", policy) as here:
        for _ in range(2):
            body = await here.engine.explain(Press("x", Verb.STOP, "cli", "411", 0, 0.0))

        ruling = body["policy"]
        assert isinstance(ruling, dict)
        assert (ruling["allowed"], ruling["phone"]["allowed"]) == (True, False)
        assert [rule["matched"] for rule in ruling["phone"]["rules"]] == [False, True]
        assert ruling["phone"]["report"] is None
        assert recorder.orders == []
