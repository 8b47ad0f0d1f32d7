# SPDX-License-Identifier: Apache-2.0
"""How a check becomes one of the kit's: under its name, and watched for secrets."""

import functools
from collections.abc import Awaitable, Callable

from bridges.conformance.fixture import NotApplicable, Rig
from bridges.conformance.observe import Watch, settled
from bridges.conformance.requirements import give, must, secret
from bridges.model import RecorderResult, Verb

Check = Callable[[Rig], Awaitable[None]]

registered: dict[str, Check] = {}
may_be_skipped: set[str] = set()


def check(*, optional: bool = False) -> Callable[[Check], Check]:
    """Register a check, whose log and recorder's repr are looked through for secrets as well.

    Only an `optional` one lets `NotApplicable` out: some vendors do not know its situation.
    """

    def register(body: Check) -> Check:
        name = getattr(body, "__name__", "check")

        @functools.wraps(body)
        async def watched(rig: Rig) -> None:
            with Watch() as log:
                try:
                    await body(rig)
                except NotApplicable as why:
                    if optional:
                        raise
                    raise AssertionError(
                        f"{name} may not be skipped ({why}): every recorder can be in it"
                    ) from None
            for line in log.lines:
                secret(line, rig, f"a log line of {line.partition(':')[0]!r}")
            secret(f"{rig.recorder!r} {rig.recorder}", rig, "repr of the recorder")

        registered[name] = watched
        if optional:
            may_be_skipped.add(name)
        return watched

    return register


async def stop(rig: Rig, press: str = "press-1") -> RecorderResult:
    """Give a stop and check what has to hold of any result."""
    return await give(rig, rig.order(Verb.STOP, press_id=press))


async def silent(rig: Rig, after: str) -> None:
    """Check that the vendor comes to record the call no more."""
    must(
        await settled(lambda: not rig.recording()),
        f"{after}, the vendor still records the call",
    )
