# SPDX-License-Identifier: Apache-2.0
"""How the call of a press is found at VoipNow: users, numbers, pages, remote party and time."""

from dataclasses import replace

import pytest

from ami.calls.snapshots import Channel
from bridges.model import Evidence, Outcome, Verb
from tests.kits.voipnow_kit import EXTENSION, PHONE, TRUNK, fixture, order

NOTHING = (Outcome.NOTHING_TO_STOP, Evidence.READ_BACK)


async def test_an_extension_of_another_user_is_found_as_the_owner() -> None:
    async with fixture() as made:
        made.sim.site.extensions[EXTENSION].user = "77"
        made.sim.site.users.add("77")
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        one = f"@owner/0003*210/{made.call.id}"
        assert made.paths[:4] == [
            "GET @me/0003*210", "GET @me/210", "GET @owner/0003*210", f"PUT {one}",
        ]  # fmt: skip


async def test_an_extension_that_the_owner_does_not_see_is_found_by_the_configured_user() -> None:
    async with fixture(user_id="0077") as made:
        made.sim.site.extensions[EXTENSION].user = "77"
        made.sim.site.users.add("77")
        made.break_("extension_invalid@list*4")
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert made.paths[4] == "GET 0077/0003*210"


async def test_a_short_number_is_asked_for_where_no_prefix_is_known() -> None:
    async with fixture(client_prefix=None) as made:
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert made.paths[0] == "GET @me/210"


async def test_an_extension_written_in_full_here_is_asked_for_in_full() -> None:
    phone = replace(PHONE, extension="0003*210")
    async with fixture(client_prefix=None, live=(phone,)) as made:
        result = await made.recorder.act(order(Verb.STOP, phone, TRUNK))
        assert result.outcome is Outcome.CONFIRMED
        assert made.paths[0] == "GET @me/0003*210"


async def test_a_call_charged_elsewhere_is_found_among_all_calls_since_ours_began() -> None:
    async with fixture() as made:
        made.break_("extension_invalid@list*4")
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED
        query = made.asked("list")[4].query
        assert (query["filterBy"], query["filterOp"]) == ("published", "greaterThan")
        assert query["filterValue"].startswith("2014-02-13T17:")
        assert f"PUT @me/@self/{made.call.id}" in made.paths


async def test_another_call_of_the_same_users_is_not_taken_for_ours() -> None:
    async with fixture() as made:
        made.sim.site.hang_up(made.call)
        made.sim.site.add_extension("0003*211")
        other = made.sim.site.add_call("0003*211")
        result = await made.act()
        assert (result.outcome, result.evidence) == NOTHING
        assert other.recorded(made.watch.now)


async def test_a_filter_that_is_not_taken_is_left_out() -> None:
    async with fixture() as made:
        made.break_("extension_invalid@list*4", "filtervalue_invalid@list*1")
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert "filterBy" not in made.asked("list")[5].query


async def test_an_extension_nobody_knows_is_failed_and_not_nothing_to_stop() -> None:
    async with fixture() as made:
        stranger = replace(PHONE, extension="999", endpoint="999")
        result = await made.recorder.act(order(Verb.STOP, stranger, TRUNK))
        assert result.outcome is Outcome.FAILED
        assert "client_prefix" in result.detail


async def test_a_known_extension_without_a_call_has_nothing_to_stop() -> None:
    async with fixture() as made:
        made.sim.site.hang_up(made.call)
        result = await made.act()
        assert (result.outcome, result.evidence) == NOTHING
        assert EXTENSION in result.detail


async def test_a_known_extension_without_a_call_has_nothing_to_start_either() -> None:
    async with fixture() as made:
        made.sim.site.hang_up(made.call)
        assert (await made.act(Verb.START)).outcome is Outcome.FAILED


# several calls


async def test_of_two_calls_the_one_with_our_remote_party_is_stopped() -> None:
    async with fixture() as made:
        other = made.sim.site.add_call(EXTENSION, "0999888")
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert made.recorded == []
        assert other.recorded(made.watch.now)


async def test_of_two_calls_with_strangers_the_one_that_began_with_ours_is_stopped() -> None:
    async with fixture(call={"remote": "0777666"}) as made:
        other = made.sim.site.add_call(EXTENSION, "0999888", ago=900)
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED, result.detail
        assert "began within" in result.detail
        assert made.recorded == []
        assert other.recorded(made.watch.now)


async def test_two_calls_that_both_fit_are_ambiguous_named_and_left_alone() -> None:
    async with fixture() as made:
        other = made.sim.site.add_call(EXTENSION, "0123456")
        result = await made.act()
        assert result.outcome is Outcome.FAILED
        assert result.detail.startswith("ambiguous: ")
        assert made.call.id in result.detail
        assert other.id in result.detail
        assert made.asked("stop") == []


async def test_two_calls_that_both_fit_and_are_not_recorded_leave_nothing_to_stop() -> None:
    async with fixture(call={"recording": False}) as made:
        made.sim.site.add_call(EXTENSION, "0123456", recording=False)
        result = await made.act()
        assert (result.outcome, result.evidence) == NOTHING


@pytest.mark.parametrize(
    ("live", "remote", "outcome"),
    [
        ((PHONE,), "411", Outcome.CONFIRMED),
        ((PHONE,), "0777666", Outcome.FAILED),
        (None, "411", Outcome.FAILED),
    ],
    ids=["nothing contradicts", "someone else is told", "the line may have another call"],
)
async def test_what_agrees_in_nothing_is_believed_only_while_nothing_contradicts_it(
    live: tuple[Channel, ...] | None, remote: str, outcome: Outcome
) -> None:
    async with fixture(live=live, call={"ago": 901.0, "remote": remote}) as made:
        result = await made.act()
        assert result.outcome is outcome, result.detail


async def test_the_number_beyond_the_trunk_is_meant_where_so_configured() -> None:
    async with fixture(whose="far", client_prefix="0003") as made:
        trunk = replace(TRUNK, caller_number="210")
        here = replace(PHONE, extension="55", connected_number="210", caller_number="0123456")
        result = await made.recorder.act(order(Verb.STOP, here, trunk))
        assert result.outcome is Outcome.CONFIRMED
        assert made.paths[0] == "GET @me/0003*210"


# pages


async def test_pages_are_read_to_the_end_and_a_call_that_moved_counts_once() -> None:
    async with fixture(switches={"churn": 1}) as made:
        for number in range(1200):  # ours is the last of the first page, then the first of the next
            made.sim.site.add_call(
                EXTENSION, f"0555{number:04}", recording=False, front=number < 999
            )
        result = await made.act()
        assert result.outcome is Outcome.CONFIRMED, result.detail
        starts = [entry.query.get("startIndex") for entry in made.asked("list")]
        assert starts == [None, "1000"]


async def test_pages_end_by_the_total_where_there_are_no_links() -> None:
    async with fixture(switches={"paging_links": False}) as made:
        for number in range(1200):
            made.sim.site.add_call(EXTENSION, f"0555{number:04}", recording=False, front=True)
        assert (await made.act()).outcome is Outcome.CONFIRMED
        assert [entry.query.get("startIndex") for entry in made.asked("list")] == [None, "1000"]
