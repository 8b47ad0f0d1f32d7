# SPDX-License-Identifier: Apache-2.0
"""Waits by condition. Their one limit is pytest's own, `timeout` in pyproject.toml.

How long something takes is the machine's affair; a test fails when it never happens. The wait
gives up shortly before pytest does, to say in a sentence what did not come.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_SHARE = 0.8
"""The part of pytest's own limit that a wait may use up."""

_limit = 240.0


def limit_to(seconds: float) -> None:
    """Set the limit that pytest has for one test; 0 means none: then waits end after an hour."""
    global _limit  # noqa: PLW0603 - one setting of the whole run
    _limit = seconds * _SHARE if seconds else 3600.0


def patience() -> float:
    """Return the seconds after which a wait gives up: for what takes a limit of its own."""
    return _limit


@asynccontextmanager
async def safety_net(sentence: str) -> AsyncIterator[None]:
    """Raise AssertionError with `sentence`, which says what was awaited, when it does not come."""
    try:
        async with asyncio.timeout(_limit) as net:
            yield
    except TimeoutError:
        if net.expired():
            raise AssertionError(f"this never happened: {sentence}") from None
        raise


async def eventually(
    condition: Callable[[], T | Awaitable[T]], sentence: str = "", *, every: float = 0.001
) -> T:
    """Return what the condition returns once that is true; ask it every so many seconds.

    Raises AssertionError with `sentence`, or with the condition as it is written.
    """
    async with safety_net(sentence or written(condition)):
        while not (found := await _value(condition)):
            await asyncio.sleep(every)
    return found


async def _value(condition: Callable[[], object]) -> Any:
    value = condition()
    return await value if inspect.isawaitable(value) else value


def written(condition: Callable[[], object]) -> str:
    """Return a condition as the test's source has it."""
    try:
        return " ".join(inspect.getsource(condition).split())
    except (OSError, TypeError):
        return repr(condition)
