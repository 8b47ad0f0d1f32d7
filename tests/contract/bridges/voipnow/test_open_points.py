# SPDX-License-Identifier: Apache-2.0
"""What the VoipNow documents leave open or say twice: the recorder copes with each reading.

The name of a test begins with its point: p1 is the status of an action, p20 paging under change.
"""

from typing import Any

import httpx
import pytest

from bridges.model import Evidence, Outcome
from bridges.simulators.voipnow.app import DEMO_ID, DEMO_SECRET
from tests.kits.voipnow_kit import EXTENSION, Fixture, fixture

CONFIRMED = (Outcome.CONFIRMED, Evidence.READ_BACK)


@pytest.mark.parametrize(
    "switches",
    [
        pytest.param({"action_answer": "200"}, id="p1-200"),
        pytest.param({"action_answer": "202"}, id="p1-202"),
        pytest.param({"action_answer": "204"}, id="p1-204"),
        pytest.param({"effect_delay": 0.0}, id="p1-at-once"),
        pytest.param({"effect_delay": 0.6}, id="p1-late"),
        pytest.param({"other_id": True}, id="p2-other-id"),
        pytest.param({"link_form": "double_slash"}, id="p3-double-slash"),
        pytest.param({"link_key": "link"}, id="p4-link"),
        pytest.param({"link_key": "links"}, id="p4-links"),
        pytest.param({"list_envelope": "array", "call_envelope": "array"}, id="p5-array"),
        pytest.param({"list_envelope": "entry", "call_envelope": "entry"}, id="p5-entry"),
        pytest.param({"list_envelope": "entry_dict", "call_envelope": "entry_dict"}, id="p5-dict"),
        pytest.param({"wrong_view": "error"}, id="p6-wrong-view"),
        pytest.param({"me_sees": "all"}, id="p10-me-sees-all"),
        pytest.param({"number_form": "short"}, id="p11-short"),
        pytest.param({"value_types": "number", "caller_id_key": "callerID"}, id="p12-numbers"),
        pytest.param({"offsets": "mixed"}, id="p13-mixed-offsets"),
        pytest.param({"token_life": 7200}, id="p16-two-hours"),
        pytest.param({"single_use": True}, id="p16-single-use"),
    ],
)
async def test_a_stop_is_confirmed_whichever_reading_is_right(switches: dict[str, Any]) -> None:
    async with fixture(switches=switches) as made:
        result = await made.act(budget=5.0)
        assert (result.outcome, result.evidence) == CONFIRMED, result.detail
        assert made.sim.site.done == 1
        assert made.recorded == []


async def test_p3_p4_a_call_is_addressed_anew_by_the_path_of_its_own_link_on_our_host() -> None:
    for key in ("link", "links"):
        async with fixture(switches={"link_key": key, "link_form": "double_slash"}) as made:
            made.break_("extension_invalid@list*4", "extension_invalid@stop*1")
            assert (await made.act()).outcome is Outcome.CONFIRMED
            # The link says https://192.0.2.20//uapi/...; every request came to our own host.
            assert len(made.asked("stop")) == 2


async def test_p6_a_view_that_vanishes_is_chosen_anew() -> None:
    async with fixture() as made:

        def rename(entry: Any) -> None:
            if entry.operation == "list":
                made.call.views[1].id = "02"

        made.sim.log.listen(rename)
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert '"02"' in made.asked("stop")[1].body


@pytest.mark.parametrize("answer", ["202", "204", "400"])
async def test_p7_a_stop_that_comes_too_late_is_nothing_to_stop_or_proven(answer: str) -> None:
    """The recording ends between our list and our stop; each documented answer is possible."""
    async with fixture(switches={"not_recording": answer}) as made:

        def end(entry: Any) -> None:
            if entry.operation == "list":
                made.call.views[1].recording = None

        made.sim.log.listen(end)
        result = await made.act()
        wanted = Outcome.NOTHING_TO_STOP if answer == "400" else Outcome.CONFIRMED
        assert (result.outcome, result.evidence) == (wanted, Evidence.READ_BACK)


async def test_p8_a_recording_that_does_not_vanish_is_failed() -> None:
    async with fixture(switches={"sticky": True}) as made:
        result = await made.act(budget=5.0)
        assert (result.outcome, result.retryable) == (Outcome.FAILED, True)
        assert "still recorded" in result.detail


@pytest.mark.parametrize(
    ("trigger", "outcome"),
    [
        ("star1", Outcome.CONFIRMED),
        ("always", Outcome.FAILED),
        ("off", Outcome.NOTHING_TO_STOP),
    ],
)
async def test_p9_the_trigger_of_the_extension_decides(trigger: Any, outcome: Outcome) -> None:
    async with fixture() as made:
        made.sim.site.extensions[EXTENSION].trigger = trigger
        made.sim.site.hang_up(made.call)
        made.sim.site.add_call(EXTENSION)
        assert (await made.act(budget=5.0)).outcome is outcome


async def test_p10_self_is_addressed_by_number_where_actions_do_not_take_it() -> None:
    async with fixture(switches={"self_actions": False}) as made:
        made.break_("extension_invalid@list*4")
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert made.paths[-1].startswith("GET @me/0003*210/")


async def test_p13_mixed_offsets_do_not_hide_which_of_two_calls_is_ours() -> None:
    async with fixture(switches={"offsets": "mixed"}, call={"remote": "0777666"}) as made:
        made.call.published -= 7200  # as if that offset were the wrong one
        other = made.sim.site.add_call(EXTENSION, "0999888", ago=900)
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert other.recorded(made.watch.now)


async def asked(made: Fixture, method: str, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, base_url=made.server.url) as client:
        granted = await client.post(
            "/oauth/token.php",
            data={"grant_type": "client_credentials", "client_id": DEMO_ID,
                  "client_secret": DEMO_SECRET},
        )  # fmt: skip
        bearer = f"Bearer {granted.json()['access_token']}"
        given = {name: value.replace("TOKEN", bearer) for name, value in headers.items()}
        return await client.request(method, made.server.url + path, headers=given)


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        pytest.param("/uapi/phoneCalls/@me/0003*210", "Authorization", 200, id="p14-none"),
        pytest.param("/uapi/phoneCalls/@me/0003*210/", "Authorization", 200, id="p14-slash"),
        pytest.param("//uapi/phoneCalls/@me/0003*210", "Authorization", 200, id="p3-two"),
        pytest.param("/uapi/phoneCalls/%40me/0003%2A210", "Authorization", 200, id="escaped"),
        pytest.param("/uapi/phoneCall/@me/0003*210", "Authorization", 404, id="p18-singular"),
        pytest.param("/uapi/phoneCalls/@me/0003*210", "Authentication", 401, id="p18-header"),
        pytest.param("/uapi/phoneCalls/@me/0003*210?count=5001", "Authorization", 400, id="p19"),
        pytest.param("/uapi/phoneCalls/@me/0003*210?count=5000", "Authorization", 200, id="p19-5k"),
        pytest.param("/uapi/phoneCalls/@me/0003*999", "Authorization", 400, id="p10-unknown"),
        pytest.param("/uapi/phoneCalls/13/0003*210", "Authorization", 400, id="user"),
        pytest.param("/uapi/phoneCalls/0012/210", "Authorization", 200, id="padded-user"),
        pytest.param("/uapi/phoneCalls/@me/@self?fields=id,x", "Authorization", 400, id="fields"),
        pytest.param("/uapi/phoneCalls/@me/@self?sortOrder=up", "Authorization", 400, id="sort"),
        pytest.param("/uapi/phoneCalls/@me/@self?filterBy=x", "Authorization", 400, id="by"),
        pytest.param("/uapi/phoneCalls/@me/@self?filterBy=id", "Authorization", 400, id="op"),
    ],
)
async def test_the_simulator_answers_as_the_documents_say(
    path: str, header: str, status: int
) -> None:
    async with fixture() as made:
        answer = await asked(made, "GET", path, **{header: "TOKEN"})
        assert answer.status_code == status


async def test_p15_an_empty_list_is_read_in_either_form() -> None:
    for form in ("204", "200"):
        async with fixture(switches={"empty_list": form}) as made:
            made.sim.site.hang_up(made.call)
            answer = await asked(made, "GET", "/uapi/phoneCalls/@me/210", Authorization="TOKEN")
            assert answer.status_code == int(form)
            if form == "204":
                assert (answer.content, "content-type" in answer.headers) == (b"", False)
            assert (await made.act()).outcome is Outcome.NOTHING_TO_STOP


@pytest.mark.parametrize("code", ["access_denied", "access_denided"])
async def test_p17_an_expired_token_is_renewed_and_a_lack_of_rights_is_not_argued_with(
    code: str,
) -> None:
    async with fixture(switches={"denied_code": code}) as made:
        await made.act()
        made.sim.apps.expire()
        result = await made.act()
        assert result.outcome is Outcome.NOTHING_TO_STOP
        assert len(made.asked("token")) == 2
        made.break_("access_denied@list")
        assert (await made.act()).outcome is Outcome.FAILED
        assert len(made.asked("token")) == 3
