# SPDX-License-Identifier: Apache-2.0
"""Every row of the result codes: what the recorder makes of it, and what it does next.

A row's id is what the server answers: `403-3` is HTTP 403 with `statusCode` 3.
"""

from pathlib import Path

import pytest

from bridges.model import ORDERS, Evidence, Outcome, RecorderUnavailable, Verb
from bridges.simulators import certificates
from tests.kits.genesys_kit import COMMANDS, Fixture, fixture, order

FINAL = (Outcome.FAILED, 1, False)
"""Failed at the first answer, and only a person can mend it."""
DOUBT = (Outcome.FAILED, 2, True)
"""The call was read, was still being recorded, and was asked once more."""

ROWS = [
    pytest.param("code=0", (Outcome.FAILED, 2, True), id="200-0-and-nothing-done"),
    pytest.param("code=1", FINAL, id="400-1"),
    pytest.param("code=2", DOUBT, id="400-2"),
    pytest.param("code=3", FINAL, id="403-3"),
    pytest.param("code=5", FINAL, id="403-5"),
    pytest.param("code=6", (Outcome.FAILED, 1, True), id="404-6"),
    pytest.param("code=7", DOUBT, id="200-7"),
    pytest.param("code=8", FINAL, id="8-password-change"),
    pytest.param("code=9", DOUBT, id="9-incomplete"),
    pytest.param("code=10", FINAL, id="400-10"),
    pytest.param("code=11", FINAL, id="11-read-only"),
    pytest.param("code=12", DOUBT, id="12-not-retrieved"),
    pytest.param("code=13", FINAL, id="13-not-created"),
    pytest.param("code=14", FINAL, id="14-not-deleted"),
    pytest.param("code=15", DOUBT, id="15-not-updated"),
    pytest.param("code=16", FINAL, id="16-not-assigned"),
    pytest.param("code=17", FINAL, id="17-not-unassigned"),
    pytest.param("code=18", FINAL, id="409-18"),
    pytest.param("code=19", FINAL, id="409-19"),
    pytest.param("code=20", (Outcome.FAILED, 2, False), id="403-20"),
    pytest.param("code=21", FINAL, id="other-code"),
    pytest.param("code=-1", FINAL, id="other-negative"),
    pytest.param("code=500", DOUBT, id="other-code-with-500"),
    pytest.param("csrf_text", (Outcome.FAILED, 2, True), id="403-csrf-text"),
    pytest.param("empty_403", FINAL, id="403-empty"),
    pytest.param("status=403", FINAL, id="403-other-text"),
    pytest.param("unauthorized", (Outcome.FAILED, 2, False), id="401"),
    pytest.param("status=404", FINAL, id="404-html"),
    pytest.param("status=400", FINAL, id="400-no-json"),
    pytest.param("status=502", DOUBT, id="502"),
    pytest.param("status=504", DOUBT, id="504"),
    pytest.param("status=500", DOUBT, id="500-no-json"),
    pytest.param("redirect", FINAL, id="3xx"),
    pytest.param("html_200", (Outcome.FAILED, 1, True), id="200-html"),
    pytest.param("reset", DOUBT, id="reset-after-sending"),
    pytest.param("stall", DOUBT, id="timeout"),
    pytest.param("half", DOUBT, id="half-an-answer"),
]


@pytest.mark.parametrize(("fault", "wanted"), ROWS)
async def test_a_stop_that_is_answered_so(fault: str, wanted: tuple[Outcome, int, bool]) -> None:
    outcome, commands, retryable = wanted
    # An answer cut in half follows a stop that was carried out; these rows are those that were not.
    switches = {"delay": 60.0} if fault == "half" else {}
    async with fixture(options={"notifications": False}, **switches) as made:
        made.sim.faults.add(f"{fault}@stop")
        result = await made.act(budget=1.0)

        assert (result.outcome, result.retryable) == (outcome, retryable), result.detail
        assert len(made.asked("stop")) == commands
        assert result.evidence <= Evidence.ACCEPTED
        assert made.recording()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("code=4", id="500-4"),
        pytest.param("voice_down", id="503-4-voice-service"),
        pytest.param("not_registered", id="500-4-device-not-registered"),
        pytest.param("status=503", id="503-no-json"),
        pytest.param("throttle=0.1", id="429"),
    ],
)
async def test_a_server_that_is_busy_is_asked_again_inside_the_budget(fault: str) -> None:
    async with fixture() as made:
        made.sim.faults.add(f"{fault}@stop*2")
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED, result.detail
        assert len(made.asked("stop")) == 3
    async with fixture(options={"notifications": False}) as made:
        made.sim.faults.add(f"{fault}@stop")
        result = await made.act(budget=0.6)
        assert (result.outcome, result.retryable) == (Outcome.FAILED, True)
        assert 2 <= len(made.asked("stop")) <= 8
        if fault == "not_registered":
            assert "not registered" in result.detail


@pytest.mark.parametrize(
    "fault",
    [
        "code=2", "code=4", "code=7", "code=9", "code=12", "code=15", "code=500", "code=20",
        "unauthorized", "csrf_text", "reset", "status=502", "status=503", "status=500",
    ],
)  # fmt: skip
async def test_what_may_be_repeated_succeeds_the_second_time(fault: str) -> None:
    async with fixture(options={"notifications": False}) as made:
        made.sim.faults.add(f"{fault}@stop*1")
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.CONFIRMED, Evidence.READ_BACK)
        assert len(made.asked("stop")) == 2


async def test_a_stop_whose_answer_was_lost_is_proven_by_reading_and_not_repeated() -> None:
    async with fixture(event_order="event_first") as made:
        made.sim.faults.add("drop_after_effect@stop*1")
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        assert len(made.asked("stop")) == 1


@pytest.mark.parametrize(
    ("fault", "reads", "retryable"),
    [
        pytest.param("code=0", 1, True, id="200-0-without-a-call"),
        pytest.param("code=1", 1, False, id="400-1"),
        pytest.param("code=2", 1, False, id="400-2"),
        pytest.param("code=3", 1, False, id="403-3"),
        pytest.param("code=5", 1, False, id="403-5"),
        pytest.param("code=6", 1, True, id="404-6"),
        pytest.param("code=7", 1, False, id="200-7"),
        pytest.param("code=8", 1, False, id="8-password-change"),
        pytest.param("code=20", 2, False, id="403-20"),
        pytest.param("code=21", 1, False, id="other-code"),
        pytest.param("csrf_text", 2, True, id="403-csrf-text"),
        pytest.param("empty_403", 1, False, id="403-empty"),
        pytest.param("unauthorized", 2, False, id="401"),
        pytest.param("status=404", 1, False, id="404-html"),
        pytest.param("redirect", 1, False, id="3xx"),
        pytest.param("html_200", 1, True, id="200-html"),
    ],
)
async def test_a_read_that_is_refused_sends_no_stop(
    fault: str, reads: int, *, retryable: bool
) -> None:
    async with fixture(options={"notifications": False}) as made:
        made.sim.faults.add(f"{fault}@call")
        result = await made.act(budget=0.6)
        assert result.outcome is Outcome.FAILED
        assert len(made.asked("call")) == reads
        assert result.retryable is retryable or fault == "code=0"
        assert made.commands() == 0


@pytest.mark.parametrize(
    "fault",
    ["code=4", "code=9", "code=12", "code=15", "code=500", "status=503", "status=502", "status=500",
     "throttle=0.05", "reset", "half"],
)  # fmt: skip
async def test_a_read_that_may_succeed_later_is_made_again(fault: str) -> None:
    async with fixture(options={"notifications": False}) as made:
        made.sim.faults.add(f"{fault}@call*2")
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED, result.detail


@pytest.mark.parametrize("verb", list(ORDERS))
async def test_the_table_holds_for_all_four_verbs(verb: Verb) -> None:
    before = {Verb.STOP: "Recording", Verb.PAUSE: "Recording", Verb.RESUME: "Paused",
              Verb.START: "Stopped"}[verb]  # fmt: skip
    for fault, outcome, sent in (
        ("code=3", Outcome.FAILED, 1),
        ("code=9", Outcome.CONFIRMED, 2),
        ("reset", Outcome.CONFIRMED, 2),
    ):
        async with fixture() as made:
            made.call.recording = before
            made.sim.faults.add(f"{fault}@{verb.value}*1")
            result = await made.act(verb)
            assert (result.outcome, made.commands()) == (outcome, sent), result.detail
            assert {e.operation for e in made.sim.log.entries} & set(COMMANDS) == {verb.value}


async def network_row(made: Fixture, cause: str) -> None:
    result = await made.recorder.act(order(budget=0.5))
    assert (result.outcome, result.evidence) == (Outcome.FAILED, Evidence.NONE), result.detail
    assert made.commands() == 0
    with pytest.raises(RecorderUnavailable) as away:
        await made.recorder.probe()
    assert away.value.cause == cause


async def test_a_server_that_refuses_connections_is_unreachable() -> None:
    async with fixture() as made:
        await made.server.refuse()
        await network_row(made, "unreachable")


async def test_a_certificate_that_is_not_trusted_sends_nothing(tmp_path: Path) -> None:
    async with fixture(tls=certificates.issue(tmp_path).server_context()) as made:
        await network_row(made, "untrusted")
        assert made.sim.log.entries == []
