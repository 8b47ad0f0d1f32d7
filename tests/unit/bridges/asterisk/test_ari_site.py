# SPDX-License-Identifier: Apache-2.0
"""Which live call a recording of ARI is of, and when somebody is told of it."""

from collections.abc import Sequence
from pathlib import Path

import httpx

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Channel
from ami.events.types import ChanSpyStart
from bridges.asterisk.ari import Ari, LiveRecording
from bridges.asterisk.ari.scene import recorded_channels
from bridges.model import Verb
from tests.kits.ari_server import ScriptedAri, until
from tests.kits.call_kit import TWO_PHONES, enter, graph, new

TALKING = (*TWO_PHONES, enter("b", "1.1", "1.1"), enter("b", "1.2", "1.1"))
SNOOP = new("snoop-1", "Snoop/1.1-00000001", "snoop-1")


def names(target: str, calls: CallGraph) -> list[str]:
    return sorted(one.uniqueid for one in recorded_channels(target, calls))


def test_a_recording_is_of_the_channels_in_its_bridge_or_of_its_channel() -> None:
    made = graph(*TALKING)
    assert names("bridge:b", made) == ["1.1", "1.2"]
    assert names("channel:1.2", made) == ["1.2"]
    assert names("bridge:gone", made) == names("channel:9.9", made) == names("", made) == []


def test_a_recording_of_a_snoop_is_of_the_channel_it_listens_to() -> None:
    heard = graph(
        *TALKING, SNOOP,
        ChanSpyStart("Snoop/1.1-00000001", "snoop-1", "snoop-1", "SIP/410-1", "1.1", "1.1"),
        enter("s", "snoop-1", "snoop-1"),
    )  # fmt: skip
    by_name = graph(*TALKING, SNOOP)
    assert names("channel:snoop-1", heard) == ["1.1"]
    assert names("bridge:s", heard) == ["1.1"], "the Snoop's own bridge"
    assert names("channel:snoop-1", by_name) == ["1.1"], "no event told of it: by its name"


async def test_one_start_is_told_once_and_is_known_until_it_is_over_or_paused() -> None:
    made, told = graph(*TALKING), list[tuple[Sequence[Channel], str]]()
    call = made.call_of("1.1")
    assert call is not None
    async with ScriptedAri(live={"old": ("channel:9.9", "recording")}).events() as server:
        known = server.recordings()
        ari = Ari(known)
        ari.on_start(lambda: made, lambda channels, why: told.append((channels, why)))
        known.open()
        await until(lambda: known.known)
        assert told == [((), "RecordingStarted")], "what ran before the connection is told too"
        assert ari.recorded(call, Verb.STOP, made) == ()

        await server.begin("one", "bridge:b")
        await until(lambda: len(told) > 1)
        await server.begin("two", "channel:9.8")
        await until(lambda: len(told) > 2)
        assert [{one.uniqueid for one in channels} for channels, _ in told[1:]] == [
            {"1.1", "1.2"}, set(),
        ]  # fmt: skip
        assert {one.uniqueid for one in ari.recorded(call, Verb.STOP, made)} == {"1.1", "1.2"}

        server.live["one"] = ("bridge:b", "paused")
        assert await known.find("one") == LiveRecording("one", "bridge:b", "paused")
        assert ari.recorded(call, Verb.PAUSE, made) == ()
        assert ari.recorded(call, Verb.STOP, made)
        del server.live["one"]
        assert await known.find("one") is None
        assert ari.recorded(call, Verb.STOP, made) == ()
        await known.close()
    assert Ari().recorded(call, Verb.STOP, made) == ()


async def test_who_fails_to_hear_of_a_start_ends_no_events() -> None:
    async with ScriptedAri().events() as server:
        known = server.recordings()
        known.subscribe(lambda _one: 1 // 0)
        known.open()
        await until(lambda: known.known)
        await server.begin("one", "bridge:b")
        await server.begin("two", "bridge:b")
        await until(lambda: len(known.seen()) == 2)
        await known.close()


async def test_what_ari_says_is_paused_is_silent() -> None:
    spool = Path("/spool")
    files = [spool / "recording" / "day" / "one.wav", spool / "recording" / "two.wav",
             spool / "monitor" / "three.wav"]  # fmt: skip
    server = ScriptedAri(live={
        "day/one": ("bridge:b", "paused"), "two": ("bridge:b", "recording"),
        "three": ("bridge:b", "paused"),
    })  # fmt: skip
    ari = Ari(server.recordings())
    assert await ari.silent(files) == {files[0]}
    server.live["day/one"] = ("bridge:b", "recording")
    assert await ari.silent(files) == frozenset()
    server.script = lambda _method, _path: httpx.Response(500)
    assert await ari.silent(files) == frozenset()
    assert await Ari().silent(files) == frozenset()
