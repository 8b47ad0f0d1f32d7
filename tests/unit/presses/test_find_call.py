# SPDX-License-Identifier: Apache-2.0
"""From a press to the call it means, and what is done when the PBX cannot tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ami.astdb_and_queues import QueueMember
from ami.calls.channel_names import Rules
from ami.calls.graph import CallGraph
from ami.errors import AmiDenied, AmiDown, AmiError, AmiTimeout
from ami.link.actions import Response
from bridges.model import Outcome, Verb
from offrecord.model.press import Press
from offrecord.presses.agent_lookup import NOBODY, Agents
from offrecord.presses.find_call import Resolved, Resolver, Unresolved
from tests.kits.call_kit import TWO_PHONES, enter, graph, hangup, new

GONE = AmiDenied("Getvar", "No such channel")
DOWN = AmiDown("no link", fix="wait")


@dataclass
class FakePbx:
    """A PBX whose channels have the given variables; `errors` are raised for a uniqueid."""

    graph: CallGraph
    variables: Mapping[tuple[str, str], str] = field(default_factory=dict)
    errors: Mapping[str, AmiError] = field(default_factory=dict)
    known_later: bool = False
    lists: Mapping[str, list[dict[str, str]] | AmiError] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)

    async def wait_known(self, timeout: float) -> bool:
        self.waited.append(timeout)
        if self.known_later:
            self.graph.known = True
        return self.known_later

    async def getvar(self, uniqueid: str, name: str) -> str:
        self.asked.append((uniqueid, name))
        if uniqueid in self.errors:
            raise self.errors[uniqueid]
        return self.variables.get((uniqueid, name), "")

    async def action_list(
        self, name: str, fields: Mapping[str, str | Sequence[str]], *, timeout: float
    ) -> list[Response]:
        self.asked.append((name, str(fields.get("Key", ""))))
        found = self.lists.get(name, [])
        if isinstance(found, AmiError):
            raise found
        return [Response(True, "", row) for row in found]


def press(target: str = "", **more: Any) -> Press:
    if not target:
        more = {"uniqueid": "1.2", "channel": "SIP/411-2"} | more
    way = "fastagi" if "uniqueid" in more else "cli"
    return Press("p", Verb.STOP, way, target or more["uniqueid"], 0, 0.0, **more)  # type: ignore[arg-type]


def resolver(pbx: FakePbx, **more: Any) -> Resolver:
    agents = Agents(more.pop("agents", {"411": "wilma"}), **more.pop("lookup", {}))
    return Resolver(pbx, agents, **{"variable": "EXT"} | more)


async def resolved(pbx: FakePbx, one: Press, **more: Any) -> Resolved:
    return await resolver(pbx, **more).resolve(one)


async def refused(pbx: FakePbx, one: Press, **more: Any) -> Unresolved:
    with pytest.raises(Unresolved) as caught:
        await resolver(pbx, **more).resolve(one)
    return caught.value


# the call and the presser


async def test_a_channel_that_pressed_means_its_call_and_itself() -> None:
    found = await resolved(FakePbx(graph(*TWO_PHONES)), press())

    assert found.call.linkedid == "1.1"
    assert found.presser == found.call.channel("1.2")
    assert found.seen
    assert found.notes == ()


@pytest.mark.parametrize(
    ("target", "presser"),
    [("410", "1.1"), ("SIP/411-2", "1.2"), ("1.2", "1.2"), ("1.1", "1.1")],
)
async def test_a_target_means_the_call_and_the_channel_it_names(target: str, presser: str) -> None:
    found = await resolved(FakePbx(graph(*TWO_PHONES)), press(target))

    assert found.call.linkedid == "1.1"
    assert found.presser is not None
    assert found.presser.uniqueid == presser


async def test_a_linkedid_of_the_past_means_the_call_and_nobody_in_it() -> None:
    first = new("9.9", "SIP/418-9")
    pbx = FakePbx(graph(first, *TWO_PHONES, enter("b", "9.9", "9.9"), hangup("9.9")))
    found = await resolved(pbx, press("9.9"))

    assert found.call.extensions == ("410", "411")
    assert found.presser is None


async def test_a_target_that_no_call_matches_ends_as_such() -> None:
    error = await refused(FakePbx(graph(*TWO_PHONES)), press("499"))

    assert error.outcome is Outcome.CALL_ENDED
    assert "499" in error.why


async def test_an_extension_on_two_calls_names_both_and_is_not_guessed() -> None:
    other = (new("2.1", "SIP/410-8"), new("2.2", "SIP/419-9", "2.1"))
    error = await refused(FakePbx(graph(*TWO_PHONES, *other)), press("410"))

    assert error.outcome is Outcome.FAILED
    assert "1.1 (410 with 411)" in error.why
    assert "2.1 (410 with 419)" in error.why
    assert "uniqueid" in error.why


# what the channel variables say


async def test_the_agent_is_the_presss_own_then_the_variables_then_the_maps() -> None:
    said = {("1.2", "OFFRECORD_AGENT"): "betty"}
    two = graph(*TWO_PHONES)

    assert (await resolved(FakePbx(two, said), press(agent="barney"))).who.login == "barney"
    assert (await resolved(FakePbx(two, said), press())).who.login == "betty"
    assert (await resolved(FakePbx(two), press())).who.login == "wilma"
    assert (await resolved(FakePbx(two), press(), agents={})).who.login is None


MEMBERS = [
    {"Event": "QueueParams", "Queue": "support"},
    {"Event": "QueueMember", "Queue": "support", "Name": "Wilma", "Location": "SIP/411"},
    {"Event": "QueueMember", "Queue": "sales", "Name": "Barney", "Location": "SIP/412"},
]
ENTRY = [{"Event": "DBGetResponse", "Family": "offrecord/agent", "Key": "411", "Val": "betty"}]
LOOKUP = {"astdb": "offrecord/agent", "queue_members": True}


@pytest.mark.parametrize(
    ("lists", "login", "source"),
    [
        ({"DBGet": ENTRY, "QueueStatus": MEMBERS}, "betty", "AstDB offrecord/agent/411"),
        (
            {"DBGet": AmiDenied("DBGet", "Database entry not found"), "QueueStatus": MEMBERS},
            "Wilma",
            "member of queue support",
        ),
        ({}, None, "nobody knows"),
    ],
)
async def test_whom_no_table_names_the_pbx_may_know(
    lists: dict[str, Any], login: str | None, source: str
) -> None:
    pbx = FakePbx(graph(*TWO_PHONES), lists=lists)
    found = await resolved(pbx, press(), agents={}, lookup=LOOKUP)

    assert (found.who.login, found.who.source, found.notes) == (login, source, ())
    assert ("DBGet", "411") in pbx.asked


async def test_the_pbx_is_not_asked_for_whom_a_table_names() -> None:
    pbx = FakePbx(graph(*TWO_PHONES), lists={"DBGet": ENTRY})
    found = await resolved(pbx, press(), lookup=LOOKUP)

    assert (found.who.login, found.who.source) == ("wilma", "[agents]")
    assert not {name for name, _ in pbx.asked} & {"DBGet", "QueueStatus"}


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({"DBGet": AmiDenied("DBGet", "Permission denied")}, "offrecord/agent/411"),
        ({"QueueStatus": AmiTimeout("QueueStatus", 1.0)}, "the queues' members"),
        (
            {"QueueStatus": [*MEMBERS, {**MEMBERS[1], "Queue": "sales", "Name": "Betty"}]},
            "Wilma in support, Betty in sales",
        ),
    ],
)
async def test_what_the_pbx_cannot_tell_of_a_person_is_noted_and_holds_nothing_up(
    lists: dict[str, Any], said: str
) -> None:
    pbx = FakePbx(graph(*TWO_PHONES), lists=lists)
    found = await resolved(pbx, press(), agents={}, lookup=LOOKUP)

    assert found.who.login is None
    (note,) = found.notes
    assert said in note


@pytest.mark.parametrize(
    ("interface", "state", "here"),
    [
        ("SIP/411", "SIP/411", True),
        ("Local/411@members/n", "Local/411@members", True),
        ("Local/desk@members/n", "SIP/411", True),
        ("SIP/4110", "SIP/4110", False),
        ("Local/4110@members", "", False),
    ],
)
def test_a_queue_member_is_at_its_device_or_behind_a_local_to_it(
    interface: str, state: str, here: bool
) -> None:
    channel = graph(*TWO_PHONES).channel("1.2")
    assert channel is not None
    assert QueueMember("support", "Wilma", interface, state).is_at(channel) is here


async def test_the_queue_of_a_call_is_what_its_caller_is_in_and_asked_for_when_needed() -> None:
    inside = {
        ("1.1", "CHANNEL(appname)"): "Queue",
        ("1.1", "CHANNEL(appdata)"): "support,,,,60",
        ("1.2", "CHANNEL(appname)"): "AppQueue",
        ("1.2", "CHANNEL(appdata)"): "(Outgoing Line)",
    }
    pbx = FakePbx(graph(*TWO_PHONES), inside)

    assert (await resolved(pbx, press(), queues=True)).queues == ("support",)
    pbx.asked.clear()
    assert (await resolved(pbx, press())).queues == ()
    assert not any(name.startswith("CHANNEL") for _, name in pbx.asked)


async def test_the_facts_that_recorders_ask_for_are_read_on_every_leg() -> None:
    there = {("1.1", "UUID"): "A", ("1.2", "UUID"): "B", ("1.1", "OTHER"): "A"}
    pbx = FakePbx(graph(*TWO_PHONES), there)
    one = resolver(pbx)
    found = await one.with_facts(await one.resolve(press()), ["UUID", "OTHER", "NONE", "UUID"])

    assert found.facts == {"UUID": ("B", "A"), "OTHER": ("A",), "NONE": ()}
    assert pbx.asked.count(("1.2", "UUID")) == 1


async def test_a_fact_that_cannot_be_read_is_noted() -> None:
    pbx = FakePbx(graph(*TWO_PHONES))
    one = resolver(pbx)
    before = await one.resolve(press())
    pbx.errors = {"1.1": GONE}
    found = await one.with_facts(before, ["UUID"])

    assert found.facts == {"UUID": ()}
    assert "UUID of SIP/410-1 could not be read" in found.notes[0]


async def test_the_tag_is_read_from_the_presser() -> None:
    said = {("1.2", "OFFRECORD_TAG"): "sales", ("1.1", "OFFRECORD_TAG"): "other"}

    assert (await resolved(FakePbx(graph(*TWO_PHONES), said), press())).tag == "sales"
    assert (await resolved(FakePbx(graph(*TWO_PHONES)), press())).tag is None


async def test_recorders_named_on_any_leg_count_and_the_pressers_first() -> None:
    name = "OFFRECORD_RECORDERS"
    there = {("1.1", name): "noojee"}
    both = {**there, ("1.2", name): "local"}

    assert (await resolved(FakePbx(graph(*TWO_PHONES), there), press())).recorders == "noojee"
    found = await resolved(FakePbx(graph(*TWO_PHONES), both), press())
    assert found.recorders == "local,noojee"


async def test_the_configured_variable_names_the_pressers_extension() -> None:
    two = graph(new("1.1", "PJSIP/desk-7-1"), *TWO_PHONES[1:])
    said = {("1.1", "EXT"): "430"}
    one = press(uniqueid="1.1", channel="PJSIP/desk-7-1")
    found = await resolved(FakePbx(two, said), one, agents={"430": "fred"})

    assert found.presser is not None
    assert found.presser.extension == "430"
    assert found.call.channel("1.1") == found.presser
    assert found.call.extensions == ("430", "411")
    assert found.who.login == "fred"


async def test_without_a_configured_variable_none_is_asked_for() -> None:
    pbx = FakePbx(graph(*TWO_PHONES), {("1.2", "EXT"): "430"})
    found = await resolved(pbx, press(), variable=None)

    assert found.presser is not None
    assert found.presser.extension == "411"
    assert {name for _, name in pbx.asked} == {
        "OFFRECORD_AGENT", "OFFRECORD_TAG", "OFFRECORD_RECORDERS",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["Local/411@inner-2;1", "SIP/trunk-2"])
async def test_a_variable_makes_no_extension_of_what_is_nobodys_phone(name: str) -> None:
    rules = Rules(trunks=frozenset({"trunk"}))
    two = graph(TWO_PHONES[0], new("1.2", name, "1.1"), rules=rules)
    found = await resolved(FakePbx(two, {("1.2", "EXT"): "430"}), press())

    assert found.presser is not None
    assert found.presser.extension is None


async def test_a_variable_that_cannot_be_read_is_noted_and_holds_nothing_up() -> None:
    pbx = FakePbx(graph(*TWO_PHONES), errors={"1.1": AmiTimeout("Getvar", 1.0)})
    found = await resolved(pbx, press())

    assert found.seen
    assert found.who.login == "wilma"
    assert len(found.notes) == 1
    assert "OFFRECORD_RECORDERS of SIP/410-1 could not be read" in found.notes[0]


# while the calls are not known


async def test_a_press_waits_for_the_calls_to_be_known() -> None:
    two = graph(*TWO_PHONES)
    two.known = False
    pbx = FakePbx(two, known_later=True)
    found = await resolved(pbx, press(), wait_known=1.5)

    assert pbx.waited == [1.5]
    assert found.seen
    assert len(found.call.channels) == 2


async def test_after_the_wait_the_call_is_the_one_last_seen_and_said_to_be_unseen() -> None:
    two = graph(*TWO_PHONES)
    two.mark_unknown()
    found = await resolved(FakePbx(two), press())

    assert not found.seen
    assert found.call.extensions == ("410", "411")
    assert found.presser is not None
    assert found.presser.uniqueid == "1.2"
    assert found.who.login == "wilma"
    assert found.notes == ("the PBX could not be asked for 3 s",)


async def test_a_call_never_seen_is_the_pressers_channel_alone() -> None:
    pbx = FakePbx(CallGraph())
    found = await resolved(pbx, press(agent="fred"))

    assert not found.seen
    assert found.call.linkedid == "1.2"
    assert found.presser is not None
    assert (found.presser.name, found.presser.extension) == ("SIP/411-2", "411")
    assert found.call.unknown_monitors == found.call.channels
    assert found.who.login == "fred"
    assert not pbx.asked


async def test_an_unseen_press_goes_by_the_rules_of_the_graph() -> None:
    rules = Rules(endpoints={"SIP/desk": "430"})
    found = await resolved(FakePbx(CallGraph(rules)), press(channel="SIP/desk-2"))

    assert found.presser is not None
    assert found.presser.extension == "430"


async def test_a_target_cannot_be_found_in_calls_nobody_knows() -> None:
    error = await refused(FakePbx(CallGraph()), press("410"))

    assert error.outcome is Outcome.FAILED
    assert "nobody knows which call 410 is" in error.why


# a channel that is not in the view


async def test_a_channel_is_gone_only_when_the_pbx_itself_says_so() -> None:
    pbx = FakePbx(graph(), errors={"1.2": GONE})
    error = await refused(pbx, press())

    assert error.outcome is Outcome.CALL_ENDED
    assert pbx.asked == [("1.2", "CHANNEL(linkedid)")]


async def test_a_channel_whose_events_are_on_their_way_is_waited_for() -> None:
    empty = graph()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        for event in TWO_PHONES:
            empty.apply(event)

    found = await resolved(FakePbx(empty), press(), sleep=sleep)

    assert found.seen
    assert found.call.linkedid == "1.1"
    assert len(slept) == 1


async def test_a_channel_that_never_shows_up_is_unseen_and_not_ended() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    found = await resolved(FakePbx(graph()), press(), sleep=sleep)

    assert not found.seen
    assert found.presser is not None
    assert 0 < sum(slept) < 1
    assert "not among the calls known here" in found.notes[0]


@pytest.mark.parametrize("error", [DOWN, AmiDenied("Getvar", "Permission denied")])
async def test_a_pbx_that_cannot_say_has_not_said_that_the_call_ended(error: AmiError) -> None:
    found = await resolved(FakePbx(graph(), errors={"1.2": error}), press())

    assert not found.seen
    assert str(error) in found.notes[0]


# what tells calls apart


def test_a_call_is_known_by_every_linkedid_and_every_channel_of_it() -> None:
    call = graph(*TWO_PHONES).call_of("1.2")

    assert call is not None
    assert call.ids == {"1.1", "1.2"}


@pytest.mark.parametrize(
    ("made", "one", "expected"),
    [
        (lambda: graph(*TWO_PHONES), press(), {"1.1", "1.2"}),
        (lambda: graph(*TWO_PHONES), press("410"), {"1.1", "1.2"}),
        (CallGraph, press(), {"1.2"}),
        (CallGraph, press("410"), {"410"}),
    ],
)
def test_the_lineage_of_a_press_is_what_is_known_of_its_call_now(
    made: Callable[[], CallGraph], one: Press, expected: set[str]
) -> None:
    assert resolver(FakePbx(made())).lineage(one) == expected


def test_what_is_journalled_of_a_call_names_its_channels_and_why_they_are_whose() -> None:
    two = graph(*TWO_PHONES)
    call = two.call_of("1.1")
    assert call is not None
    body = Resolved(call, None, NOBODY, "", None, notes=("a note",)).body(two.rules)

    assert body["call"] == "1.1"
    assert body["presser"] is None
    assert body["notes"] == ["a note"]
    channels = body["channels"]
    assert isinstance(channels, list)
    assert [(c["uniqueid"], c["extension"]) for c in channels] == [("1.1", "410"), ("1.2", "411")]
    assert "suffix cut off" in channels[0]["why"]


# a code that fires on a Local channel


CONSULTATION = (
    new("1.1", "SIP/410-1"),
    new("1.2", "SIP/411-2", "1.1"),
    enter("a", "1.1", "1.1"),
    new("1.3", "Local/412@phones-00000001;1", "1.1"),
    new("1.4", "Local/412@phones-00000001;2", "1.1"),
    enter("b", "1.2", "1.1"),
    enter("b", "1.3", "1.1"),
    new("1.5", "SIP/412-3", "1.1"),
    enter("c", "1.4", "1.1"),
    enter("c", "1.5", "1.1"),
)


async def test_who_speaks_through_a_local_channel_is_who_pressed() -> None:
    one = press(uniqueid="1.4", channel="Local/412@phones-00000001;2")
    found = await resolved(FakePbx(graph(*CONSULTATION)), one)

    assert found.presser is not None
    assert found.presser.uniqueid == "1.2"
    assert found.who.login == "wilma"
    assert found.notes == (
        "pressed on Local/412@phones-00000001;2, through which only SIP/411-2 speaks",
    )


async def test_where_several_speak_through_a_local_channel_nobody_is_named() -> None:
    more = (new("1.6", "SIP/413-4", "1.1"), enter("b", "1.6", "1.1"))
    one = press(uniqueid="1.4", channel="Local/412@phones-00000001;2")
    found = await resolved(FakePbx(graph(*CONSULTATION, *more)), one)

    assert found.presser is not None
    assert found.presser.uniqueid == "1.4"
    assert found.presser.extension is None
    assert found.notes == ()
