# SPDX-License-Identifier: Apache-2.0
"""The pure half of ami under anything: bytes, orders of events, digits, names."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ami.calls.channel_names import Rules, parse, resolve
from ami.calls.graph import CallGraph
from ami.events import types
from ami.events.headers import BridgeRow, ChannelRow, channel_row, headers
from ami.events.packet_to_event import decode
from ami.events.types import Event
from ami.keypad import DIGITS, Keypad

FOLDER = Path(__file__).parents[2] / "tests" / "fixtures" / "ami"

# Decoding


@cache
def packets() -> tuple[bytes, ...]:
    found = b"\r\n\r\n".join(path.read_bytes() for path in sorted(FOLDER.glob("*.ami")))
    return tuple(packet for packet in found.split(b"\r\n\r\n") if packet)


NAMES = st.sampled_from([name for name in vars(types) if name[0].isupper()])
LINES = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Channel", b"Uniqueid", b"Linkedid", b"BridgeUniqueid", b"Digit", b"Direction"]
        ),
        st.sampled_from([b": ", b":", b" : "]),
        st.binary(max_size=12),
    ).map(b"".join),
    max_size=8,
).map(b"\r\n".join)


@given(st.binary(max_size=300))
def test_no_bytes_make_decode_or_headers_fail(raw: bytes) -> None:
    decode(raw)
    channel_row(headers(raw))


@given(NAMES, LINES)
def test_no_headers_make_decode_fail(name: str, lines: bytes) -> None:
    decode(f"Event: {name}\r\n".encode() + lines)


@given(st.data())
def test_a_packet_cut_or_bent_anywhere_does_not_make_decode_fail(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(packets())))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    event = decode(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    if event is not None:
        CallGraph().apply(event)


@given(st.sampled_from(packets()), st.randoms(use_true_random=False))
def test_the_order_of_headers_does_not_matter(raw: bytes, random: Callable[..., None]) -> None:
    first, *rest = raw.split(b"\r\n")
    names = [line.partition(b":")[0] for line in rest]
    if len(set(names)) < len(names):
        return  # of a repeated header the first one counts
    random.shuffle(rest)  # type: ignore[attr-defined]
    assert decode(b"\r\n".join([first, *rest])) == decode(raw)


# The call graph

UNIQUEIDS = ("1.1", "1.2", "1.3", "2.1", "2.2", "3.1")
CHANNELS = (
    "SIP/410-1",
    "SIP/411-2",
    "Local/411@in-0;1",
    "Local/411@in-0;2",
    "SIP/my-trunk-3",
    "SIP/410-1<ZOMBIE>",
)
FIELDS = {
    "bridge_id": ("b", "c", "d"),
    "to_bridge": ("b", "c"),
    "from_bridge": ("b", "c"),
    "bridge_type": ("basic", "base", "parking", ""),
    "technology": ("simple_bridge", "softmix", "holding_bridge"),
    "result": ("Success", "Fail"),
    "direction": ("both", "read", "write"),
    "extension": ("410", "500", ""),
}


def values(name: str) -> st.SearchStrategy[object]:
    if name.endswith(("uniqueid", "linkedid")):
        return st.sampled_from((*UNIQUEIDS, ""))
    if name.endswith(("channel", "new_name")):
        return st.sampled_from((*CHANNELS, ""))
    if name in {"muted", "restart"}:
        return st.booleans()
    if name == "fields":
        return st.just({})
    if name == "parties":
        pair = st.tuples(st.sampled_from(UNIQUEIDS), st.sampled_from(UNIQUEIDS))
        return st.lists(pair, max_size=4).map(tuple)
    return st.sampled_from(FIELDS[name]) if name in FIELDS else st.just("x")


def of_type(kind: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(kind, **{name: values(name) for name in kind._fields})


EVENTS = st.one_of(*(of_type(kind) for kind in types.Event.__args__))
ROWS = st.lists(
    st.builds(
        ChannelRow,
        **{name: values(name) for name in ChannelRow._fields}
        | {
            "uniqueid": st.sampled_from(UNIQUEIDS),
            "channel": st.sampled_from(CHANNELS),
            "bridge_id": st.sampled_from(("b", "c", "")),
        },
    ),
    max_size=4,
)
BRIDGES = st.lists(
    st.builds(BridgeRow, **{name: values(name) for name in BridgeRow._fields}), max_size=2
)
COUNTS = st.none() | st.dictionaries(st.sampled_from(UNIQUEIDS), st.integers(0, 2))
LISTINGS = st.tuples(ROWS, COUNTS, BRIDGES)
LOSSES = st.just("lost")
STEPS = st.lists(st.one_of(EVENTS, EVENTS, EVENTS, EVENTS, LISTINGS, LOSSES), max_size=25)


def take(graph: CallGraph, step: object) -> None:
    if step == "lost":
        graph.mark_unknown()
    elif type(step) is tuple:
        rows, counts, bridges = step
        graph.reconcile(rows, counts, bridges)
        assert graph.known
    else:
        graph.apply(step)  # type: ignore[arg-type]


def check_indexes(graph: CallGraph) -> None:
    live = graph._live
    for uniqueid, channel in live.channels.items():
        assert channel.uniqueid == uniqueid
        assert channel in channel.call.channels
        assert live.calls[channel.linkedid] is channel.call
        named = live.names.get(channel.name)  # none: another of that name came and went
        assert named is None or named.name == channel.name
        assert channel.extension is None or channel in live.extensions[channel.extension]
        assert channel.bridge is None or channel.bridge.members[uniqueid] is channel
        assert channel.monitors is None or channel.monitors >= 0
        if channel.peer is not None:
            assert channel.peer.peer is channel
            assert channel.peer is not channel
            assert channel.peer.call is channel.call
    everyone = list(live.channels.values())
    for linkedid, call in live.calls.items():
        assert call.ids.count(linkedid) == 1
        assert call.channels
        assert all(channel in everyone for channel in call.channels)
    for extension, there in live.extensions.items():
        assert there
        assert all(c in everyone and c.extension == extension for c in there)
    for bridge_id, bridge in live.bridges.items():
        assert bridge.members
        assert bridge.bridge_id == bridge_id
        assert all(c in everyone and c.bridge is bridge for c in bridge.members.values())
    assert all(c in everyone and c.name == name for name, c in live.names.items())


def check_snapshots(graph: CallGraph) -> None:
    calls = graph.calls()
    told = [channel.uniqueid for call in calls for channel in call.channels]
    assert sorted(told) == sorted(graph._live.channels), "each channel in exactly one call"
    for call in calls:
        assert call.linkedid in call.lineage
        for channel in call.channels:
            assert graph.call_of(channel.uniqueid) == call
            assert graph.channel(channel.uniqueid) == channel
            assert channel.linkedid in call.lineage
            assert call in graph.find(channel.uniqueid) or graph.by_name(channel.uniqueid)
            if channel.extension:
                assert call in graph.find(channel.extension)
                assert channel in graph.live_on(channel.extension)
        for linkedid in call.lineage:
            assert graph.find(linkedid), "every linkedid it went by finds a call"


@given(STEPS)
def test_no_order_of_events_and_listings_breaks_the_graph(steps: list[object]) -> None:
    graph = CallGraph(Rules(endpoints={"my-trunk": "411"}))
    for step in steps:
        take(graph, step)
        check_indexes(graph)
    check_snapshots(graph)


@given(STEPS)
def test_when_everyone_has_hung_up_nothing_is_left(steps: list[object]) -> None:
    graph = CallGraph()
    for step in steps:
        take(graph, step)
    for uniqueid in UNIQUEIDS:
        graph.apply(types.Hangup("", uniqueid, "", "16"))
    live = graph._live
    for index in (live.channels, live.names, live.calls, live.extensions, live.bridges):
        assert not index


@given(STEPS, ROWS)
def test_after_a_loss_only_what_the_listing_has_is_left(
    steps: list[object], rows: list[ChannelRow]
) -> None:
    graph = CallGraph()
    for step in steps:
        take(graph, step)
    graph.mark_unknown()
    graph.reconcile(rows)
    assert set(graph._live.channels) == {row.uniqueid for row in rows} - graph._live.gone
    assert all(c.monitors is None for call in graph.calls() for c in call.channels)


# Keypad

ALPHABET = "12*"
CODES = st.dictionaries(
    st.text(ALPHABET, min_size=1, max_size=4), st.integers().map(str), min_size=1, max_size=4
)
PRESSES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(ALPHABET + "9"),
        st.floats(0, 4, allow_nan=False),
    ),
    max_size=40,
)


def naive(codes: dict[str, str], timeout: float) -> Callable[[str, str, float], str | None]:
    """Remember every digit, and look at the end of all of them each time."""
    pressed: dict[str, tuple[str, float]] = {}

    def feed(uniqueid: str, digit: str, at: float) -> str | None:
        digits, last = pressed.get(uniqueid, ("", at))
        digits = digit if at - last > timeout else digits + digit
        fitting = [code for code in codes if digits.endswith(code)]
        pressed[uniqueid] = ("" if fitting else digits, at)
        return codes[max(fitting, key=len)] if fitting else None

    return feed


@given(CODES, PRESSES)
def test_the_keypad_finds_a_code_exactly_when_remembering_everything_would(
    codes: dict[str, str], presses: list[tuple[str, str, float]]
) -> None:
    reachable = {c: v for c, v in codes.items() if not any(o in c[:-1] for o in codes)}
    keypad, oracle, now = Keypad(reachable, 2.0), naive(reachable, 2.0), 0.0
    for uniqueid, digit, gap in presses:
        now += gap
        assert keypad.feed(uniqueid, digit, now) == oracle(uniqueid, digit, now)
        kept = [entered for entered, _ in keypad._entered.values()]
        assert all(any(code.startswith(k) and code != k for code in reachable) for k in kept)


@given(st.lists(st.sampled_from(sorted(DIGITS)), max_size=60))
def test_the_keypad_never_holds_a_card_number(digits: list[str]) -> None:
    keypad = Keypad({"*1": "stop", "**2": "pause"})
    for count, digit in enumerate(digits):
        keypad.feed("1.1", digit, count * 0.1)
        assert {entered for entered, _ in keypad._entered.values()} <= {"*", "**"}


# Names


@given(st.text(max_size=40) | st.text("SIP/Local410-@;12<MASQZOBE>", max_size=40))
def test_any_text_is_parsed_and_resolved_with_a_reason(name: str) -> None:
    assert parse(name).raw == name
    assert resolve(name).reason


@given(
    st.sampled_from(["SIP", "PJSIP", "IAX2", "SCCP"]),
    st.text("abc09-./@_", min_size=1, max_size=12).filter(lambda text: text.strip("-")),
    st.text("0123456789abcdef", min_size=1, max_size=8),
)
def test_whatever_dashes_an_endpoint_has_only_the_last_one_parts_it_from_the_suffix(
    technology: str, endpoint: str, suffix: str
) -> None:
    parts = parse(f"{technology}/{endpoint}-{suffix}")
    assert (parts.technology, parts.endpoint, parts.suffix) == (technology, endpoint, suffix)
