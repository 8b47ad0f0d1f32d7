# SPDX-License-Identifier: Apache-2.0
"""Every row of VoipNow's error tables as it comes over the wire; the id of a test names its row."""

from dataclasses import dataclass

import pytest

from bridges.model import Evidence, Outcome, Verb
from bridges.voipnow.answers import TABLE, Case
from tests.kits.voipnow_kit import Fixture, fixture

C, A, F, N, E = (
    Outcome.CONFIRMED, Outcome.ACCEPTED, Outcome.FAILED, Outcome.NOTHING_TO_STOP, Outcome.CALL_ENDED
)  # fmt: skip
NONE, SENT, L1, L2 = Evidence.NONE, Evidence.SENT, Evidence.ACCEPTED, Evidence.READ_BACK


@dataclass(frozen=True)
class Row:
    """What goes wrong, and what must come of it: outcome, evidence, retryable, requests made."""

    case: Case
    fault: str
    outcome: Outcome
    evidence: Evidence
    retryable: bool
    requests: int
    words: str = ""


STOP = [
    Row(Case.OK, "", C, L2, False, 1),
    Row(Case.ACCEPTED, "", C, L2, False, 1),
    Row(Case.NO_CONTENT, "", C, L2, False, 1),
    Row(Case.CALL_INVALID, "pc_phonecall_invalid", F, SENT, True, 5, "takes its id at no address"),
    Row(Case.VIEW_INVALID, "pc_phonecallview_invalid", F, SENT, True, 3, "view"),
    Row(Case.USER_INVALID, "user_invalid", F, SENT, False, 5, "set user_id"),
    Row(Case.EXTENSION_INVALID, "extension_invalid", F, SENT, False, 5, "client_prefix"),
    Row(Case.FIELDS_INVALID, "fields_invalid", F, SENT, False, 1, "fields_invalid"),
    Row(Case.COUNT_INVALID, "count_invalid", F, SENT, False, 1, "count_invalid"),
    Row(Case.FILTERBY_INVALID, "filterby_invalid", F, SENT, False, 1, "filterby_invalid"),
    Row(Case.FILTEROP_INVALID, "filterop_invalid", F, SENT, False, 1, "filterop_invalid"),
    Row(Case.FILTERVALUE_INVALID, "filtervalue_invalid", F, SENT, False, 1, "filtervalue_invalid"),
    Row(Case.SORTORDER_INVALID, "sortorder_invalid", F, SENT, False, 1, "sortorder_invalid"),
    Row(Case.CDR, "cdr_start_date_invalid", F, SENT, False, 1, "call records"),
    Row(Case.BAD_REQUEST, "coded=400", F, SENT, False, 1, "sim_unknown"),
    Row(Case.UNAUTHORISED, "access_denied", F, SENT, False, 2, "twice"),
    Row(Case.FORBIDDEN, "coded=403", F, SENT, False, 5, "forbade"),
    Row(Case.NOT_FOUND, "status=404", F, SENT, False, 1, "URL"),
    Row(Case.CONFLICT, "coded=409", F, SENT, True, 2, "limit"),
    Row(Case.TOO_LARGE, "coded=413", F, SENT, False, 1, "too large"),
    Row(Case.TOO_MANY, "too_many=0.1", F, SENT, True, 2, "too many"),
    Row(Case.CLIENT_ERROR, "status=418", F, SENT, False, 1, "418"),
    Row(Case.SERVER_ERROR, "internal_server_error", F, L2, True, 2, "still recorded"),
    Row(Case.NOT_IMPLEMENTED, "request_not_implemented", F, SENT, False, 1, "version"),
    Row(Case.GATEWAY, "status=502", F, L2, True, 2, "still recorded"),
    Row(Case.GATEWAY, "status=503", F, L2, True, 2, "still recorded"),
    Row(Case.GATEWAY, "status=504", F, L2, True, 2, "still recorded"),
    Row(Case.REDIRECT, "redirect", F, SENT, False, 1, "redirect"),
    Row(Case.JUNK, "html_200", F, L2, True, 1, "not understood"),
    Row(Case.JUNK, "empty_200", F, L2, True, 1, "not understood"),
    Row(Case.JUNK, "junk", F, L2, True, 1, "not understood"),
    Row(Case.JUNK, "oauth_error=200", F, L2, True, 1, "not understood"),
    Row(Case.NO_ANSWER, "reset", F, L2, True, 2, "no whole answer"),
    Row(Case.NO_ANSWER, "half", C, L2, False, 1),
    Row(Case.NO_ANSWER, "drop_after_effect", C, L2, False, 1),
    Row(Case.NO_ANSWER, "stall", F, L2, True, 2, "no answer"),
]

LIST = [
    Row(Case.OK, "", C, L2, False, 1),
    Row(Case.NO_CONTENT, "", N, L2, False, 5),
    Row(Case.ACCEPTED, "coded=202", F, SENT, True, 1, "not understood"),
    Row(Case.CALL_INVALID, "pc_phonecall_invalid", F, SENT, True, 1),
    Row(Case.VIEW_INVALID, "pc_phonecallview_invalid", F, SENT, True, 1),
    Row(Case.USER_INVALID, "user_invalid", F, SENT, False, 5, "set user_id"),
    Row(Case.EXTENSION_INVALID, "extension_invalid", F, SENT, False, 5, "client_prefix"),
    Row(Case.FIELDS_INVALID, "fields_invalid", F, SENT, False, 1),
    Row(Case.COUNT_INVALID, "count_invalid", F, SENT, False, 1),
    Row(Case.FILTERBY_INVALID, "filterby_invalid", F, SENT, False, 1),
    Row(Case.FILTEROP_INVALID, "filterop_invalid", F, SENT, False, 1),
    Row(Case.FILTERVALUE_INVALID, "filtervalue_invalid", F, SENT, False, 1),
    Row(Case.SORTORDER_INVALID, "sortorder_invalid", F, SENT, False, 1),
    Row(Case.CDR, "cdr_start_date_invalid", F, SENT, False, 1),
    Row(Case.BAD_REQUEST, "coded=400", F, SENT, False, 1),
    Row(Case.UNAUTHORISED, "access_denied", F, SENT, False, 2, "trusted"),
    Row(Case.FORBIDDEN, "coded=403", F, SENT, False, 5, "forbade"),
    Row(Case.NOT_FOUND, "status=404", F, SENT, False, 1),
    Row(Case.CONFLICT, "coded=409", F, SENT, True, 2),
    Row(Case.TOO_LARGE, "coded=413", F, SENT, False, 1),
    Row(Case.TOO_MANY, "too_many=0.1", F, SENT, True, 2),
    Row(Case.CLIENT_ERROR, "status=418", F, SENT, False, 1),
    Row(Case.SERVER_ERROR, "internal_server_error", F, SENT, True, 2),
    Row(Case.NOT_IMPLEMENTED, "request_not_implemented", F, SENT, False, 1),
    Row(Case.GATEWAY, "status=503", F, SENT, True, 2),
    Row(Case.REDIRECT, "redirect", F, SENT, False, 1),
    Row(Case.JUNK, "html_200", F, SENT, True, 1),
    Row(Case.JUNK, "junk", F, SENT, True, 1),
    Row(Case.JUNK, "unreadable", F, SENT, True, 1),
    Row(Case.NO_ANSWER, "reset", F, SENT, True, 2),
    Row(Case.NO_ANSWER, "half", F, SENT, True, 2),
    Row(Case.NO_ANSWER, "stall", F, SENT, True, 2),
]

TOKEN = [
    Row(Case.OK, "", C, L2, False, 1),
    Row(Case.BAD_REQUEST, "oauth_error=400", F, SENT, False, 1, "invalid_client"),
    Row(Case.UNAUTHORISED, "oauth_error=401", F, SENT, False, 1, "client_secret"),
    Row(Case.FORBIDDEN, "oauth_error=403", F, SENT, False, 1, "client_secret"),
    Row(Case.USER_INVALID, "user_invalid", F, SENT, False, 1),
    Row(Case.EXTENSION_INVALID, "extension_invalid", F, SENT, False, 1),
    Row(Case.NOT_FOUND, "status=404", F, SENT, False, 1, "URL"),
    Row(Case.TOO_MANY, "too_many=0.1", F, SENT, True, 2),
    Row(Case.SERVER_ERROR, "internal_server_error", F, SENT, True, 2),
    Row(Case.GATEWAY, "status=503", F, SENT, True, 2),
    Row(Case.REDIRECT, "redirect", F, SENT, False, 1),
    Row(Case.JUNK, "html_200", F, SENT, True, 1),
    Row(Case.JUNK, "junk", F, SENT, True, 1),
    Row(Case.NO_ANSWER, "stall", F, SENT, True, 2),
]


def named(rows: list[Row]) -> list[pytest.param]:  # type: ignore[valid-type]
    """Return the rows with ids as the tables name them."""
    return [
        pytest.param(row, id=f"{row.case}{f'-{row.fault}' if row.fault else ''}") for row in rows
    ]


async def check(made: Fixture, row: Row, operation: str, verb: Verb = Verb.STOP) -> None:
    if row.fault:
        made.break_(f"{row.fault}@{operation}")
    result = await made.act(verb, budget=3.0)
    assert (result.outcome, result.evidence) == (row.outcome, row.evidence), result.detail
    assert result.retryable is row.retryable
    assert len(made.asked(operation)) == row.requests
    assert row.words in result.detail


@pytest.mark.parametrize("row", named(STOP))
async def test_a_stop_that_is_answered(row: Row) -> None:
    status = row.case.value if row.case.value in {"200", "204"} else "202"
    async with fixture(switches={"action_answer": status}, timeout=0.2) as made:
        await check(made, row, "stop")
        assert (made.recorded == []) is (row.outcome is C)


@pytest.mark.parametrize("row", named(LIST))
async def test_a_list_that_is_answered(row: Row) -> None:
    async with fixture(timeout=0.2) as made:
        if row.case is Case.NO_CONTENT:
            made.sim.site.hang_up(made.call)
        await check(made, row, "list")
        assert len(made.asked("stop")) == (row.outcome is C)


@pytest.mark.parametrize("row", named(TOKEN))
async def test_a_token_that_is_answered(row: Row) -> None:
    async with fixture(timeout=0.2) as made:
        await check(made, row, "token")


START = [
    Row(Case.OK, "", C, L2, False, 1),
    Row(Case.ACCEPTED, "", C, L2, False, 1),
    Row(Case.NO_CONTENT, "", C, L2, False, 1),
    Row(Case.VIEW_INVALID, "pc_phonecallview_invalid", F, SENT, True, 3),
    Row(Case.SERVER_ERROR, "internal_server_error", F, L2, True, 1, "not recorded"),
    Row(Case.GATEWAY, "status=503", F, L2, True, 1, "not recorded"),
    Row(Case.TOO_MANY, "too_many=0.1", F, SENT, True, 2),
    Row(Case.JUNK, "html_200", F, L2, True, 1),
    Row(Case.NO_ANSWER, "reset", F, L2, True, 1),
    Row(Case.NO_ANSWER, "drop_after_effect", C, L2, False, 1),
]


@pytest.mark.parametrize("row", named(START))
async def test_a_start_that_is_answered_is_never_repeated_when_it_may_be_done(row: Row) -> None:
    status = row.case.value if row.case.value in {"200", "204"} else "202"
    switches = {"action_answer": status}
    async with fixture(switches=switches, call={"recording": False}, timeout=0.2) as made:
        await check(made, row, "start", Verb.START)
        assert bool(made.recorded) is (row.outcome is C)


# What is tried after an answer, and works


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        ("pc_phonecall_invalid", 2), ("pc_phonecallview_invalid", 2), ("user_invalid", 2),
        ("extension_invalid", 2), ("access_denied", 2), ("expire_token", 2), ("coded=403", 2),
        ("coded=409", 2), ("too_many=0.1", 2), ("internal_server_error", 2), ("status=503", 2),
        ("reset", 2),
    ],
)  # fmt: skip
async def test_what_goes_wrong_once_is_mended_in_the_same_press(fault: str, requests: int) -> None:
    async with fixture() as made:
        made.break_(f"{fault}@stop*1")
        result = await made.act(budget=3.0)
        assert (result.outcome, result.evidence) == (C, L2), result.detail
        assert len(made.asked("stop")) == requests
        assert made.sim.site.done == 1


LOOK = [
    Row(Case.OK, "", C, L2, False, 1),
    Row(Case.NO_CONTENT, "", E, L2, False, 1),
    Row(Case.CALL_INVALID, "pc_phonecall_invalid", E, L2, False, 1),
    Row(Case.UNAUTHORISED, "access_denied", A, L1, False, 0),
    Row(Case.FORBIDDEN, "coded=403", A, L1, False, 0, "could not be read back"),
    Row(Case.SERVER_ERROR, "internal_server_error", A, L1, False, 0),
    Row(Case.GATEWAY, "status=503", A, L1, False, 0),
    Row(Case.JUNK, "html_200", A, L1, False, 0),
    Row(Case.NO_ANSWER, "reset", A, L1, False, 0),
]


@pytest.mark.parametrize("row", named(LOOK))
async def test_an_accepted_stop_is_read_back_and_the_answer_decides(row: Row) -> None:
    async with fixture(switches={"effect_delay": 0.0}) as made:
        if row.case is Case.NO_CONTENT:
            # The call ends as soon as the stop has been answered.
            made.sim.log.listen(
                lambda e: made.sim.site.calls.clear() if e.operation == "stop" else None
            )
        elif row.fault:
            made.break_(f"{row.fault}@look")
        result = await made.act(budget=3.0)
        assert (result.outcome, result.evidence) == (row.outcome, row.evidence), result.detail
        assert len(made.asked("stop")) == 1
        assert row.words in result.detail
        assert not row.requests or len(made.asked("look")) == row.requests


async def test_a_call_that_ends_before_the_stop_is_looked_for_everywhere_and_has_ended() -> None:
    async with fixture() as made:
        made.sim.log.listen(
            lambda e: made.sim.site.calls.clear() if e.operation == "list" else None
        )
        result = await made.act()
        assert (result.outcome, result.evidence) == (E, L2)
        assert made.paths[2] == "GET @me/@self"


async def test_nobody_listening_is_not_connected() -> None:
    async with fixture() as made:
        await made.server.refuse()
        result = await made.act()
        assert (result.outcome, result.evidence, result.retryable) == (F, NONE, True)
        assert "cannot connect" in result.detail


def test_every_case_of_a_stop_and_of_a_list_has_its_test() -> None:
    elsewhere = {Case.NOT_CONNECTED, Case.UNTRUSTED, Case.TOO_LONG}
    assert {row.case for row in STOP} == set(Case) - elsewhere
    assert {row.case for row in LIST} == set(Case) - elsewhere
    assert {case for _, case in TABLE} == set(Case)
