# SPDX-License-Identifier: Apache-2.0
"""The Oreka recorder: it conforms, and each row of its table is what it says."""

from dataclasses import replace

import pytest

from ami.calls.snapshots import Channel
from bridges.conformance import CHECKS, Check, NotApplicable
from bridges.model import Evidence, Order, Outcome, RecorderResult, Verb
from offrecord_oreka import STAND_INS, TABLE, Case
from oreka_rig import CALL, CALL_ID, PHONE, OrekaRig, oreka_rig
from oreka_simulator import Session


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
async def test_it_conforms(check: Check) -> None:
    async with oreka_rig() as rig:
        try:
            await check(rig)
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
    async with oreka_rig() as rig:
        if fault := FAULTS[case]:
            rig.sim.faults.add(fault)
        result = await rig.recorder.act(rig.order(Verb.PAUSE))
        row = TABLE[case]
        assert (result.outcome, result.evidence) == (row.outcome, row.evidence)
        assert row.said in result.detail


async def test_nobody_listening_is_a_row_too() -> None:
    async with oreka_rig() as rig:
        await rig.server.refuse()
        result = await rig.recorder.act(rig.order(Verb.PAUSE))
        assert TABLE[Case.NOT_CONNECTED].said in result.detail


async def test_a_stop_is_a_pause_and_says_so() -> None:
    async with oreka_rig() as rig:
        result = await rig.recorder.act(rig.order())
        assert (result.outcome, result.evidence) == (Outcome.CONTAINED, Evidence.ACCEPTED)
        assert STAND_INS[Verb.STOP] in result.detail
        assert [entry.raw_query for entry in rig.sim.log.entries] == [
            f"type=pause&nativecallid={CALL_ID}"
        ]


async def test_orekas_own_stop_would_have_gone_on_recording() -> None:
    async with oreka_rig() as rig:
        target = f"/command?type=stop&nativecallid={CALL_ID}"
        await rig.recorder._line.ask("GET", target, {}, within=1)  # noqa: SLF001
        assert rig.session.files == 2
        assert rig.recording()


async def test_every_leg_is_paused() -> None:
    async with oreka_rig() as rig:
        other = Session("411", "second-leg")
        rig.sim.sessions.append(other)
        order = replace(rig.order(), facts={"SIPCALLID": (CALL_ID, "second-leg")})
        await rig.recorder.act(order)
        assert (rig.session.keeps, other.keeps) == (False, False)


async def by_extension(rig: OrekaRig, *, verb: Verb = Verb.STOP) -> RecorderResult:
    return await rig.recorder.act(Order("p", verb, CALL, PHONE, budget=1.0))


async def test_without_a_call_id_the_extension_is_used_while_it_means_one_call() -> None:
    async with oreka_rig() as rig:
        result = await by_extension(rig)
        assert result.outcome is Outcome.CONTAINED
        assert [entry.raw_query for entry in rig.sim.log.entries] == ["type=pause&party=410"]


async def test_an_ambiguous_extension_sends_nothing_and_names_the_calls() -> None:
    async with oreka_rig() as rig:
        other = Channel("SIP/410-00000013", "1800.1", "1800.1", extension="410")
        rig.recorder._live_on = lambda _number: [PHONE, other]  # noqa: SLF001
        result = await by_extension(rig)
        assert result.outcome is Outcome.FAILED
        assert result.detail.startswith("ambiguous: ")
        assert other.name in result.detail
        assert rig.sim.log.entries == []


async def test_by_extension_what_perhaps_was_done_is_not_to_be_repeated() -> None:
    async with oreka_rig() as rig:
        rig.sim.faults.add("drop_after_effect")
        assert not (await by_extension(rig)).retryable
        assert (await rig.recorder.act(rig.order())).retryable
