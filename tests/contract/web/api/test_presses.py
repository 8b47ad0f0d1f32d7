# SPDX-License-Identifier: Apache-2.0
"""Presses over HTTP: carried out as from anywhere else, answered by their outcome, read back."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridges.model import Evidence, Outcome, Verb
from offrecord.journal.journal import Record
from offrecord.model.policy_terms import Allow, Rule
from offrecord.policy.policy import Policy
from offrecord.web.api.schemas import PENDING, STATUS, TITLES, BadVerdict, Pending, Verdict
from tests.kits.api_kit import api
from tests.kits.call_kit import new
from tests.kits.enforcement_kit import record
from tests.kits.lifecycle_kit import CALL, FakeRecorder, Gate
from tests.kits.waiting import safety_net


def test_every_outcome_has_a_status_and_every_bad_one_a_title() -> None:
    assert set(STATUS) == {*(o.value for o in Outcome), PENDING}
    assert {o for o, status in STATUS.items() if status >= 400} == set(TITLES)
    # What is not proven is never 200, and what may be recorded never below 400.
    assert STATUS[Outcome.ACCEPTED] == STATUS[PENDING] == 202
    assert STATUS[Outcome.FAILED] == 502


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.NOTHING_TO_STOP])
async def test_a_press_is_answered_by_its_outcome(tmp_path: Path, outcome: Outcome) -> None:
    evidence = Evidence.READ_BACK if outcome is Outcome.CONFIRMED else Evidence.ACCEPTED
    other = FakeRecorder("cloud", outcome, evidence)
    async with api(tmp_path, other) as here:
        answer = await here.press(recorder="cloud", agent="fred")
        body = answer.json()

        assert answer.status_code == STATUS[outcome]
        assert body["outcome"] == outcome.value
        if answer.status_code < 400:
            assert answer.headers["Content-Type"] == "application/json"
            Verdict.model_validate(body)
        else:
            assert answer.headers["Content-Type"] == "application/problem+json"
            told = BadVerdict.model_validate(body)
            assert told.title == TITLES[outcome][0]
            assert told.fix == TITLES[outcome][1].replace("{press}", body["press"])
            assert (told.status, told.detail) == (answer.status_code, body["text"])
        assert other.orders[0].agent == "fred"


async def test_the_journal_says_that_it_came_by_http_and_whose_token_it_was(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as here:
        press = (await here.press()).json()["press"]
        await here.kept.bench.written()
        records = (await here.get(f"/v1/presses/{press}")).json()

        assert records[0]["kind"] == "pressed"
        assert records[0]["body"]["way"] == "http"
        assert records[0]["body"]["options"] == {"client": "crm"}
        assert {"resolved", "answered", "verdict"} <= {one["kind"] for one in records}


@pytest.mark.parametrize("target", ["410", "SIP/410-1", "1.1"])
async def test_a_target_is_an_extension_a_channel_or_a_uniqueid(
    tmp_path: Path, target: str
) -> None:
    async with api(tmp_path) as here:
        here.kept.happen(record())
        answer = await here.press(target=target)

        assert (answer.status_code, answer.json()["outcome"]) == (200, "confirmed")
        calls = (await here.get("/v1/calls", params={"target": target})).json()["calls"]
        assert [call["call"] for call in calls] == ["1.1"]
        assert calls[0]["recorders"][0]["state"] == "stopped"


async def test_what_takes_longer_is_pending_and_goes_on(tmp_path: Path) -> None:
    gate = Gate()
    cloud = FakeRecorder("cloud", script=gate)
    async with api(tmp_path, cloud) as here:
        answer = await here.press(recorder="cloud", wait=0)
        body = answer.json()
        Pending.model_validate(body)
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/v1/presses/{body['press']}"

        gate.opened.set()
        await here.kept.bench.written()
        shown = (await here.get(answer.headers["Location"])).json()
        assert shown[-1]["kind"] in {"verdict", "intent"}
        [summary] = (await here.get("/v1/presses", params={"outcome": "confirmed"})).json()
        assert summary["press"] == body["press"]


async def test_a_client_that_goes_away_stops_no_press(tmp_path: Path) -> None:
    gate = Gate()
    cloud = FakeRecorder("cloud", script=gate)
    async with api(tmp_path, cloud) as here:
        asking = asyncio.create_task(here.press(recorder="cloud", wait=30))
        async with safety_net("the recorder is asked"):
            await gate.reached.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        gate.opened.set()
        await here.kept.bench.engine.idle()

        assert gate.cut == 0
        assert [one.outcome for one in await here.kept.bench.presses()] == ["confirmed"]


async def test_a_rule_for_http_is_kept_and_the_press_is_journalled(tmp_path: Path) -> None:
    policy = Policy((Rule(Allow.DENY, verbs=(Verb.STOP,), ways=("http",), why="by phone only"),))
    async with api(tmp_path, policy=policy) as here:
        answer = await here.press()

        assert answer.status_code == 403
        assert "by phone only" in answer.json()["text"]
        assert here.kept.local.orders == []
        ruling = (await here.get("/v1/explain?target=410")).json()["policy"]
        assert ruling["allowed"] is False


async def test_an_objection_is_ended_only_when_that_is_said(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        await here.press(verb="objection")
        await here.kept.pass_(60)
        refused = await here.press(verb="resume")
        await here.kept.pass_(60)
        ended = await here.press(verb="resume", end_objection=True)
        senseless = await here.press(verb="stop", end_objection=True)

        assert (refused.status_code, refused.json()["outcome"]) == (403, "denied")
        assert ended.json()["outcome"] != "denied"
        assert senseless.status_code == 422
        assert not [*here.kept.intents]


async def test_an_unsolved_press_can_be_acknowledged_once_it_is_one(tmp_path: Path) -> None:
    cloud = FakeRecorder("cloud", Outcome.FAILED, Evidence.SENT)
    async with api(tmp_path, cloud) as here:
        press = (await here.press()).json()["press"]
        done = await here.ask("POST", f"/v1/presses/{press}/ack")
        nothing = await here.ask("POST", "/v1/presses/0/ack")

        assert (done.status_code, done.json()) == (200, {"press": press, "acknowledged": True})
        assert nothing.status_code == 404
        assert "unsolved" in nothing.json()["detail"]


WRONG: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"verb": "stopp"}, 422, "body.verb"),
    ({"target": ""}, 422, "body.target"),
    ({"target": "410\r\nAction: Hangup"}, 422, "body.target"),
    ({"wait": 31}, 422, "body.wait"),
    ({"wait": "5"}, 422, "body.wait"),
    ({"card": "1"}, 422, "body.card"),
    ({"recorder": "nobody"}, 404, "known: local"),
)


async def test_what_cannot_be_asked_presses_nothing(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        for body, status, says in WRONG:
            answer = await here.press(**body)

            assert answer.status_code == status, body
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert says in f"{answer.json()['detail']} {answer.json()['fix']}", body
        assert await here.kept.bench.presses() == []


async def test_what_was_given_is_not_repeated(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        answer = await here.press(target="4111111111111111\n")

        assert answer.status_code == 422
        assert "4111" not in answer.text


async def test_the_scope_read_is_good_for_a_day_and_audit_for_all(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        old = here.kept.time.wall() - 90_000_000
        await here.components.journal.write(
            Record("old1", "pressed", {"verb": "stop", "way": "cli", "target": "x"}, old)
        )
        await here.press()
        everything = (await here.get("/v1/presses", "auditor")).json()
        recent = (await here.get("/v1/presses", "board")).json()

        assert [one["press"] for one in everything][1:] == ["old1"]
        assert [one["press"] for one in recent] == [everything[0]["press"]]
        since = {"since": "25h"}
        assert (await here.get("/v1/presses", "board", params=since)).json()["scope"] == "audit"
        assert len((await here.get("/v1/presses", "auditor", params={"since": "26h"})).json()) == 2
        assert (await here.get("/v1/presses/old1", "board")).status_code == 403
        assert (await here.get("/v1/presses/old1", "auditor")).status_code == 200


async def test_the_filters_are_those_of_the_command_line(tmp_path: Path) -> None:
    async with api(tmp_path) as here:
        made = (await here.press(agent="fred")).json()
        await here.kept.bench.written()
        for given, found in (
            ({"call": "1.1"}, 1),
            ({"call": "SIP/411-2"}, 1),
            ({"call": "9.9"}, 0),
            ({"agent": "fred"}, 1),
            ({"agent": "wilma"}, 0),
            ({"outcome": made["outcome"]}, 1),
            ({"outcome": "failed"}, 0),
            ({"since": "1h"}, 1),
            ({"since": "2999-01-01T00:00:00Z"}, 0),
        ):
            shown = await here.get("/v1/presses", "auditor", params=given)
            assert (shown.status_code, len(shown.json())) == (200, found), given
        for since in ("yesterday", "2026-03-01", "2026-13-01T00:00:00Z"):
            wrong = await here.get("/v1/presses", params={"since": since})
            assert wrong.status_code == 422, since
        for query, at in (("outcom=failed", "query.outcom"), ("agent=a&agent=b", "query.agent")):
            wrong = await here.get(f"/v1/presses?{query}")
            assert (wrong.status_code, wrong.json()["errors"][0]["at"]) == (422, at)
        assert (await here.get("/v1/presses/nobody")).status_code == 404


async def test_names_from_a_pbx_that_are_no_text_are_shown_escaped(tmp_path: Path) -> None:
    strange = new("5.5", "SIP/4\udc8010-9")
    async with api(tmp_path, events=(*CALL, strange)) as here, here.events() as following:
        shown = await here.get("/v1/calls")
        _, _, first = await following()

        assert shown.status_code == 200
        assert "SIP/4\\udc8010-9" in shown.text
        names = [leg["channel"] for call in first["calls"] for leg in call["channels"]]
        assert "SIP/4\udc8010-9" in names
