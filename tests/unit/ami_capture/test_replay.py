# SPDX-License-Identifier: Apache-2.0
"""A capture shows the same behaviour as the stream it was made of."""

from pathlib import Path

import pytest

from ami.calls import channel_names
from ami.calls.graph import CallGraph
from ami.events.packet_to_event import decode
from bridges.model import Outcome
from offrecord.ami_capture.capture_file import Entry
from offrecord.ami_capture.replay.player import Playback
from tests.kits.capture_kit import (
    FIXTURES,
    NO_CALLS,
    Said,
    collected,
    configured,
    made,
    replayed,
    stream,
)

SCENES = sorted(path.stem for path in FIXTURES.glob("*.ami"))
PRESS = {"keypad": {"enabled": True}}


def asked(said: list[Said]) -> list[Said]:
    """Add what the daemon asked and was answered when *1 was pressed in the plain scene."""
    start = next(p for _, p in said if p.startswith("Event: MixMonitorStart"))
    place = [n for n, (_, p) in enumerate(said) if "Event: DTMFEnd" in p and "Digit: 1" in p][-1]
    # The scene's own stops are what the daemon brings about here.
    rest = [one for one in said[place + 1 :] if "MixMonitorStop" not in one[1]]
    stop = next(p for _, p in said if p.startswith("Event: MixMonitorStop"))
    caller = start.partition("Uniqueid: ")[2].partition("\r\n")[0]
    other = next(
        uid for _, p in said if p.startswith("Event: Newchannel")
        and (uid := p.partition("Uniqueid: ")[2].partition("\r\n")[0]) != caller
    )  # fmt: skip
    packets: list[Said] = []

    def exchange(ident: str, action: str, *answer: Said) -> None:
        lines = action.replace("|", "\r\n").replace("!", "|")
        packets.append((">", f"Action: {lines}\r\nActionID: {ident}"))
        packets.extend((mark, text.replace("@", f"ActionID: {ident}")) for mark, text in answer)

    wanted = [
        (caller, "OFFRECORD_AGENT", "fred"), (caller, "OFFRECORD_TAG", ""),
        (caller, "OFFRECORD_EXTENSION", ""), (caller, "OFFRECORD_RECORDERS", ""),
        (other, "OFFRECORD_RECORDERS", ""),
    ]  # fmt: skip
    for n, (uid, variable, value) in enumerate(wanted):
        answer = f"Response: Success\r\n@\r\nVariable: {variable}\r\nValue: {value}"
        exchange(f"g{n}", f"Getvar|Channel: {uid}|Variable: {variable}", ("<", answer))
    hidden = "Response: Success\r\n@\r\nVariable: CHANNELS(^(Recorder|CBRec|CBAnn|Announcer)/)"
    exchange(
        "h1", "Getvar|Variable: CHANNELS(^(Recorder!CBRec!CBAnn!Announcer)/)",
        ("<", f"{hidden}\r\nValue: "),
    )  # fmt: skip
    for ident, listing in (("l1", "CoreShowChannels"), ("l2", "BridgeList")):
        exchange(
            ident, listing,
            ("<", "Response: Success\r\n@\r\nEventList: start\r\nMessage: will follow"),
            ("<", f"Event: {listing}Complete\r\n@\r\nEventList: Complete\r\nListItems: 0"),
        )  # fmt: skip
    left = "Response: Error\r\n@\r\nMessage: Could not stop monitoring channel"
    exchange(
        "s1", f"StopMixMonitor|Channel: {caller}", ("<", stop), ("<", "Response: Success\r\n@")
    )
    exchange("s2", f"StopMixMonitor|Channel: {caller}", ("<", left))
    exchange("s3", f"StopMixMonitor|Channel: {other}", ("<", left))
    return [*said[: place + 1], *packets, *rest]


@pytest.mark.parametrize("scene", SCENES)
def test_the_graph_of_a_redacted_scene_is_that_of_the_scene(scene: str, tmp_path: Path) -> None:
    loaded = configured(tmp_path, extensions={"trunks": ["my-trunk"]})
    said = stream(scene)
    capture = made(collected(said), loaded)
    rules = channel_names.Rules(trunks=frozenset({"my-trunk"}))
    was, now = CallGraph(rules), CallGraph()
    now.use_rules(playing_rules(capture))
    was.reconcile([])
    now.reconcile([])
    events = [event for _, p in said if (event := decode(p.encode())) is not None]
    entries: list[Entry] = capture.entries
    table = {old: new for kind, old, new in capture.table if kind == "number"}

    assert len(events) == len(entries)
    for event, entry in zip(events, entries, strict=True):
        was.apply(event)
        told = decode(entry.packet)
        assert type(told) is type(event)
        assert told is not None
        now.apply(told)
        assert shape(now) == shape(was, table)


def playing_rules(capture: object) -> channel_names.Rules:
    import tomllib

    found = tomllib.loads(capture.head.configuration)["extensions"]  # type: ignore[attr-defined]
    return channel_names.Rules(
        endpoints=found.get("map", {}), trunks=frozenset(found["trunks"]), pattern=found["pattern"]
    )


def shape(graph: CallGraph, table: dict[str, str] | None = None) -> list[list[tuple[object, ...]]]:
    """Return the calls without what is replaced, extensions by their replacement."""
    new = table or {}
    return [
        [
            (
                channel.extension and new.get(channel.extension, channel.extension),
                channel.technology, channel.state, channel.monitors, channel.muted,
                bool(channel.bridge_id), channel.mix and bool(channel.mix),
            )
            for channel in call.channels
        ]
        for call in graph.calls()
    ]  # fmt: skip


def test_a_press_by_digits_is_found_and_its_recording_proven_stopped(tmp_path: Path) -> None:
    loaded = configured(tmp_path, routes={"default": ["ours"]}, **PRESS)
    heard = collected([*NO_CALLS, *asked(stream("22-plain"))])
    capture = made(heard, loaded)
    body = replayed(capture, tmp_path)
    [call] = body["calls"]
    [press] = call["presses"]
    kinds = {one["kind"]: one["body"] for one in press["records"]}

    assert body["unanswered"] == 0
    assert kinds["verdict"]["outcome"] == Outcome.CONFIRMED
    assert kinds["verdict"]["reason"].endswith("1 MixMonitor stopped, none left on 2 channels")
    assert kinds["resolved"]["agent"] == "login-1"
    assert [len(c["extension"]) for c in call["channels"]] == [3, 3]
    assert kinds["resolved"]["notes"] == []


def test_a_replay_without_answers_says_what_is_missing(tmp_path: Path) -> None:
    loaded = configured(tmp_path, routes={"default": ["ours"]}, **PRESS)
    capture = made(collected([*NO_CALLS, *stream("22-plain")]), loaded, by_daemon=False)
    body = replayed(capture, tmp_path)
    [press] = body["calls"][0]["presses"]
    verdict = next(r["body"] for r in press["records"] if r["kind"] == "verdict")

    assert verdict["outcome"] == Outcome.FAILED
    assert "the capture holds no answer" in verdict["reason"]
    assert body["unanswered"] > 0


def test_a_press_by_the_dialplan_comes_from_the_capture(tmp_path: Path) -> None:
    loaded = configured(tmp_path)
    said = stream("22-plain")
    heard = collected([*NO_CALLS, *asked(said)])
    caller = next(p for _, p in said if p.startswith("Event: MixMonitorStart"))
    uniqueid = caller.partition("Uniqueid: ")[2].partition("\r\n")[0]
    first = next(i for i in heard.items if ("Action", "Getvar") in i.fields)
    at = int(first.at * 1000) - 1
    heard.add_record("pressed", at, "0hfk2", {
        "verb": "stop", "way": "fastagi", "target": uniqueid, "uniqueid": uniqueid,
        "channel": "PJSIP/410-00000000", "options": {},
    })  # fmt: skip
    for recorder, outcome in (("ours", "confirmed"), ("acme", "accepted")):
        answer = {"recorder": recorder, "outcome": outcome, "evidence": "L1", "detail": "fred"}
        heard.add_record("answered", at + 50, "0hfk2", answer)
    heard.add_record(
        "verdict", at + 60, "0hfk2", {"verb": "stop", "outcome": "accepted", "evidence": "L1"}
    )
    body = replayed(made(heard, loaded), tmp_path)
    [press] = body["calls"][0]["presses"]
    answers = {
        r["body"]["recorder"]: r["body"] for r in press["records"] if r["kind"] == "answered"
    }

    assert press["press"] == "press-1"
    assert press["records"][0]["body"]["way"] == "fastagi"
    assert answers["asterisk-1"]["outcome"] == Outcome.CONFIRMED
    assert "not contacted" in answers["noojee-1"]["detail"]
    assert press["then"] == {"outcome": "accepted", "evidence": "L1"}


def test_playing_stops_where_it_is_told_to(tmp_path: Path) -> None:
    loaded = configured(tmp_path)
    capture = made(collected([*NO_CALLS, *stream("22-plain")]), loaded)

    assert replayed(capture, tmp_path, until=0.03)["calls"] == []
    [call] = replayed(capture, tmp_path, until=0.1)["calls"]
    assert [one["ends_ms"] for one in call["channels"]] == [None, None]


def test_what_a_stop_would_do_is_explained_just_before_the_channel_hangs_up(tmp_path: Path) -> None:
    from offrecord.ami_capture.capture_file import Head
    from offrecord.ami_capture.replay import clock

    loaded = configured(tmp_path)
    capture = made(collected([*NO_CALLS, *stream("22-plain")]), loaded, by_daemon=False)
    channel = next(v for e in capture.entries for n, v in e.fields if n == "Channel")
    head: Head = capture.head

    async def explain() -> dict[str, object]:
        return await Playback(head).explained(iter(capture.entries), channel)

    told = clock.run(explain())
    assert next(one["channel"] for one in told["channels"]) == channel  # type: ignore[attr-defined,index]
    requests = [one["requests"] for one in told["recorders"] if one["kind"] == "asterisk"]  # type: ignore[attr-defined]
    assert len(requests[0]) == 2
