# SPDX-License-Identifier: Apache-2.0
"""The life of a press: what is written when, who is asked, and what the person is told."""

import asyncio
import io
import json
from pathlib import Path

import pytest
import structlog

from bridges.model import Order, Outcome, RecorderResult, Verb
from bridges.routing import Router, Rule
from offrecord.base import logs
from offrecord.journal import show
from offrecord.model.press import Press
from offrecord.presses.find_call import Unresolved
from offrecord.presses.site_settings import SiteSettings
from tests.kits.call_kit import enter, graph, hangup, new
from tests.kits.lifecycle_kit import (
    TRUNK_CALL,
    FakePbx,
    FakeRecorder,
    Gate,
    bench,
    end,
    result,
)
from tests.kits.waiting import safety_net

# the way of a press


async def test_a_press_asks_every_recorder_and_ends_with_the_worst_of_them(tmp_path: Path) -> None:
    local, noojee = FakeRecorder("local"), FakeRecorder("noojee", Outcome.ACCEPTED)
    async with bench(tmp_path, local, noojee) as here:
        [verdict] = await end(here.press())

        assert verdict.outcome is Outcome.ACCEPTED
        assert [one.recorder for one in verdict.results] == ["local", "noojee"]
        assert verdict.linkedid == "1.1"
        assert here.verdicts == [verdict.body()]
        [order] = local.orders
        assert order.press_id == "p1"
        assert order.presser is not None
        assert order.presser.uniqueid == "1.1"
        assert len(order.call.channels) == 2


async def test_all_of_it_is_in_the_journal_in_the_order_it_happened(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await end(here.press(agent="fred"))
        records = await here.records()

        assert [r.kind for r in records] == ["pressed", "resolved", "answered", "verdict"]
        bodies = {record.kind: record.body for record in records}
        assert bodies["pressed"]["way"] == "fastagi"
        assert bodies["resolved"]["call"] == "1.1"
        assert bodies["resolved"]["policy"] == "extension 410"
        assert bodies["resolved"]["recorders"] == ["local"]
        assert bodies["answered"]["outcome"] == "confirmed"
        assert bodies["verdict"]["evidence"] == "L4"
        [summary] = await here.presses()
        assert (summary.agent, summary.outcome) == ("fred", "confirmed")


async def test_the_press_is_on_disk_before_any_recorder_is_asked(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    async def look(order: Order) -> RecorderResult:
        records = await asyncio.to_thread(show, tmp_path / "journal.sqlite3", order.press_id)
        seen.append([record.kind for record in records])
        return result("local")

    async with bench(tmp_path, FakeRecorder("local", script=look)) as here:
        handle = here.press()
        await end(handle)

        assert seen[0][0] == "pressed"
        assert handle.journalled.done()


async def test_a_press_is_taken_at_once_and_nothing_is_waited_for(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        handle = here.press()

        assert not handle.journalled.done()
        assert not handle.verdict.done()


async def test_recorders_are_asked_at_the_same_time(tmp_path: Path) -> None:
    first, second = Gate(), Gate()
    recorders = FakeRecorder("local", script=first), FakeRecorder("noojee", script=second)
    async with bench(tmp_path, *recorders) as here:
        handle = here.press()
        async with safety_net("both recorders are asked at once"):
            await first.reached.wait()
            await second.reached.wait()
        first.opened.set()
        second.opened.set()
        await end(handle)


async def test_who_stops_waiting_does_not_stop_the_press(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, FakeRecorder("local", script=gate)) as here:
        handle = here.press()
        waiting = asyncio.create_task(end(handle))
        await gate.reached.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
        gate.opened.set()

        assert [one.outcome for one in await end(handle)] == [Outcome.CONFIRMED]


# who, where and what


async def test_the_dialplan_names_agent_tag_and_recorders(tmp_path: Path) -> None:
    variables = {
        ("1.1", "OFFRECORD_AGENT"): "betty",
        ("1.1", "OFFRECORD_TAG"): "sales",
        ("1.2", "OFFRECORD_RECORDERS"): "noojee",
    }
    local, noojee = FakeRecorder("local"), FakeRecorder("noojee")
    async with bench(tmp_path, local, noojee) as here:
        here.pbx.variables = variables
        await end(here.press())

        assert not local.orders
        assert [(order.agent, order.tag) for order in noojee.orders] == [("betty", "sales")]


async def test_the_agent_of_an_extension_is_the_configured_one(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, agents={"411": "wilma"}) as here:
        await end(here.press(uniqueid="1.2"))

        assert local.orders[0].agent == "wilma"


async def test_the_routes_say_who_is_asked(tmp_path: Path) -> None:
    local, noojee = FakeRecorder("local"), FakeRecorder("noojee")
    rules = [Rule(("noojee",), trunk="my-*")]
    async with bench(tmp_path, local, noojee, rules=rules, events=TRUNK_CALL) as here:
        await end(here.press(uniqueid="1.2"))

        assert (len(local.orders), len(noojee.orders)) == (0, 1)


async def test_a_press_for_one_recorder_asks_that_one_alone(tmp_path: Path) -> None:
    local, noojee = FakeRecorder("local"), FakeRecorder("noojee")
    async with bench(tmp_path, local, noojee) as here:
        await end(here.press(recorder="noojee"))

        assert (len(local.orders), len(noojee.orders)) == (0, 1)


async def test_a_press_for_a_recorder_that_does_not_exist_fails_and_names_those_that_do(
    tmp_path: Path,
) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, FakeRecorder("noojee")) as here:
        [verdict] = await end(here.press(recorder="nojee"))

        assert verdict.outcome is Outcome.FAILED
        assert verdict.reason == "no recorder is called 'nojee', known: local, noojee"
        assert not local.orders


async def test_without_any_recorder_a_press_fails_and_says_so(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        here.site.settings = SiteSettings(here.resolver, {}, Router((), ()))
        [verdict] = await end(here.press())

        assert verdict.outcome is Outcome.FAILED
        assert verdict.reason == "no recorder is configured for this call"


async def test_the_other_end_of_a_trunk_is_denied_and_nobody_is_asked(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, events=TRUNK_CALL) as here:
        [verdict] = await end(here.press(channel="SIP/my-trunk-1"))

        assert verdict.outcome is Outcome.DENIED
        assert "SIP/my-trunk-1 is no extension here" in verdict.reason
        assert not local.orders
        assert await here.kinds() == ["pressed", "resolved", "verdict"]


async def test_a_call_that_is_over_ends_the_press_and_asks_nobody(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local) as here:
        here.pbx.graph.apply(hangup("1.1"))
        here.pbx.graph.apply(hangup("1.2"))
        [verdict] = await end(here.press())

        assert verdict.outcome is Outcome.CALL_ENDED
        assert not local.orders
        assert await here.kinds() == ["pressed", "verdict"]


async def test_an_ambiguous_extension_fails_and_names_its_calls(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    two = (new("1.1", "SIP/410-1"), new("2.1", "SIP/410-2"))
    async with bench(tmp_path, local, events=two) as here:
        [verdict] = await end(here.command("410"))

        assert verdict.outcome is Outcome.FAILED
        assert "ambiguous" in verdict.reason
        assert "1.1 (410)" in verdict.reason
        assert "2.1 (410)" in verdict.reason
        assert not local.orders


async def test_while_the_pbx_cannot_be_asked_the_presser_alone_is_the_call(tmp_path: Path) -> None:
    local = FakeRecorder("local", Outcome.FAILED)
    noojee = FakeRecorder("noojee", Outcome.ACCEPTED)
    async with bench(tmp_path, local, noojee, pbx=FakePbx(graph())) as here:
        here.pbx.graph.known = False
        [verdict] = await end(here.press())
        resolved = (await here.records())[1]

        assert verdict.outcome is Outcome.FAILED
        [order] = noojee.orders
        assert [channel.uniqueid for channel in order.call.channels] == ["1.1"]
        assert resolved.body["seen"] is False
        assert resolved.body["notes"] == ["the PBX could not be asked for 0.01 s"]


# explain


async def test_explain_tells_the_whole_decision_and_sends_nothing(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    async with bench(tmp_path, local, agents={"410": "fred"}) as here:
        body = await here.engine.explain(Press("x", Verb.STOP, "cli", "410", 0, 0.0))
        json.dumps(body)

        assert (body["call"], body["presser"], body["agent"]) == ("1.1", "SIP/410-1", "fred")
        assert (body["agent_from"], body["queues"], body["facts"]) == ("[agents]", [], {})
        policy = body["policy"]
        assert isinstance(policy, dict)
        assert (policy["allowed"], policy["why"]) == (True, "cli has rights of its own")
        assert (policy["phone"]["allowed"], policy["phone"]["why"]) == (True, "extension 410")
        routes = body["routes"]
        assert isinstance(routes, list)
        assert [route["route"] for route in routes][-1] == "default"
        assert body["recorders"] == [
            {
                "recorder": "local", "kind": "fake", "role": "must", "target": "here",
                "requests": ["STOP it"], "refusal": None,
            }
        ]  # fmt: skip
        assert not local.orders
        assert local.plans[0].agent == "fred"
        assert await here.presses() == []


async def test_explain_of_no_call_raises_why(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        with pytest.raises(Unresolved, match="no live call matches 499"):
            await here.engine.explain(Press("x", Verb.STOP, "cli", "499", 0, 0.0))


# another configuration, the log


async def test_another_configuration_counts_from_the_next_press_on(tmp_path: Path) -> None:
    gate = Gate()
    old, fresh = FakeRecorder("local", script=gate), FakeRecorder("cloud")
    async with bench(tmp_path, old) as here:
        under_way = here.press()
        router = Router(("cloud",), ("cloud",))
        here.site.settings = SiteSettings(here.resolver, {"cloud": fresh}, router)
        here.engine.reconfigure(join_window=0.0)
        await gate.reached.wait()
        gate.opened.set()
        [first] = await end(under_way)
        [second] = await end(here.press())

        assert [one.recorder for one in first.results] == ["local"]
        assert [one.recorder for one in second.results] == ["cloud"]


async def test_every_line_of_a_press_names_it_and_its_call(tmp_path: Path) -> None:
    out = io.StringIO()

    async def fall(_order: Order) -> RecorderResult:
        raise KeyError("odd")

    before = structlog.get_config()
    logs.configure("debug", "json", stream=out)
    try:
        async with bench(tmp_path, FakeRecorder("local", script=fall)) as here:
            await end(here.press(), here.press(way="keypad"))
            await here.written()
    finally:
        structlog.configure(**before)
        root = logs.logging.getLogger()
        for handler in root.handlers[:]:
            if getattr(handler, "offrecord", False):
                root.removeHandler(handler)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]

    assert {line["event"] for line in lines} == {"recorder_broke", "press_ended", "press_joined"}
    ended = [line for line in lines if line["event"] != "press_joined"]
    assert {(line["press"], line["call"]) for line in ended} == {("p1", "1.1")}
    assert [line["of"] for line in lines if line["event"] == "press_joined"] == ["p1"]


async def test_a_call_in_another_bridge_is_none_of_it(tmp_path: Path) -> None:
    local = FakeRecorder("local")
    others = (new("2.1", "SIP/420-3"), new("2.2", "SIP/421-4", "2.1"), enter("c", "2.1", "2.1"))
    async with bench(tmp_path, local, events=(new("1.1", "SIP/410-1"), *others)) as here:
        await end(here.press())

        assert [channel.uniqueid for channel in local.orders[0].call.channels] == ["1.1"]
