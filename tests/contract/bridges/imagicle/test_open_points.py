# SPDX-License-Identifier: Apache-2.0
"""What the vendor's pages leave open: the recorder is right whichever way the server turns out."""

import pytest

from bridges.model import Outcome, Verb
from bridges.simulators.imagicle.state import Method
from tests.kits.imagicle_kit import GUID, OTHER_GUID, REMOTE, Fixture, fixture

DEVICE = {"devices": {"410": "SEP123456789ABC"}}


def keys(made: Fixture) -> list[list[str]]:
    return [list(one.query) for one in made.commands()]


@pytest.mark.parametrize(
    ("spelling", "tried"),
    [("correct", ["directoryNumber"]), ("both", ["directoryNumber"]),
     ("misspelt", ["directoryNumber", "directoryNumberr"])],
)  # fmt: skip
async def test_p1_the_other_spelling_is_the_second_try_and_is_remembered(
    spelling: str, tried: list[str]
) -> None:
    async with fixture(number_key=spelling) as made:
        made.fault("forbidden@list")
        assert await made.outcome() is Outcome.ACCEPTED
        assert keys(made) == [[key] for key in tried]
        made.sim.state.record("410", REMOTE)
        assert await made.outcome() is Outcome.ACCEPTED
        assert keys(made)[len(tried) :] == [[tried[-1]]], "remembered"


async def test_p1_a_server_that_changes_its_spelling_is_followed() -> None:
    async with fixture(number_key="misspelt") as made:
        made.fault("forbidden@list")
        await made.act()
        made.switches.number_key = "correct"
        made.sim.state.record("410", REMOTE)
        assert await made.outcome() is Outcome.ACCEPTED
        assert keys(made)[2:] == [["directoryNumberr"], ["directoryNumber"]]


async def test_p1_the_spelling_is_remembered_for_each_node() -> None:
    async with fixture(other_node="apart", recorded=False) as made:
        from dataclasses import replace

        made.sims[1].switches = replace(made.switches, number_key="misspelt")
        for node in (0, 1):
            made.fault("forbidden@list", node)
        assert await made.outcome() is Outcome.NOTHING_TO_STOP
        assert await made.outcome() is Outcome.NOTHING_TO_STOP
        assert [list(one.query) for one in made.commands(0)] == [["directoryNumber"]] * 2
        assert [list(one.query) for one in made.commands(1)] == [
            ["directoryNumber"], ["directoryNumberr"], ["directoryNumberr"]
        ]  # fmt: skip


@pytest.mark.parametrize("form", ["number", "text", "name"])
@pytest.mark.parametrize(
    ("line", "word"), [({"monitorable": False}, "TAPI"), ({"automatic": True}, "automatically")]
)
async def test_p2_a_reason_is_read_in_every_form(
    form: str, line: dict[str, bool], word: str
) -> None:
    for listed in (True, False):
        async with fixture(reason_form=form) as made:
            for name, value in line.items():
                setattr(made.live.line, name, value)
            if not listed:
                made.fault("forbidden@list")
            assert word in (await made.act()).detail


async def test_p2_a_400_without_a_reason_is_no_reason() -> None:
    async with fixture(reason_form="missing", settings={"pause_when_unstoppable": True}) as made:
        made.live.line.automatic = True
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert "without a documented reason" in result.detail


@pytest.mark.parametrize("profile", ["2022", "2025"])
async def test_p3_reason_4_of_a_start_is_policy_in_both_generations(profile: str) -> None:
    async with fixture(profile=profile, recorded=False) as made:
        made.live.line.automatic = True
        result = await made.act(Verb.START)
        assert (result.outcome, result.retryable) == (Outcome.FAILED, False)
        assert "by hand" in result.detail


@pytest.mark.parametrize(
    ("status", "outcome"), [(409, Outcome.NOTHING_TO_STOP), (404, Outcome.FAILED)]
)
async def test_p4_an_ended_id_is_looked_for_and_404_is_never_already_stopped(
    status: int, outcome: Outcome
) -> None:
    async with fixture(unknown_id=status) as made:
        made.sim.log.listen(lambda _: setattr(made.live, "stopped", made.clock.now))
        assert await made.outcome() is outcome


async def test_p5_and_p18_a_dial_in_recording_is_found_by_number_not_by_device() -> None:
    for by_device in (False, True):
        async with fixture(dial_in_by_device=by_device, settings=DEVICE) as made:
            made.live.line.method = Method.DIAL_IN
            made.fault("forbidden@list")
            assert await made.outcome() is Outcome.ACCEPTED
            assert keys(made) == [["directoryNumber"]]


async def test_p5_a_device_is_named_alone_when_its_number_is_not_known_there() -> None:
    async with fixture(settings={**DEVICE, "mask": "9XXX"}) as made:
        made.fault("forbidden@list")
        assert await made.outcome() is Outcome.ACCEPTED
        assert [dict(one.query) for one in made.commands()] == [
            {"directoryNumber": "9410"}, {"deviceName": "SEP123456789ABC"}
        ]  # fmt: skip


async def test_p5_neither_number_nor_device_finds_it_then_nothing_is_live() -> None:
    async with fixture(settings=DEVICE, recorded=False) as made:
        made.fault("forbidden@list")
        result = await made.act()
        assert result.outcome is Outcome.NOTHING_TO_STOP
        assert keys(made) == [["directoryNumber"], ["deviceName"]]


@pytest.mark.parametrize("several", ["oldest", "all", "conflict"])
async def test_p6_a_shared_line_is_never_named_while_the_list_shows_several(several: str) -> None:
    async with fixture(several_on_line=several) as made:
        made.sim.state.record("410", REMOTE, id=OTHER_GUID)
        assert (await made.act()).detail.startswith("ambiguous: ")
        assert made.commands() == []
    async with fixture(several_on_line=several) as made:
        other = made.sim.state.record("410", "0612345678", id=OTHER_GUID)
        assert await made.outcome() is Outcome.CONFIRMED
        assert made.sim.state.live == [other]


@pytest.mark.parametrize("fault", ["service_away", "state", "licence", "shortage"])
@pytest.mark.parametrize("profile", ["2022", "2025"])
async def test_p7_statuses_of_either_generation_are_understood(profile: str, fault: str) -> None:
    async with fixture(profile=profile) as made:
        made.fault(f"{fault}@stop")
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert "nobody documents" not in result.detail or fault == "state"


@pytest.mark.parametrize(
    ("refuses", "profile", "outcome"),
    [(False, "2025", Outcome.CONTAINED), (True, "2025", Outcome.FAILED),
     (False, "2022", Outcome.FAILED)],
)  # fmt: skip
async def test_p8_a_pause_contains_where_the_server_has_one_and_lets_us(
    refuses: bool,
    profile: str,
    outcome: Outcome,
) -> None:
    pausing = {"pause_when_unstoppable": True}
    async with fixture(pause_refuses=refuses, profile=profile, settings=pausing) as made:
        made.live.line.automatic = True
        assert await made.outcome() is outcome
        assert made.live.stopped is None


@pytest.mark.parametrize("literal", [True, False])
async def test_p9_no_word_is_ever_sent_as_an_id(literal: bool) -> None:
    for word in ("Mine", "Pause", "", "../x"):
        async with fixture(literal_first=literal) as made:
            made.live.id = word
            result = await made.act()
            assert result.outcome is Outcome.FAILED
            assert made.commands() == []


@pytest.mark.parametrize("case", ["any", "exact"])
async def test_p10_an_id_is_sent_as_it_came_and_compared_in_any_case(case: str) -> None:
    async with fixture(id_case=case) as made:
        made.sim.log.listen(lambda one: setattr(made.live, "id", made.live.id.swapcase())
                            if one.operation == "stop" else None)  # fmt: skip
        made.fault("swallow@stop")
        result = await made.act()
        assert GUID in made.commands()[0].path
        assert "contradiction" in result.detail, "the same id in another case is still there"


@pytest.mark.parametrize("empty", ["absent", "literal"])
async def test_p13_an_empty_value_is_never_sent(empty: str) -> None:
    from dataclasses import replace

    from tests.kits.imagicle_kit import order_of

    async with fixture(empty_value=empty) as made:
        odd = replace(made.agent, extension="*")
        result = await made.recorder.act(order_of(Verb.STOP, odd))
        assert result.outcome is Outcome.FAILED
        assert made.sim.log.entries == []


@pytest.mark.parametrize("case", ["any", "exact"])
async def test_p15_the_path_is_as_the_pages_write_it(case: str) -> None:
    async with fixture(path_case=case) as made:
        assert await made.outcome() is Outcome.CONFIRMED
        assert made.sim.log.entries[0].path == "/fw/Apps/Recorder/WebAPI/LiveRecordings"


@pytest.mark.parametrize("named", [True, False])
async def test_p17_a_401_is_one_with_or_without_the_scheme(named: bool) -> None:
    async with fixture(www_authenticate=named) as made:
        made.fault("unauthorized@stop")
        assert "user and password" in (await made.act()).detail


@pytest.mark.parametrize("server", [{"has_list": False}, {}])
async def test_p19_without_a_right_to_list_the_stop_is_tried_all_the_same(
    server: dict[str, bool],
) -> None:
    async with fixture(**server) as made:
        if not server:
            made.fault("forbidden@list")
        assert await made.outcome() is Outcome.ACCEPTED
        assert not made.sim.state.live
