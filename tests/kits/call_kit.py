# SPDX-License-Identifier: Apache-2.0
"""Short ways to write events, listing rows and graphs in the tests of the call graph."""

from ami.calls.channel_names import Rules
from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from ami.events.headers import ChannelRow
from ami.events.types import BridgeEnter, BridgeLeave, DialBegin, Event, Hangup, Newchannel


def new(uniqueid: str, name: str, linkedid: str = "", exten: str = "") -> Newchannel:
    return Newchannel(name, uniqueid, linkedid or uniqueid, "Ring", "", "", "", "", "phones", exten)


def enter(bridge: str, uniqueid: str, linkedid: str = "", kind: str = "basic") -> BridgeEnter:
    technology = {"parking": "holding_bridge", "base": "softmix"}.get(kind, "simple_bridge")
    return BridgeEnter(bridge, kind, technology, "", uniqueid, linkedid)


def leave(bridge: str, uniqueid: str) -> BridgeLeave:
    return BridgeLeave(bridge, "", uniqueid, "")


def hangup(uniqueid: str) -> Hangup:
    return Hangup("", uniqueid, "", "16")


def row(uniqueid: str, name: str, linkedid: str = "", bridge: str = "") -> ChannelRow:
    return ChannelRow(
        name, uniqueid, linkedid or uniqueid, "Up", "", "", "", "", "phones", "411", "Dial", bridge
    )


def graph(*events: Event, rules: Rules | None = None) -> CallGraph:
    made = CallGraph() if rules is None else CallGraph(rules)
    made.reconcile([])
    for event in events:
        made.apply(event)
    return made


def ids(call: Call | None) -> list[str]:
    assert call is not None
    return [channel.uniqueid for channel in call.channels]


def channel(made: CallGraph, uniqueid: str) -> Channel:
    found = made.channel(uniqueid)
    assert found is not None
    return found


TWO_PHONES = (
    new("1.1", "SIP/410-1", exten="411"),
    new("1.2", "SIP/411-2", "1.1"),
    DialBegin("SIP/410-1", "1.1", "1.1", "SIP/411-2", "1.2", "1.1"),
    enter("b", "1.1", "1.1"),
    enter("b", "1.2", "1.1"),
)
