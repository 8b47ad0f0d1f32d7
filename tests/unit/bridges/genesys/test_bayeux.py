# SPDX-License-Identifier: Apache-2.0
"""The Bayeux client against a script: what it sends, hears, and does about each failure."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from bridges.genesys.bayeux import BayeuxClient, Lost, Posted

Message = dict[str, Any]
Answer = Callable[[list[Message]], Posted]


def ok(*events: Message, **more: Any) -> Answer:
    def answer(sent: list[Message]) -> Posted:
        replies = [
            {"channel": one["channel"], "id": one["id"], "successful": True} | more for one in sent
        ]
        return Posted([*events, *replies], "")

    return answer


def refused(error: str, **advice: Any) -> Answer:
    def answer(sent: list[Message]) -> Posted:
        return Posted([{"channel": sent[0]["channel"], "successful": False, "error": error,
                        "advice": advice}], "")  # fmt: skip

    return answer


def failed(why: str, *, final: bool = False) -> Answer:
    return lambda _: Posted(None, why, final=final)


HAND = ok(clientId="c1", advice={"reconnect": "retry", "interval": 0, "timeout": 20000})
UNKNOWN = refused("402::Unknown client", reconnect="handshake", interval=0)
EVENT = {"channel": "/v2/me/calls", "data": {"messageType": "X"}}


class Script:
    """Answers each post by the next of a list, then ends the run for good."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self.answers = [*answers, failed("the script is over", final=True)]
        self.sent: list[list[Message]] = []
        self.within: list[float] = []
        self.heard: list[tuple[str, Message]] = []
        self.settled: list[str | None] = []
        self.slept: list[float] = []
        self.lost = 0

    async def post(self, messages: list[Message], within: float) -> Posted:
        self.sent.append(messages)
        self.within.append(within)
        return self.answers.pop(0)(messages)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def missed(self) -> None:
        self.lost += 1

    async def run(self) -> str:
        client = BayeuxClient(
            self.post,
            hear=lambda topic, data: self.heard.append((topic, data)),
            lost=self.missed,
            sleep=self.sleep,
        )
        with pytest.raises(Lost) as end:
            await client.run(self.settled.append)
        return str(end.value)

    @property
    def channels(self) -> list[str]:
        return [post[0]["channel"].removeprefix("/meta/") for post in self.sent]


async def test_the_exchange_is_handshake_both_topics_then_one_connect_after_another() -> None:
    script = Script([HAND, ok(), ok(), ok(EVENT)])
    assert await script.run() == "the script is over"
    assert script.channels == ["handshake", "subscribe", "connect", "connect", "connect"]
    hand, topics, first, second, _ = script.sent
    assert hand[0]["supportedConnectionTypes"] == ["long-polling"]
    assert [one["subscription"] for one in topics] == ["/v2/me/calls", "/v2/me/devices"]
    assert first[0]["advice"] == {"timeout": 0}
    assert "advice" not in second[0]
    assert {one["clientId"] for post in script.sent[1:] for one in post} == {"c1"}
    assert len({one["id"] for post in script.sent for one in post}) == 6
    assert script.within[3] == 30.0, "the server's hold of 20 s, and 10 s for a late answer"
    assert script.heard == [("/v2/me/calls", {"messageType": "X"})]
    assert script.settled[0] is None
    assert script.lost == 0


async def test_events_ride_on_any_answer() -> None:
    script = Script([HAND, ok(EVENT), ok()])
    await script.run()
    assert len(script.heard) == 1


async def test_402_on_a_connect_means_handshake_at_once_and_that_events_were_missed() -> None:
    script = Script([HAND, ok(), ok(), UNKNOWN, HAND, ok(), ok()])
    await script.run()
    assert script.channels.count("handshake") == 2
    assert script.slept == []
    assert script.lost == 1


async def test_402_twice_in_a_row_is_the_cookie_and_is_given_up() -> None:
    script = Script([HAND, UNKNOWN, HAND, UNKNOWN])
    assert "cookies" in await script.run()
    assert len(script.sent) == 4


async def test_402_again_after_a_good_connect_is_no_loop() -> None:
    script = Script([HAND, ok(), UNKNOWN, HAND, ok(), ok(), UNKNOWN, HAND, ok()])
    assert await script.run() == "the script is over"


@pytest.mark.parametrize("answer", [refused("403::Handshake denied", reconnect="none"),
                                    failed("HTTP 403", final=True)])  # fmt: skip
async def test_what_is_refused_for_good_is_not_tried_again(answer: Answer) -> None:
    script = Script([answer])
    await script.run()
    assert len(script.sent) == 1
    assert script.settled[0] is not None


async def test_a_line_that_is_cut_is_tried_again_with_growing_pauses() -> None:
    script = Script([failed("cut")] * 9)
    await script.run()
    assert script.slept == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("answer", [ok(), ok(clientId=7), lambda _: Posted([], "")])
async def test_a_handshake_without_a_client_is_none(answer: Answer) -> None:
    script = Script([answer])
    await script.run()
    assert script.slept == [1]


async def test_an_interval_of_the_server_is_kept() -> None:
    script = Script([HAND, ok(), ok(advice={"interval": 2000}), ok()])
    await script.run()
    assert 2.0 in script.slept
