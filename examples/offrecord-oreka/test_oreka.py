# SPDX-License-Identifier: Apache-2.0
"""The Oreka recorder: it conforms, and each row of its table is what it says."""

from dataclasses import replace

import pytest

from ami.calls.snapshots import Channel
from bridges.conformance import CHECKS, Check, NotApplicable
from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from offrecord_oreka import STAND_INS, TABLE, Case
from oreka_fixture import CALL, CALL_ID, PHONE, OrekaFixture, oreka_fixture
from oreka_simulator import Session


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_it_conforms(check: Check) -> None:
    async with oreka_fixture() as fixture:
        try:
            await check(fixture)
        except NotApplicable as why:
            pytest.skip(str(why))


FAULTS = {
    Case.DONE: None,
    Case.REFUSED: "refuse_command",
    Case.UNKNOWN: "status=404",
    Case.JUNK: "html_200",
    Case.NO_ANSWER: "reset",
}


@pytest.mark.parametrize("case", FAULTS)
async def test_a_row_of_the_table(case: Case) -> None:
    async with oreka_fixture() as fixture:
        if fault := FAULTS[case]:
            fixture.sim.faults.add(fault)
        result = await fixture.recorder.act(fixture.order(Verb.PAUSE))
        row = TABLE[case]
        assert (result.outcome, result.evidence) == (row.outcome, row.evidence)
        assert row.said in result.detail


async def test_nobody_listening_is_a_row_too() -> None:
    async with oreka_fixture() as fixture:
        await fixture.server.refuse()
        result = await fixture.recorder.act(fixture.order(Verb.PAUSE))
        assert TABLE[Case.NOT_CONNECTED].said in result.detail


async def test_a_stop_is_a_pause_and_says_so() -> None:
    async with oreka_fixture() as fixture:
        result = await fixture.recorder.act(fixture.order())
        assert (result.outcome, result.evidence) == (Outcome.CONTAINED, Evidence.ACCEPTED)
        assert STAND_INS[Verb.STOP] in result.detail
        assert [entry.raw_query for entry in fixture.sim.log.entries] == [
            f"type=pause&nativecallid={CALL_ID}"
        ]


async def test_orekas_own_stop_would_have_gone_on_recording() -> None:
    async with oreka_fixture() as fixture:
        target = f"/command?type=stop&nativecallid={CALL_ID}"
        await fixture.recorder._line.ask("GET", target, {}, within=1)  # noqa: SLF001
        assert fixture.session.files == 2
        assert fixture.recording()


async def test_every_leg_is_paused() -> None:
    async with oreka_fixture() as fixture:
        other = Session("411", "second-leg")
        fixture.sim.sessions.append(other)
        order = replace(fixture.order(), facts={"SIPCALLID": (CALL_ID, "second-leg")})
        await fixture.recorder.act(order)
        assert (fixture.session.keeps, other.keeps) == (False, False)


async def by_extension(fixture: OrekaFixture, *, verb: Verb = Verb.STOP) -> RecorderResult:
    return await fixture.recorder.act(Order("p", verb, CALL, PHONE, budget=1.0))


async def test_without_a_call_id_the_extension_is_used_while_it_means_one_call() -> None:
    async with oreka_fixture() as fixture:
        result = await by_extension(fixture)
        assert result.outcome is Outcome.CONTAINED
        assert [entry.raw_query for entry in fixture.sim.log.entries] == ["type=pause&party=410"]


async def test_an_ambiguous_extension_sends_nothing_and_names_the_calls() -> None:
    async with oreka_fixture() as fixture:
        other = Channel("SIP/410-00000013", "1800.1", "1800.1", extension="410")
        fixture.recorder._live_on = lambda _number: [PHONE, other]  # noqa: SLF001
        result = await by_extension(fixture)
        assert result.outcome is Outcome.FAILED
        assert result.detail.startswith("ambiguous: ")
        assert other.name in result.detail
        assert fixture.sim.log.entries == []


async def test_by_extension_what_perhaps_was_done_is_not_to_be_repeated() -> None:
    async with oreka_fixture() as fixture:
        fixture.sim.faults.add("drop_after_effect")
        assert not (await by_extension(fixture)).retryable
        assert (await fixture.recorder.act(fixture.order())).retryable
