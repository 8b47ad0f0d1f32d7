# SPDX-License-Identifier: Apache-2.0
"""Pauses that end by themselves, to the second, also over a restart and a lost link."""

from dataclasses import replace
from pathlib import Path

from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from offrecord.enforcement.enforcer import EnforcementSettings, State
from offrecord.journal import show
from offrecord.model.pause_rules import PauseRules
from tests.kits.call_kit import hangup
from tests.kits.enforcement_kit import Kept, keeping, record
from tests.kits.intent_kit import live_after
from tests.kits.lifecycle_kit import FakeRecorder, Gate, result

RULES = PauseRules(ttl=60, reminder=10, extension=30, maximum=120)
SETTINGS = EnforcementSettings(pause=RULES)


def muted(here: Kept) -> list[bool]:
    call = here.bench.pbx.graph.call_of("1.1")
    return [channel.muted for channel in call.monitored] if call else []


async def test_a_pause_ends_by_itself_and_everything_records_again(tmp_path: Path) -> None:
    noojee = FakeRecorder("noojee")
    async with keeping(tmp_path, noojee, settings=SETTINGS) as here:
        here.happen(record())
        await here.pressed(Verb.PAUSE)
        [intent] = await here.bodies("intent")
        await here.pass_(59.5)
        still = muted(here)
        await here.pass_(1)
        [ended] = await here.bodies("intent_ended")

        assert intent["until"] == 1_060_000
        assert intent["maximum"] == 1_120_000
        assert still == [True]
        assert muted(here) == [False]
        assert noojee.verbs == [Verb.PAUSE, Verb.RESUME]
        assert ended["why"] == "expired"
        assert [one["outcome"] for one in ended["results"]] == ["confirmed", "confirmed"]
        assert here.heard.states[-1] == ("410", State.RECORDING)
        await here.pass_(5)
        assert muted(here) == [False]


async def test_who_paused_is_reminded_once_before_it_ends(tmp_path: Path) -> None:
    async with keeping(tmp_path, settings=SETTINGS) as here:
        await here.pressed(Verb.PAUSE)
        await here.pass_(49.5)
        early = list(here.heard.reminders)
        await here.pass_(5)

        assert not early
        assert here.heard.reminders == ["SIP/410-1"]
        assert await here.bodies("reminded") == [{"intent": "p1"}]


async def test_a_second_press_makes_it_longer_once(tmp_path: Path) -> None:
    async with keeping(tmp_path, settings=SETTINGS) as here:
        here.happen(record())
        await here.pressed(Verb.PAUSE)
        await here.pass_(50)
        await here.pressed(Verb.PAUSE)
        await here.pass_(35)
        await here.pressed(Verb.PAUSE)
        extended = await here.bodies("extended")
        await here.pass_(3)
        still = muted(here)
        await here.pass_(3)

        assert extended == [{"intent": "p1", "until": 1_090_000}]
        assert still == [True]
        assert muted(here) == [False]


async def test_no_press_makes_it_longer_than_the_maximum(tmp_path: Path) -> None:
    rules = PauseRules(ttl=60, extension=300, maximum=80)
    async with keeping(tmp_path, settings=EnforcementSettings(pause=rules)) as here:
        await here.pressed(Verb.PAUSE)
        await here.pass_(10)
        await here.pressed(Verb.PAUSE)

        assert [b["until"] for b in await here.bodies("extended")] == [1_080_000]


async def test_a_pause_may_stay_with_an_alarm(tmp_path: Path) -> None:
    rules = replace(RULES, at_end="stay_paused_and_alarm")
    async with keeping(tmp_path, settings=EnforcementSettings(pause=rules)) as here:
        here.happen(record())
        await here.pressed(Verb.PAUSE)
        await here.pass_(61)
        here.happen(record("1.2"))
        await here.pass_(30)

        assert muted(here) == [True, True]
        assert [b["what"] for b in await here.bodies("alarm")] == ["pause_over"]
        assert len(here.intents) == 1
        assert (await here.bodies("intent"))[-1]["until"] is None


async def test_a_restart_holds_its_time(tmp_path: Path) -> None:
    before, after = tmp_path / "one", tmp_path / "two"
    before.mkdir()
    after.mkdir()
    async with keeping(before, settings=SETTINGS) as here:
        await here.pressed(Verb.PAUSE)
        await here.pass_(10)
        await here.pressed(Verb.PAUSE)
        await here.bench.written()
        records = show(here.bench.path, "p1")
    restored = live_after((one.kind, one.body) for one in records)
    async with keeping(after, settings=SETTINGS, intents=restored) as here:
        here.time.now += 89.5
        here.enforcer.tick()
        live = len(here.intents)
        await here.pass_(1)

        assert live == 1
        assert not len(here.intents)
        assert here.local.verbs[-1] is Verb.RESUME


async def test_after_a_restart_it_is_known_what_was_muted(tmp_path: Path) -> None:
    async with keeping(tmp_path, settings=SETTINGS) as here:
        here.happen(record())
        await here.pressed(Verb.PAUSE)
        here.happen(record("1.2"))
        await here.pass_(1)
        [restored] = live_after((r.kind, r.body) for r in await here.bench.records())
        here.bench.pbx.graph.mark_unknown()  # without the AMI class `command` that is the end
        here.bench.pbx.graph.known = True
        before = here.bench.pbx.graph.channel("1.1")
        await here.pass_(60)
        after = [here.bench.pbx.graph.channel(one) for one in ("1.1", "1.2")]

        assert restored.recorded == {"1.1", "1.2"}
        assert before is not None
        assert before.monitors is None
        assert here.local.verbs[-1] is Verb.RESUME
        assert [one.monitors for one in after if one] == [1, 1]


async def test_what_ends_while_the_pbx_is_away_is_carried_out_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path, settings=SETTINGS) as here:
        here.happen(record())
        await here.pressed(Verb.PAUSE)
        here.bench.pbx.graph.known = False
        await here.pass_(70)
        meanwhile = muted(here)
        here.bench.pbx.graph.known = True
        await here.pass_(0.25)

        assert meanwhile == [True]
        assert muted(here) == [False]


async def test_a_pause_that_ends_on_a_stopped_call_resumes_nothing(tmp_path: Path) -> None:
    noojee = FakeRecorder("noojee")
    async with keeping(tmp_path, noojee, settings=SETTINGS) as here:
        await here.pressed(Verb.PAUSE)
        await here.pass_(4)
        await here.pressed(Verb.STOP, recorder="noojee")
        await here.pass_(60)

        assert noojee.verbs == [Verb.PAUSE, Verb.STOP]
        assert [one.verb for one in here.intents] == [Verb.STOP]


async def test_a_recorder_that_does_not_resume_is_tried_again_and_is_an_alarm(
    tmp_path: Path,
) -> None:
    async def refuses(order: Order) -> RecorderResult:
        if order.verb is Verb.RESUME and len(noojee.orders) < 4:
            return replace(result("noojee", Outcome.FAILED, Evidence.SENT), retryable=True)
        return result("noojee")

    noojee = FakeRecorder("noojee", script=refuses)
    async with keeping(tmp_path, noojee, settings=SETTINGS) as here:
        await here.pressed(Verb.PAUSE)
        await here.pass_(65)

        assert noojee.verbs == [Verb.PAUSE, *[Verb.RESUME] * 3]
        assert [b["what"] for b in await here.bodies("alarm")] == ["not_resumed"]
        assert [b["outcome"] for b in await here.bodies("retried")] == ["failed", "confirmed"]


async def test_a_pause_pressed_while_the_last_one_ends_wins(tmp_path: Path) -> None:
    gate, noojee = Gate(), FakeRecorder("noojee")
    async with keeping(tmp_path, noojee, settings=SETTINGS) as here:
        here.happen(record())
        await here.pressed(Verb.PAUSE)
        does = here.local._do

        async def slowly(order: Order) -> RecorderResult:
            if order.verb is Verb.RESUME:
                await gate(order)
            return await does(order)

        here.local.script = slowly
        await here.pass_(60.5)
        await here.pressed(Verb.PAUSE)
        gate.opened.set()
        await here.pass_(1)

        assert gate.reached.is_set()
        assert muted(here) == [True]
        assert noojee.verbs == [Verb.PAUSE, Verb.RESUME, Verb.PAUSE, Verb.PAUSE]
        assert [one.id for one in here.intents] == ["p2"]


async def test_a_call_that_ends_before_the_pause_is_not_resumed(tmp_path: Path) -> None:
    noojee = FakeRecorder("noojee")
    async with keeping(tmp_path, noojee, settings=SETTINGS) as here:
        await here.pressed(Verb.PAUSE)
        here.happen(hangup("1.2"), hangup("1.1"))
        await here.pass_(70)

        assert noojee.verbs == [Verb.PAUSE]
        assert not here.heard.reminders
