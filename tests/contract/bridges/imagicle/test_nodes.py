# SPDX-License-Identifier: Apache-2.0
"""Several nodes: nothing is live only when every one of them says so; the next one is asked."""

import pytest

from bridges.model import Evidence, Outcome, RecorderUnavailable, Verb
from tests.kits.imagicle_kit import GUID, REMOTE, fixture
from tests.kits.waiting import safety_net


async def test_a_recording_on_the_second_node_is_found_and_stopped_there() -> None:
    async with fixture(other_node="apart", recorded=False) as made:
        made.sims[1].state.record("410", REMOTE, id=GUID)
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.CONFIRMED, Evidence.READ_BACK)
        assert made.commands(0) == []
        assert [one.operation for one in made.commands(1)] == ["stop"]


@pytest.mark.parametrize("other_node", ["shared", "apart"])
async def test_a_recording_is_one_however_many_nodes_list_it(other_node: str) -> None:
    async with fixture(other_node=other_node) as made:
        assert await made.outcome() is Outcome.CONFIRMED
        assert len(made.commands(0)) + len(made.commands(1)) == 1
        assert not made.sim.state.live


async def test_two_nodes_with_a_recording_each_are_ambiguous() -> None:
    async with fixture(other_node="apart") as made:
        made.live.remote = ""
        made.sims[1].state.record("410")
        # The first answer would do by its time; hold one back so that both are seen.
        made.live.started = made.clock.now - 3000
        made.sims[1].state.recordings[0].started = made.clock.now - 3000
        result = await made.act()
        assert result.detail.startswith("ambiguous: ")
        assert made.commands(0) + made.commands(1) == []


async def test_nothing_is_live_when_both_nodes_say_so() -> None:
    async with fixture(other_node="apart", recorded=False) as made:
        result = await made.act()
        assert (result.outcome, result.evidence) == (Outcome.NOTHING_TO_STOP, Evidence.READ_BACK)
        assert "2 nodes" in result.detail
        assert made.asked(0) == made.asked(1) == ["list", "list"]


@pytest.mark.parametrize("node", [0, 1])
@pytest.mark.parametrize(
    "fault", ["stall@list", "fault@list", "unauthorized@list", "html_200@list"]
)
async def test_a_node_that_cannot_be_asked_leaves_nothing_to_stop_unproven(
    node: int, fault: str
) -> None:
    async with fixture(other_node="apart", recorded=False) as made:
        made.fault(fault, node)
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert made.servers[node].url in result.detail
        assert "the other nodes list nothing" in result.detail


async def test_a_dead_node_does_not_keep_the_other_from_stopping() -> None:
    for dead in (0, 1):
        async with fixture(other_node="shared") as made:
            await made.servers[dead].refuse()
            assert await made.outcome() is Outcome.CONFIRMED
            assert not made.sim.state.live


async def test_a_list_that_is_read_is_not_kept_waiting_by_a_node_that_stalls() -> None:
    async with fixture(other_node="apart", settings={"timeout": 60}) as made:
        made.fault("stall@list", node=1)
        async with safety_net("a node answers"):
            assert await made.outcome(budget=40.0) is Outcome.CONFIRMED


@pytest.mark.parametrize("fault", ["service_away@stop", "stall@stop", "reset@stop"])
async def test_504_and_silence_go_to_the_other_node_after_a_look(fault: str) -> None:
    async with fixture(other_node="shared") as made:
        for node in (0, 1):
            made.fault(f"{fault}*1", node)
        assert await made.outcome() is Outcome.CONFIRMED
        assert [len(made.commands(node)) for node in (0, 1)] in ([2, 1], [1, 2])
    async with fixture(other_node="shared") as made:
        made.fault("stall@list*1", node=1)  # so that the first node is the one that is found
        made.fault(fault)
        assert await made.outcome() is Outcome.CONFIRMED
        assert [len(made.commands(node)) for node in (0, 1)] == [1, 1]
        first, second = made.commands(0)[0], made.commands(1)[0]
        looks = [one for one in made.sims[1].log.entries if one.operation == "list"]
        assert any(first.at < one.at < second.at for one in looks), "no list before the repetition"


async def test_a_fault_stays_with_its_node() -> None:
    async with fixture(other_node="shared") as made:
        made.fault("stall@list*1", node=1)
        made.fault("fault@stop*2")
        assert await made.outcome() is Outcome.CONFIRMED
        assert [len(made.commands(node)) for node in (0, 1)] == [3, 0]


async def test_409_on_one_node_leads_to_the_node_that_still_lists_it() -> None:
    async with fixture(other_node="shared") as made:
        made.fault("stall@list*1", node=1)
        made.fault("contradiction@stop")
        assert await made.outcome() is Outcome.CONFIRMED
        assert [len(made.commands(node)) for node in (0, 1)] == [1, 1]


async def test_409_is_nothing_live_only_with_the_word_of_every_node() -> None:
    async with fixture(other_node="apart") as made:
        made.fault("contradiction@stop")
        made.fault("empty@list", node=1)

        def ends(entry: object) -> None:
            made.live.stopped = made.clock.now

        made.sim.log.listen(ends)
        assert await made.outcome() is Outcome.NOTHING_TO_STOP
    async with fixture(other_node="apart") as made:
        made.fault("contradiction@stop")
        made.fault("fault@list", node=1)
        made.sim.log.listen(lambda _: setattr(made.live, "stopped", made.clock.now))
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert made.servers[1].url in result.detail


async def test_a_line_is_named_to_every_node_that_gives_no_list() -> None:
    async with fixture(other_node="apart", recorded=False) as made:
        for node in (0, 1):
            made.fault("forbidden@list", node)
        made.sims[1].state.record("410", REMOTE)
        assert await made.outcome() is Outcome.ACCEPTED
        assert [one.status for node in (0, 1) for one in made.commands(node)] == [409, 204]


async def test_a_line_is_nowhere_only_when_every_node_could_be_asked() -> None:
    async with fixture(other_node="apart", recorded=False) as made:
        for node in (0, 1):
            made.fault("forbidden@list", node)
        assert await made.outcome() is Outcome.NOTHING_TO_STOP
        made.fault("service_away@stop_line", node=0)
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert "recording service" in result.detail
    async with fixture(other_node="apart", recorded=False) as made:
        made.fault("forbidden@list")
        made.fault("stall@list", node=1)
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert made.servers[1].url in result.detail


async def test_a_start_goes_to_the_next_node_when_the_first_is_short() -> None:
    async with fixture(other_node="apart", recorded=False) as made:
        made.fault("shortage@start")
        result = await made.act(Verb.START)
        assert result.outcome is Outcome.CONFIRMED
        assert len(made.sims[1].state.live) == 1


async def test_a_start_does_not_wait_for_a_standby_that_is_away() -> None:
    async with fixture(other_node="apart", recorded=False) as made:
        await made.servers[1].refuse()
        assert await made.outcome(Verb.START) is Outcome.CONFIRMED


async def test_a_probe_asks_every_node() -> None:
    async with fixture(other_node="apart") as made:
        said = await made.recorder.probe()
        assert all(server.url in said for server in made.servers)
        await made.servers[1].refuse()
        with pytest.raises(RecorderUnavailable) as away:
            await made.recorder.probe()
        assert made.servers[1].url in str(away.value)


async def test_the_password_is_held_back_from_the_node_that_refused_it() -> None:
    async with fixture(other_node="shared") as made:
        made.fault("unauthorized*1")
        assert await made.outcome() is Outcome.CONFIRMED
        assert made.asked(0) == ["list"]
