# SPDX-License-Identifier: Apache-2.0
"""Requests to ARI: what each answer means, and that no secret shows."""

import httpx
import pytest

from bridges.asterisk.ari import AriClient, AriError, AriSettings, LiveRecording
from bridges.model import Step
from bridges.shared.http_line import basic
from tests.kits.ari_server import LIVE, PASSWORD, ScriptedAri


async def test_a_stop_is_read_back_and_a_second_one_finds_nothing() -> None:
    ari = ScriptedAri(live={"day/one": ("bridge:b", "recording")})
    client, steps = ari.client(), list[Step]()
    assert await client.find("day/one") == LiveRecording("day/one", "bridge:b")
    assert await client.stop("day/one", steps.append)
    assert await client.find("day/one", steps.append) is None
    assert not await client.stop("day/one")
    assert ari.asked[0] == f"GET {LIVE}day%2Fone"
    assert [step.answer.partition(" {")[0] for step in steps] == ["HTTP 204", "HTTP 404"]
    secrets = (PASSWORD, basic("offrecord", PASSWORD))
    assert not any(secret in f"{steps} {client!r}" for secret in secrets)


async def test_a_pause_is_read_back() -> None:
    ari = ScriptedAri(live={"one": ("channel:1.1", "recording")})
    client = ari.client()
    assert await client.pause("one")
    found = await client.find("one")
    assert found is not None
    assert found.paused
    assert await client.unpause("one")
    assert await client.find("one") == LiveRecording("one", "channel:1.1")


@pytest.mark.parametrize("path", ["", "/", "/ari", "/ari/"])
async def test_the_address_may_end_before_or_after_ari(path: str) -> None:
    ari = ScriptedAri()
    assert await ari.client(path).running((), 5) == ()
    assert ari.asked == ["GET /recordings/stored"]


async def test_a_prefix_is_kept() -> None:
    ari = ScriptedAri(prefix="/pbx/ari")
    client = ari.client("/pbx")
    await client.running((), 5)
    assert ari.asked == ["GET /recordings/stored"]
    assert client.events_url.startswith("ws://127.0.0.1:1/pbx/ari/events?app=offrecord&")


async def test_all_that_runs_is_found_among_the_stored_names() -> None:
    live = {f"r{n}": ("bridge:b", "recording") for n in range(20)}
    ari = ScriptedAri(live=live, stored=[f"old{n}" for n in range(30)])
    found = await ari.client().running(["r3", "gone"], 5)
    assert {one.name for one in found} == set(live)
    assert len(ari.asked) == 1 + 51


@pytest.mark.parametrize(
    ("status", "cause", "words"),
    [
        (401, "refused", "username"),
        (403, "refused", "read_only"),
        (500, "odd", "log"),
    ],
)
async def test_a_refusal_is_told_with_its_fix(status: int, cause: str, words: str) -> None:
    ari = ScriptedAri(script=lambda _method, _path: httpx.Response(status, text="no"))
    with pytest.raises(AriError) as raised:
        await ari.client().stop("one")
    assert raised.value.cause == cause
    assert words in str(raised.value)


@pytest.mark.parametrize("body", ["<html>", "[1, {}]", "{}", '{"name": 5}', "null"])
async def test_an_odd_answer_names_no_recording(body: str) -> None:
    ari = ScriptedAri(script=lambda _method, _path: httpx.Response(200, text=body))
    client = ari.client()
    if body == "<html>":
        with pytest.raises(AriError, match="no JSON"):
            await client.find("one")
    else:
        assert await client.find("one") is None
        assert await client.running((), 5) == ()


async def test_a_pbx_without_the_folder_of_recordings_is_told_so() -> None:
    ari = ScriptedAri(script=lambda _method, _path: httpx.Response(500, text="Allocation failed"))
    with pytest.raises(AriError, match="spool/recording"):
        await ari.client().running((), 5)


async def test_whether_the_account_may_write_is_asked_without_harm() -> None:
    ari = ScriptedAri()
    assert await ari.client().may_write()
    ari.script = lambda method, _path: httpx.Response(403) if method == "POST" else None
    assert not await ari.client().may_write()


async def test_nothing_at_the_address_is_unreachable() -> None:
    with pytest.raises(AriError) as raised:
        await AriClient(AriSettings("http://127.0.0.1:1", "offrecord", PASSWORD)).find("one")
    assert raised.value.cause == "unreachable"
    assert "http.conf" in raised.value.fix


def test_plain_http_leaves_this_machine_never() -> None:
    with pytest.raises(ValueError, match="in the clear"):
        AriClient(AriSettings("http://pbx.example:8088", "offrecord", PASSWORD))
