# SPDX-License-Identifier: Apache-2.0
"""Every row of the table of answers, by id and by line; the id of a test names its row."""

from typing import NamedTuple

import pytest

from bridges.model import Evidence, Outcome, Verb
from bridges.simulators.harness import Entry
from tests.kits.imagicle_kit import Fixture, fixture

CONFIRMED = (Outcome.CONFIRMED, Evidence.READ_BACK)
FAILED = (Outcome.FAILED, Evidence.SENT)
NOTHING = (Outcome.NOTHING_TO_STOP, Evidence.READ_BACK)
ACCEPTED = (Outcome.ACCEPTED, Evidence.ACCEPTED)


class Row(NamedTuple):
    """What goes wrong, and what is made of it."""

    fault: str
    end: tuple[Outcome, Evidence]
    retryable: bool
    asked: int
    word: str
    still: bool = True


BY_ID = {
    "204": Row("", CONFIRMED, False, 1, "stopped", still=False),
    "400-reason-0": Row("reason=0@stop", FAILED, False, 1, "does not take this id for a GUID"),
    "400-reason-1": Row("not_monitorable@stop", FAILED, False, 1, "SEP123456789ABC"),
    "400-reason-2": Row("automatic@stop", FAILED, False, 1, "automatically"),
    "400-other": Row("reason=9@stop", FAILED, False, 1, '"reason": 9'),
    "400-no-body": Row("bare_400@stop", FAILED, False, 1, "without a documented reason"),
    "401": Row("unauthorized@stop", FAILED, False, 1, "user and password"),
    "403": Row("forbidden@stop", FAILED, False, 1, "level 10"),
    "404": Row("status=404@stop", FAILED, False, 1, "no such address"),
    "409-still-listed": Row("contradiction@stop", FAILED, True, 1, "contradiction"),
    "429": Row("state@stop", FAILED, False, 1, "nobody documents"),
    "500": Row("fault@stop", FAILED, True, 3, "had a fault"),
    "500-then-204": Row("fault@stop*2", CONFIRMED, False, 3, "stopped", still=False),
    "500-but-done": Row("late_fault@stop*1", CONFIRMED, False, 1, "list shows", still=False),
    "501": Row("licence@stop", FAILED, False, 1, "licence"),
    "503": Row("shortage@stop", FAILED, True, 3, "short of channels"),
    "504": Row("service_away@stop", FAILED, True, 3, "recording service"),
    "504-then-204": Row("service_away@stop*1", CONFIRMED, False, 2, "stopped", still=False),
    "timeout": Row("stall@stop", FAILED, True, 3, "gave no answer"),
    "timeout-then-204": Row("stall@stop*1", CONFIRMED, False, 2, "stopped", still=False),
    "reset": Row("reset@stop", FAILED, True, 3, "gave no answer"),
    "reset-but-done": Row("drop_after_effect@stop*1", CONFIRMED, False, 1, "list shows", False),
    "200-html": Row("html_200@stop", FAILED, True, 1, "nobody documents"),
    "302": Row("redirect@stop", FAILED, True, 1, "nobody documents"),
    "418": Row("status=418@stop", FAILED, True, 1, "nobody documents"),
    "204-swallowed": Row("swallow@stop", FAILED, True, 1, "contradiction"),
}


def check(row: Row, made: Fixture, result: object, operation: str) -> None:
    from bridges.model import RecorderResult

    assert isinstance(result, RecorderResult)
    assert (result.outcome, result.retryable) == (row.end[0], row.retryable), result.detail
    assert result.evidence is row.end[1]
    assert row.word in result.detail
    assert len(made.commands()) == row.asked
    assert {one.operation for one in made.commands()} == {operation}
    assert bool(made.sim.state.live) is row.still


@pytest.mark.parametrize("row", BY_ID.values(), ids=BY_ID)
async def test_a_stop_by_id(row: Row) -> None:
    async with fixture() as made:
        if row.fault:
            made.fault(row.fault)
        check(row, made, await made.act(), "stop")


BY_LINE = {
    "204": Row("", ACCEPTED, False, 1, "no list", still=False),
    "400-reason-1": Row("not_monitorable@stop_line", FAILED, False, 1, "SEP123456789ABC"),
    "400-reason-2": Row("automatic@stop_line", FAILED, False, 1, "automatically"),
    "400-reason-0": Row("reason=0@stop_line", FAILED, False, 2, "neither number nor device"),
    "400-other": Row("reason=9@stop_line", FAILED, False, 1, '"reason": 9'),
    "400-no-body": Row("bare_400@stop_line", FAILED, False, 1, "without a documented reason"),
    "401": Row("unauthorized@stop_line", FAILED, False, 1, "user and password"),
    "403": Row("forbidden@stop_line", FAILED, False, 1, "level 10"),
    "404": Row("status=404@stop_line", FAILED, False, 1, "no such address"),
    "409": Row("contradiction@stop_line", NOTHING, False, 1, "every node"),
    "429": Row("state@stop_line", FAILED, False, 1, "nobody documents"),
    "500": Row("fault@stop_line", FAILED, False, 1, "had a fault"),
    "501": Row("licence@stop_line", FAILED, False, 1, "licence"),
    "503": Row("shortage@stop_line", FAILED, True, 1, "short of channels"),
    "504": Row("service_away@stop_line", FAILED, True, 1, "recording service"),
    "timeout": Row("stall@stop_line", FAILED, False, 1, "gave no answer"),
    "reset": Row("reset@stop_line", FAILED, False, 1, "gave no answer"),
    "200-html": Row("html_200@stop_line", FAILED, False, 1, "nobody documents"),
}


@pytest.mark.parametrize("row", BY_LINE.values(), ids=BY_LINE)
async def test_a_stop_by_line_is_never_sent_again_unseen(row: Row) -> None:
    async with fixture() as made:
        made.fault("forbidden@list")
        if row.fault:
            made.fault(row.fault)
        check(row, made, await made.act(), "stop_line")
        assert all("deviceName" not in one.query for one in made.commands())


LIST = {
    "401": ("unauthorized@list", False, 1, "user and password"),
    "409": ("contradiction@list", True, 1, "nobody documents"),
    "400": ("bare_400@list", False, 1, "without a documented reason"),
    "429": ("state@list", False, 1, "nobody documents"),
    "500": ("fault@list", True, 3, "had a fault"),
    "501": ("licence@list", False, 1, "licence"),
    "503": ("shortage@list", True, 3, "short of channels"),
    "504": ("service_away@list", True, 3, "recording service"),
    "timeout": ("stall@list", True, 3, "gave no answer"),
    "reset": ("reset@list", True, 3, "gave no answer"),
    "half": ("half@list", True, 3, "gave no answer"),
    "html": ("html_200@list", True, 1, "sent no list"),
    "junk": ("junk@list", True, 1, "sent no list"),
}


@pytest.mark.parametrize(("fault", "retryable", "asked", "word"), LIST.values(), ids=LIST)
async def test_without_a_list_that_could_be_had_nothing_is_stopped(
    fault: str, *, retryable: bool, asked: int, word: str
) -> None:
    async with fixture() as made:
        made.fault(fault)
        result = await made.act()
        assert (result.outcome, result.retryable) == (Outcome.FAILED, retryable)
        assert word in result.detail
        assert made.asked() == ["list"] * asked


@pytest.mark.parametrize("fault", ["fault@list*2", "stall@list*1", "service_away@list*1"])
async def test_a_list_that_fails_for_a_moment_is_asked_again(fault: str) -> None:
    async with fixture() as made:
        made.fault(fault)
        assert await made.outcome() is Outcome.CONFIRMED


@pytest.mark.parametrize("fault", ["forbidden@list", "status=404@list"])
async def test_a_refused_list_leaves_the_line_to_be_named(fault: str) -> None:
    async with fixture() as made:
        made.fault(fault)
        result = await made.act()
        assert (result.outcome, result.evidence) == ACCEPTED
        assert made.asked() == ["list", "stop_line"]
        assert made.commands()[0].query == {"directoryNumber": "410"}


CHANGES = {
    "204": ("", Outcome.CONFIRMED, 1, ""),
    "400": ("bare_400", Outcome.FAILED, 1, "without a documented reason"),
    "401": ("unauthorized", Outcome.FAILED, 1, "user and password"),
    "403": ("forbidden", Outcome.FAILED, 1, "level 10"),
    "409-still-listed": ("contradiction", Outcome.FAILED, 1, "contradiction"),
    "429-not-so": ("state", Outcome.FAILED, 1, "contradiction"),
    "500": ("fault", Outcome.FAILED, 3, "had a fault"),
    "500-but-done": ("late_fault*1", Outcome.CONFIRMED, 1, "list shows"),
    "504": ("service_away", Outcome.FAILED, 3, "recording service"),
    "reset-but-done": ("drop_after_effect*1", Outcome.CONFIRMED, 1, "list shows"),
    "swallowed": ("swallow", Outcome.FAILED, 1, "contradiction"),
}


@pytest.mark.parametrize(("fault", "outcome", "asked", "word"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME])
async def test_a_pause_and_a_resume(
    verb: Verb, fault: str, outcome: Outcome, asked: int, word: str
) -> None:
    async with fixture() as made:
        made.live.paused = verb is Verb.RESUME
        if fault:
            kind, star, times = fault.partition("*")
            made.fault(f"{kind}@{verb}{star}{times}")
        result = await made.act(verb)
        assert result.outcome is outcome, result.detail
        assert word in result.detail
        assert [one.operation for one in made.commands()] == [verb.value] * asked
        assert made.live.paused is ((verb is Verb.PAUSE) == (outcome is Outcome.CONFIRMED))


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME])
async def test_429_that_is_so_is_done(verb: Verb) -> None:
    """Someone else was faster, between our list and our request."""
    async with fixture() as made:
        made.live.paused = verb is Verb.RESUME

        def faster(entry: Entry) -> None:
            made.live.paused = verb is Verb.PAUSE

        made.sim.log.listen(faster)
        result = await made.act(verb)
        assert (result.outcome, result.evidence) == CONFIRMED
        assert made.commands()[0].status == 429


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME])
async def test_what_is_so_already_is_read_and_not_asked_for(verb: Verb) -> None:
    async with fixture() as made:
        made.live.paused = verb is Verb.PAUSE
        result = await made.act(verb)
        assert (result.outcome, result.evidence) == CONFIRMED
        assert made.asked() == ["list"]


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME])
@pytest.mark.parametrize("state", ["free", "already"])
async def test_a_pause_and_a_resume_by_number(verb: Verb, state: str) -> None:
    async with fixture() as made:
        made.fault("forbidden@list")
        made.live.paused = (verb is Verb.RESUME) == (state == "free")
        result = await made.act(verb)
        assert (result.outcome, result.evidence) == ACCEPTED
        assert made.commands()[0].status == (204 if state == "free" else 429)
        assert made.commands()[0].query == {"directoryNumber": "410"}
        assert made.live.paused is (verb is Verb.PAUSE)


STARTS = {
    "201": ("", CONFIRMED, False, 1, "started"),
    "400-reason-0": ("reason=0", FAILED, False, 1, "neither number nor device"),
    "400-reason-1": ("not_monitorable", FAILED, False, 1, "does not know the line"),
    "400-reason-2": ("reason=2", FAILED, False, 1, "mode"),
    "400-reason-3": ("reason=3", FAILED, False, 1, "no extension"),
    "400-reason-4": ("reason=4", FAILED, False, 1, "by hand"),
    "400-other": ("reason=9", FAILED, False, 1, "without a documented reason"),
    "401": ("unauthorized", FAILED, False, 1, "user and password"),
    "403": ("forbidden", FAILED, False, 1, "level 10"),
    "404": ("status=404", FAILED, False, 1, "no such address"),
    "409": ("contradiction", FAILED, True, 1, "conflict"),
    "429-not-so": ("state", FAILED, True, 1, "recording already"),
    "500": ("fault", FAILED, True, 3, "had a fault"),
    "500-but-done": ("late_fault*1", CONFIRMED, False, 1, "running already"),
    "501": ("licence", FAILED, False, 1, "licence"),
    "503": ("shortage", FAILED, True, 3, "short of channels"),
    "503-then-201": ("shortage*1", CONFIRMED, False, 2, "started"),
    "504": ("service_away", FAILED, True, 3, "recording service"),
    "reset-but-done": ("drop_after_effect*1", CONFIRMED, False, 1, "running already"),
    "201-no-id": ("empty", FAILED, True, 1, "nobody documents"),
    "201-junk": ("junk", FAILED, True, 1, "nobody documents"),
    "201-swallowed": ("swallow", FAILED, True, 1, "contradiction"),
}


@pytest.mark.parametrize(
    ("fault", "end", "retryable", "asked", "word"), STARTS.values(), ids=STARTS
)
async def test_a_start(
    fault: str, end: tuple[Outcome, Evidence], *, retryable: bool, asked: int, word: str
) -> None:
    async with fixture(recorded=False) as made:
        if fault:
            kind, star, times = fault.partition("*")
            made.fault(f"{kind}@start{star}{times}")
        result = await made.act(Verb.START)
        assert (result.outcome, result.retryable) == (end[0], retryable), result.detail
        assert result.evidence is end[1]
        assert word in result.detail
        assert [one.operation for one in made.commands()] == ["start"] * asked
        assert len(made.sim.state.live) == (end is CONFIRMED)


async def test_a_start_that_perhaps_was_carried_out_is_not_repeated_without_a_list() -> None:
    for fault in ("late_fault@start", "drop_after_effect@start"):
        async with fixture(recorded=False) as made:
            made.fault("forbidden@list")
            made.fault(fault)
            result = await made.act(Verb.START)
            assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
            assert len(made.commands()) == 1
