# SPDX-License-Identifier: Apache-2.0
"""The synchronous client is the asynchronous one on a thread of its own."""

import datetime as dt
import inspect
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread
import pytest

from noojee import (
    ApiKey,
    Extension,
    Kind,
    NoojeeClient,
    NoojeeSyncClient,
    NotConnectedError,
    RefusedError,
    Signed,
    UniqueId,
)
from tests.kits.noojee_kit import CALL, KEY, PHONE, fixture


async def test_every_method_does_what_its_twin_does() -> None:
    async with fixture() as made:

        def work() -> None:
            with NoojeeSyncClient(made.server.url, auth=Signed(KEY), clock=made.clock) as client:
                assert client.time() == "1392356108888"
                assert client.start(CALL, agent_login_name="Fred", tag="7").kind is Kind.DONE
                assert client.stop(CALL, agent_login_name="Fred").kind is Kind.DONE
                assert len(client.recordings_by_tag("7")) == 1
                assert len(client.recordings_by_unique_id(CALL)) == 2
                assert client.recordings_by_hour(dt.date(2014, 2, 14), 4) == ()
                assert [c.extension for c in client.subscribe([PHONE]).calls] == ["410"]
                assert client.hangup(Extension("410")).message == "Channel Hungup"
                with pytest.raises(RefusedError):
                    client.stop(UniqueId("1.1"), agent_login_name="Fred")

        await anyio.to_thread.run_sync(work)
        assert len(made.asked("Time")) == 2  # one by hand, one for the pair


async def test_many_threads_share_one_client_and_one_pair() -> None:
    async with fixture() as made:

        def work() -> set[Kind]:
            one = NoojeeSyncClient(made.server.url, auth=Signed(KEY), clock=made.clock)
            with one as client, ThreadPoolExecutor(20) as threads:
                calls = [threads.submit(client.start, CALL) for _ in range(20)]
                return {call.result().kind for call in calls}

        assert await anyio.to_thread.run_sync(work) == {Kind.DONE}
        assert len(made.asked("Time")) == 1


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    for name, method in inspect.getmembers(NoojeeClient, inspect.iscoroutinefunction):
        if name.startswith("_") or name == "aclose":
            continue
        twin = getattr(NoojeeSyncClient, name)
        assert inspect.signature(twin) == inspect.signature(method), name


def test_outside_of_with_it_says_how_to_use_it() -> None:
    client = NoojeeSyncClient("http://127.0.0.1:9", auth=ApiKey(KEY))
    assert KEY not in repr(client)
    assert repr(client).startswith("NoojeeSyncClient(")
    with pytest.raises(RuntimeError, match="with"):
        client.time()
    with client, pytest.raises(NotConnectedError):
        client.time()
    with pytest.raises(RuntimeError, match="with"):
        client.time()
