# SPDX-License-Identifier: Apache-2.0
"""What holds on a call after the press: silenced again, for whom, and until when."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ami.events.types import (
    BlindTransfer,
    ChanSpyStart,
    ConferenceMix,
    MixMonitorStart,
    MonitorStart,
    Pickup,
)
from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from offrecord.enforcement.enforcer import State
from offrecord.journal import show
from offrecord.model.intents import Intent
from tests.kits.call_kit import enter, hangup, leave, new
from tests.kits.enforcement_kit import keeping, record, settle
from tests.kits.intent_kit import live_after
from tests.kits.lifecycle_kit import CALL, FakeRecorder, result

STOPPED = Intent("p0", Verb.STOP, "1.1", frozenset({"1.1", "1.2"}), ("local",), 999_000)

# the promise


async def test_a_press_promises_before_anybody_is_asked(tmp_path: Path) -> None:
    seen: list[int] = []

    async def look(_order: Order) -> RecorderResult:
        seen.append(len(here.intents))
        return result("noojee")

    async with keeping(tmp_path, FakeRecorder("noojee", script=look)) as here:
        await here.pressed(agent="fred")

        assert seen == [1]
        kinds = await here.bench.kinds()
        assert kinds.index("intent") < kinds.index("answered")
        [body] = await here.bodies("intent")
        assert body["intent"] == "p1"
        assert body["verb"] == "stop"
        assert body["call"] == "1.1"
        assert body["lineage"] == ["1.1", "1.2"]
        assert body["recorders"] == ["local", "noojee"]
        assert body["agent"] == "fred"
        assert body["until"] is None


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.OBJECTION])
async def test_a_recording_that_starts_again_is_stopped_at_once(tmp_path: Path, verb: Verb) -> None:
    async with keeping(tmp_path) as here:
        here.happen(record())
        await here.pressed(verb)
        asked = len(here.local.orders)
        here.happen(record("1.2"))
        await settle()

        assert here.local.verbs[asked:] == [Verb.STOP]
        assert here.bench.pbx.graph.channel("1.2").monitors == 0  # type: ignore[union-attr]
        [body] = await here.bodies("reapplied")
        assert (body["uniqueid"], body["why"]) == ("1.2", "MixMonitorStart")
        assert body["took_ms"] < 500
        assert body["results"][0]["outcome"] == "confirmed"


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.PAUSE])
async def test_where_no_events_come_a_call_is_swept_each_second(tmp_path: Path, verb: Verb) -> None:
    async with keeping(tmp_path) as here:
        here.bench.pbx.graph.expect_monitor_events(come=False)
        await here.pressed(verb)
        await here.pass_(2.0)  # the sweep after the press
        asked = len(here.local.orders)
        await here.pass_(10.0)

        assert 8 <= len(here.local.orders) - asked <= 10
        assert set(here.local.verbs) == {verb}
        assert await here.bodies("alarm") == []


async def test_a_monitor_that_starts_under_a_stop_is_stopped_too(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        asked = len(here.local.orders)
        here.happen(MonitorStart("SIP/411-2", "1.2", "1.1"))
        await settle()

        assert here.local.verbs[asked:] == [Verb.STOP]


async def test_a_conference_that_is_recorded_under_a_stop_is_silenced_too(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        here.happen(enter("c", "1.1", "1.1", "base"), enter("c", "1.2", "1.1", "base"))
        await settle()
        asked = len(here.local.orders)
        here.happen(ConferenceMix("c", "7001", recorded=False))
        here.happen(ConferenceMix("elsewhere", "7002", recorded=True))
        await settle()
        assert here.local.verbs[asked:] == []
        here.happen(ConferenceMix("c", "7001", recorded=True))
        await settle()

        assert here.local.verbs[asked:] == [Verb.STOP]


async def test_a_stopped_call_that_comes_into_a_recorded_conference_is_silenced(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        here.happen(ConferenceMix("c", "7001", recorded=True))
        asked = len(here.local.orders)
        here.happen(enter("c", "1.1", "1.1", "base"))
        await settle()

        assert here.local.verbs[asked:] == [Verb.STOP]


async def test_a_recording_that_starts_on_a_paused_call_is_muted_and_resume_finds_it(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path) as here:
        here.happen(record())
        await here.pressed(Verb.PAUSE)
        here.happen(record("1.2"))
        await settle()
        muted = [here.bench.pbx.graph.channel(one) for one in ("1.1", "1.2")]
        here.time.now += 4
        verdict = await here.pressed(Verb.RESUME)

        assert [one.muted for one in muted if one] == [True, True]
        assert verdict.outcome is Outcome.CONFIRMED
        again = [here.bench.pbx.graph.channel(one) for one in ("1.1", "1.2")]
        assert [one.muted for one in again if one] == [False, False]
        assert [b["why"] for b in await here.bodies("intent_ended")] == ["resumed"]


async def test_without_an_intent_nothing_is_silenced(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        here.happen(record(), enter("b", "1.1", "1.1"))
        await here.pass_(1)

        assert not here.local.orders


async def test_after_a_resume_recordings_may_start(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        here.time.now += 4
        await here.pressed(Verb.START)
        asked = len(here.local.orders)
        here.happen(record())
        await here.pass_(2)

        assert len(here.local.orders) == asked
        assert here.bench.pbx.graph.channel("1.1").monitors == 1  # type: ignore[union-attr]


async def test_another_call_is_left_alone(tmp_path: Path) -> None:
    async with keeping(tmp_path, events=(*CALL, new("2.1", "SIP/420-3"))) as here:
        await here.pressed()
        asked = len(here.local.orders)
        here.happen(record("2.1"))
        await here.pass_(0.5)

        assert len(here.local.orders) == asked
        assert here.bench.pbx.graph.channel("2.1").monitors == 1  # type: ignore[union-attr]


async def test_a_recording_that_started_unseen_is_found_by_the_sweep(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        here.bench.pbx.graph.set_monitors("1.2", 1)
        await here.time.pass_(1.0)

        assert here.bench.pbx.graph.channel("1.2").monitors == 0  # type: ignore[union-attr]
        assert [b["why"] for b in await here.bodies("reapplied")] == ["sweep"]


async def test_a_sweep_that_finds_nothing_is_not_journalled(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        asked = len(here.local.orders)
        await here.time.pass_(1.0)

        assert len(here.local.orders) == asked + 1
        assert not await here.bodies("reapplied")


async def test_an_intent_from_before_a_restart_is_held(tmp_path: Path) -> None:
    async with keeping(tmp_path, intents=[STOPPED]) as here:
        here.bench.pbx.graph.set_monitors("1.2", 1)
        await here.pass_(0.25)

        assert here.bench.pbx.graph.channel("1.2").monitors == 0  # type: ignore[union-attr]
        assert [b["why"] for b in await here.bodies("reapplied", "p0")] == ["found recording"]


async def test_while_the_calls_are_not_known_an_intent_is_not_ended(tmp_path: Path) -> None:
    async with keeping(tmp_path, events=(), intents=[STOPPED]) as here:
        here.bench.pbx.graph.mark_unknown()
        await here.pass_(1)
        live = len(here.intents)
        here.bench.pbx.graph.reconcile([])
        await here.pass_(0.25)

        assert live == 1
        assert not len(here.intents)
        assert [b["why"] for b in await here.bodies("intent_ended", "p0")] == ["call_ended"]


async def test_a_paused_recording_is_not_stopped_because_nobody_knows_of_others(
    tmp_path: Path,
) -> None:
    pause = replace(STOPPED, verb=Verb.PAUSE)
    async with keeping(tmp_path, intents=[pause]) as here:
        here.bench.pbx.graph.set_monitors("1.1", None)  # type: ignore[arg-type]
        await here.pass_(1)

        assert not here.local.orders
        assert [b["what"] for b in await here.bodies("alarm", "p0")] == ["unseen"]


async def test_recordings_that_start_without_end_are_an_alarm_and_go_on_slower(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        for _ in range(40):
            here.happen(record())
            await settle()
        before = len(here.local.orders)
        here.happen(record())
        await settle()
        paced = len(here.local.orders) - before
        await here.time.pass_(5.0)

        assert [b["what"] for b in await here.bodies("alarm")] == ["runaway"]
        assert paced == 0
        assert here.bench.pbx.graph.channel("1.1").monitors == 0  # type: ignore[union-attr]


async def test_who_begins_to_listen_to_a_stopped_call_has_the_order_sent_again(
    tmp_path: Path,
) -> None:
    spies = ChanSpyStart("PJSIP/490-7", "7.1", "7.1", "", "1.2", "")
    async with keeping(tmp_path) as here:
        await here.pressed(Verb.STOP)
        await here.pass_(2)
        before = len(here.local.orders)
        own, _ = here.bench.pbx.graph.own_channels.pair("whisper")
        here.happen(new(own, "Local/whisper-8;2"), spies._replace(spyer_uniqueid=own))
        await settle()
        assert len(here.local.orders) == before, "our own whisper is none"
        here.happen(new("7.1", "PJSIP/490-7"), spies)
        await settle()
        assert len(here.local.orders) == before + 1
        # and what then records on the listener's own leg
        here.happen(MixMonitorStart("PJSIP/490-7", "7.1", "7.1"))
        await settle()
        assert len(here.local.orders) == before + 2
        # somebody else's call is somebody else's
        here.happen(new("8.1", "SIP/413-8"), spies._replace(spyee_uniqueid="8.1"))
        await settle()
        assert len(here.local.orders) == before + 2


async def test_a_recording_that_does_not_stop_again_is_an_alarm(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        here.local.refuse = "Permission denied"
        here.happen(record())
        await settle()
        asked = len(here.local.orders)
        await here.pass_(2)

        [alarm] = await here.bodies("alarm")
        assert alarm["what"] == "not_reapplied"
        assert "Permission denied" in alarm["detail"]
        assert here.heard.states[-1] == ("410", State.FAILED)
        assert asked < len(here.local.orders) <= asked + 2  # the sweep and a try, and no storm
        here.local.refuse = ""
        await here.pass_(4)
        assert here.bench.pbx.graph.channel("1.1").monitors == 0  # type: ignore[union-attr]


async def test_a_recorder_limited_press_leaves_the_pbx_alone(tmp_path: Path) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        await here.pressed(recorder="noojee")
        here.happen(record())
        await here.pass_(2)

        assert not here.local.orders


async def test_a_stop_for_another_recorder_leaves_the_pause_in_force(tmp_path: Path) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        await here.pressed(Verb.PAUSE)
        here.time.now += 4
        await here.pressed(Verb.STOP, recorder="noojee")
        here.bench.pbx.graph.set_monitors("1.2", 1)
        await here.pass_(0.25)
        unseen = here.bench.pbx.graph.channel("1.2")
        here.happen(record("1.1"))
        await settle()
        started = here.bench.pbx.graph.channel("1.1")

        assert [one.muted for one in (unseen, started) if one] == [True, True]


# who ends it


async def test_the_last_hang_up_ends_it(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        here.happen(hangup("1.2"))
        one_left = len(here.intents)
        here.happen(hangup("1.1"))

        assert one_left == 1
        assert not len(here.intents)
        assert [b["why"] for b in await here.bodies("intent_ended")] == ["call_ended"]
        assert here.heard.states[-1] == ("410", State.OFF)


async def test_a_stop_replaces_a_pause_and_a_pause_no_stop(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed(Verb.PAUSE)
        here.time.now += 4
        await here.pressed(Verb.STOP)
        here.time.now += 4
        await here.pressed(Verb.PAUSE)

        assert [one.id for one in here.intents] == ["p2"]
        assert [b["why"] for b in await here.bodies("intent_ended")] == ["superseded"]
        assert not await here.bodies("intent", "p3")


@pytest.mark.parametrize("verb", [Verb.RESUME, Verb.START])
@pytest.mark.parametrize("way", ["fastagi", "agi", "keypad", "userevent"])
async def test_no_phone_undoes_an_objection(tmp_path: Path, verb: Verb, way: str) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed(Verb.OBJECTION)
        here.time.now += 4
        asked = len(here.local.orders)
        verdict = await here.pressed(verb, way=way)

        assert verdict.outcome is Outcome.DENIED
        assert "objected" in verdict.reason
        assert len(here.local.orders) == asked
        assert [one.verb for one in here.intents] == [Verb.OBJECTION]


async def test_a_terminal_undoes_an_objection_only_when_it_says_so(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed(Verb.OBJECTION)
        here.time.now += 4
        refused = await here.pressed(Verb.RESUME, way="cli")
        yes = {"end_objection": "yes"}
        await here.pressed(Verb.RESUME, way="cli", options=yes)

        assert refused.outcome is Outcome.DENIED
        assert "--end-objection" in refused.reason
        assert not len(here.intents)


async def test_recorders_are_told_to_stop_by_an_objection(tmp_path: Path) -> None:
    async with keeping(tmp_path, remote := FakeRecorder("noojee")) as here:
        verdict = await here.pressed(Verb.OBJECTION)

        assert remote.verbs == [Verb.STOP]
        assert verdict.verb is Verb.OBJECTION


async def test_a_resume_for_one_recorder_narrows_the_promise(tmp_path: Path) -> None:
    async with keeping(tmp_path, FakeRecorder("noojee")) as here:
        await here.pressed()
        here.time.now += 4
        await here.pressed(Verb.RESUME, recorder="local")

        [intent] = here.intents
        assert intent.recorders == ("noojee",)
        assert [b["recorders"] for b in await here.bodies("intent")][-1] == ["noojee"]


async def test_explain_shows_what_holds(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed(Verb.OBJECTION)
        press = here.press(Verb.STOP).press
        said = await here.bench.engine.explain(replace(press, verb=Verb.RESUME))

        assert [one["verb"] for one in said["intents"]] == ["objection"]  # type: ignore[attr-defined]
        assert said["policy"]["allowed"] is False  # type: ignore[index]


# transfers


TRANSFERRED = BlindTransfer("Success", "1.2", "1.1", "1.1", "1.1", "sales", "600")


async def test_after_a_transfer_recorders_elsewhere_are_asked_again_once(tmp_path: Path) -> None:
    remote = FakeRecorder("noojee")
    async with keeping(tmp_path, remote) as here:
        await here.pressed()
        here.happen(TRANSFERRED, hangup("1.2"), new("1.3", "SIP/412-3", "1.1"))
        here.happen(enter("c", "1.1", "1.1"), enter("c", "1.3", "1.1"))
        await here.time.pass_(3)

        assert remote.verbs == [Verb.STOP, Verb.STOP]
        order = remote.orders[1]
        assert [one.uniqueid for one in order.call.channels] == ["1.1", "1.3"]
        assert order.press_id == "p1"
        [body] = await here.bodies("reapplied")
        assert body["results"][0]["recorder"] == "noojee"


async def test_a_call_that_does_not_change_is_not_asked_about_again(tmp_path: Path) -> None:
    remote = FakeRecorder("noojee")
    async with keeping(tmp_path, remote) as here:
        await here.pressed()
        here.happen(leave("b", "1.1"), enter("b", "1.1", "1.1"))  # on hold, and back
        await here.pass_(4)

        assert remote.verbs == [Verb.STOP]


async def test_the_promise_goes_with_the_caller_to_who_picks_up(tmp_path: Path) -> None:
    async with keeping(tmp_path) as here:
        await here.pressed()
        parked = [leave("b", "1.1"), leave("b", "1.2"), enter("park", "1.1", kind="parking")]
        here.happen(*parked, hangup("1.2"))
        here.happen(new("5.1", "SIP/413-9", exten="701"), leave("park", "1.1"))
        here.happen(enter("d", "5.1", "5.1"), enter("d", "1.1", "1.1"))
        await settle()
        here.happen(record("5.1"))
        await settle()

        assert here.bench.pbx.graph.channel("5.1").monitors == 0  # type: ignore[union-attr]
        here.happen(hangup("1.1"))
        assert len(here.intents) == 0 or "5.1" not in next(iter(here.intents)).lineage


async def test_a_recording_that_comes_with_who_picks_up_is_stopped(tmp_path: Path) -> None:
    events = (*CALL, new("5.1", "SIP/413-9"), record("5.1"))
    async with keeping(tmp_path, events=events) as here:
        await here.pressed()
        here.happen(Pickup("5.1", "5.1", "1.2", "1.1"))
        await settle()

        assert here.bench.pbx.graph.channel("5.1").monitors == 0  # type: ignore[union-attr]
        assert (await here.bodies("reapplied"))[0]["why"] == "Pickup"


# conferences


CONFERENCE = (
    new("1.1", "SIP/410-1"),
    new("2.1", "SIP/411-2"),
    new("3.1", "SIP/412-3"),
    enter("conf", "1.1", "1.1", kind="base"),
    enter("conf", "2.1", "2.1", kind="base"),
    enter("conf", "3.1", "3.1", kind="base"),
)


async def test_a_stop_in_a_conference_covers_everyone_in_it(tmp_path: Path) -> None:
    async with keeping(tmp_path, events=CONFERENCE) as here:
        await here.pressed()
        here.happen(record("3.1"))
        await settle()

        assert here.bench.pbx.graph.channel("3.1").monitors == 0  # type: ignore[union-attr]


async def test_who_leaves_a_conference_may_be_recorded_again_and_the_rest_may_not(
    tmp_path: Path,
) -> None:
    async with keeping(tmp_path, events=CONFERENCE) as here:
        await here.pressed()
        here.happen(leave("conf", "3.1"), record("3.1"))
        here.happen(leave("conf", "1.1"), record("2.1"), record("1.1"))
        await settle()

        graph = here.bench.pbx.graph
        assert graph.channel("3.1").monitors == 1  # type: ignore[union-attr]
        assert graph.channel("1.1").monitors == 0  # type: ignore[union-attr]
        assert [here.intents.touches(one) for one in ("1.1", "2.1", "3.1")] == [True, True, False]
        last = [one.body for one in await here.bench.records() if one.kind == "intent"][-1]
        assert "3.1" not in last["lineage"]


# the life of the enforcer


async def test_a_resume_waits_until_nothing_is_silenced_any_more(tmp_path: Path) -> None:
    happened: list[str] = []
    held = asyncio.Event()

    async def silences(order: Order) -> RecorderResult:
        if order.verb is Verb.RESUME:
            happened.append("resumed")
            return result("local")
        try:
            held.set()
            await asyncio.Event().wait()
        finally:
            happened.append("cut")
        return result("local")

    async with keeping(tmp_path) as here:
        await here.pressed()
        here.local.script = silences
        here.happen(record())
        await held.wait()
        here.time.now += 4
        await here.pressed(Verb.RESUME)

        assert happened == ["cut", "resumed"]


async def test_closing_leaves_the_promise_for_the_next_start(tmp_path: Path) -> None:
    failing = FakeRecorder("noojee", Outcome.FAILED, Evidence.SENT)
    async with keeping(tmp_path, failing) as here:
        await here.pressed()
        await here.bench.engine.close(0.0)
        records = await asyncio.to_thread(show, here.bench.path, "p1")

        assert not {"closed", "intent_ended"} & {one.kind for one in records}
        [again] = live_after((one.kind, one.body) for one in records)
        assert again == here.intents.get("p1")
        tasks = {one.get_name() for one in asyncio.all_tasks()}
        assert not [name for name in tasks if name.startswith(("enforcer", "retry"))]
