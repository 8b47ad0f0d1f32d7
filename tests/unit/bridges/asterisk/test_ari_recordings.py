# SPDX-License-Identifier: Apache-2.0
"""What is known of live recordings: by events, by questions, and across lost connections."""

import logging

import httpx
import pytest

from bridges.asterisk.ari import AriError, LiveRecording
from tests.kits.ari_server import PASSWORD, ScriptedAri, until

ONE = LiveRecording("one", "bridge:b")


async def test_what_began_before_and_after_the_connection_is_known() -> None:
    async with ScriptedAri(live={"old": ("channel:1.1", "recording")}).events() as ari:
        known = ari.recordings()
        known.open()
        await until(lambda: known.known)
        assert ari.filters[0]["allowed"][0] == {"type": "RecordingStarted"}
        assert {"type": "ApplicationReplaced"} in ari.filters[0]["allowed"]
        await ari.begin("one", "bridge:b")
        await until(lambda: ONE in known.seen())
        asked = len(ari.asked)
        assert await known.live(5) == (LiveRecording("old", "channel:1.1"), ONE)
        assert len(ari.asked) == asked
        await ari.tell("RecordingFinished", "one", "bridge:b")
        await until(lambda: ONE not in known.seen())
        await known.close()


async def test_a_lost_connection_is_made_again_and_what_it_missed_is_asked_for() -> None:
    async with ScriptedAri().events() as ari:
        known = ari.recordings()
        known.open()
        await until(lambda: known.known)
        ari.live["one"] = ("bridge:b", "recording")
        assert await known.live(5) == ()
        await ari.cut()
        await until(lambda: ari.opened == 2 and known.known)
        assert await known.live(5) == (ONE,)
        await known.close()


async def test_without_a_connection_a_press_asks_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ScriptedAri(live={"one": ("bridge:b", "recording")}, refuse=503).events() as ari:
        known = ari.recordings()
        known.open()
        await until(lambda: "503" in known.problem)
        assert not known.known
        assert await known.live(5) == (ONE,)
        ari.refuse = None
        await until(lambda: known.known)
        assert not known.problem
        await known.close()
    assert PASSWORD not in caplog.text
    assert "Authorization" not in caplog.text
    assert len([one for one in caplog.records if "ari events lost" in one.getMessage()]) == 1


async def test_a_client_that_takes_our_name_leaves_us_not_knowing() -> None:
    async with ScriptedAri().events() as ari:
        known = ari.recordings()
        known.open()
        await until(lambda: known.known)
        ari.refuse = 503
        await ari.tell("ApplicationReplaced")
        await until(lambda: not known.known)
        assert "another client" in known.problem or "503" in known.problem
        await known.close()


async def test_an_event_during_the_questions_is_newer_than_their_answers() -> None:
    async with ScriptedAri(live={"one": ("bridge:b", "recording")}).events() as ari:
        known = ari.recordings()

        def meanwhile(_method: str, path: str) -> httpx.Response | None:
            # its end is told after ARI has looked, and before we have the answer
            if path.endswith("/live/one") and not known.known:
                known._take({"type": "RecordingFinished", "recording": {"name": "one"}})
            return None

        ari.script = meanwhile
        known.open()
        await until(lambda: known.known)
        assert known.seen() == ()
        await known.close()


async def test_questions_that_fail_are_asked_again() -> None:
    fails = iter([httpx.Response(500), httpx.Response(500)])
    async with ScriptedAri(live={"one": ("bridge:b", "recording")}).events() as ari:
        ari.script = lambda _method, path: next(fails, None) if "stored" in path else None
        known = ari.recordings()
        known.open()
        await until(lambda: known.known)
        assert known.seen() == (ONE,)
        await known.close()


async def test_too_many_stored_recordings_for_the_time_is_said() -> None:
    ari = ScriptedAri(stored=[f"s{n}" for n in range(2000)])
    with pytest.raises(AriError, match="spool/recording"):
        await ari.client().running((), 0.0)
