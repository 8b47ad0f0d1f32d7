# SPDX-License-Identifier: Apache-2.0
"""Register a check under its name, and watch its log for secrets while it runs."""

import functools
from collections.abc import Awaitable, Callable

from bridges.conformance.fixture import NotApplicable, RecorderFixture
from bridges.conformance.observe import LogWatch, settled
from bridges.conformance.requirements import give, must, no_secret
from bridges.model import RecorderResult, Verb

Check = Callable[[RecorderFixture], Awaitable[None]]

registered: dict[str, Check] = {}
may_be_skipped: set[str] = set()


def check(*, optional: bool = False) -> Callable[[Check], Check]:
    """Register a check, whose log and recorder's repr are looked through for secrets as well.

    Only an `optional` one lets `NotApplicable` out: some vendors do not know its situation.
    """

    def register(body: Check) -> Check:
        name = getattr(body, "__name__", "check")

        @functools.wraps(body)
        async def watched(fixture: RecorderFixture) -> None:
            with LogWatch() as log:
                try:
                    await body(fixture)
                except NotApplicable as why:
                    if optional:
                        raise
                    raise AssertionError(
                        f"{name} may not be skipped ({why}): every recorder can be in it"
                    ) from None
            for line in log.lines:
                no_secret(line, fixture, f"a log line of {line.partition(':')[0]!r}")
            no_secret(f"{fixture.recorder!r} {fixture.recorder}", fixture, "repr of the recorder")

        registered[name] = watched
        if optional:
            may_be_skipped.add(name)
        return watched

    return register


async def stop(fixture: RecorderFixture, press: str = "press-1") -> RecorderResult:
    """Order a stop, and check what has to hold of any result."""
    return await give(fixture, fixture.order(Verb.STOP, press_id=press))


async def silent(fixture: RecorderFixture, after: str) -> None:
    """Check that the vendor stops recording the call."""
    must(
        await settled(lambda: not fixture.recording()),
        f"{after}, the vendor still records the call",
    )
