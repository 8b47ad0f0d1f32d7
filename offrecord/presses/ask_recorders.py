# SPDX-License-Identifier: Apache-2.0
"""Asking the recorders of a call, all at once, each in its own time and at its own risk."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from bridges.model import Evidence, Order, Outcome, Recorder, RecorderResult
from bridges.routing import Router
from offrecord.model.verdict import honest
from offrecord.policy.policy import Policy

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """What the engine knows of one site; replaced as a whole when the configuration changes.

    `optional` names the recorders of role `may`. `budget` is seconds for each recorder, which
    should end by itself; it is given up when it overruns that by `overrun` seconds. `policy` says
    who may press.
    """

    recorders: Mapping[str, Recorder]
    router: Router
    optional: Collection[str] = ()
    budget: float = 5.0
    overrun: float = 0.5
    policy: Policy = field(default_factory=Policy)


async def ask(
    recorders: Sequence[Recorder],
    order: Order,
    told: Callable[[RecorderResult], object],
    *,
    overrun: float,
) -> list[RecorderResult]:
    """Give one order to several recorders at the same time; `told` hears each answer as it comes.

    Returns their results in order. Whatever a bridge does, its result is there within the order's
    budget and `overrun` seconds; when this is cancelled, so are they.
    """
    return await asyncio.gather(
        *(_one(recorder, order, told, order.budget + overrun) for recorder in recorders)
    )


async def _one(
    recorder: Recorder, order: Order, told: Callable[[RecorderResult], object], within: float
) -> RecorderResult:
    # A task of its own: a bridge that never ends, or cancels itself, must not hold up the others
    # or take them with it.
    acting = asyncio.create_task(_act(recorder, order), name=f"{recorder.name}-{order.press_id}")
    try:
        await asyncio.wait({acting}, timeout=within)
    finally:
        ended = acting.done()
        acting.cancel()
    if not ended:
        result = _lost(recorder, f"it did not end within {order.budget:g} s")
    elif acting.cancelled() or acting.exception() is not None:
        error = None if acting.cancelled() else acting.exception()
        _log.error("recorder_broke", recorder=recorder.name, exc_info=error)
        result = _lost(recorder, "a fault in its bridge, see the log")
    else:
        result = honest(acting.result())
    told(result)
    return result


async def _act(recorder: Recorder, order: Order) -> RecorderResult:
    return await recorder.act(order)


def _lost(recorder: Recorder, detail: str) -> RecorderResult:
    return RecorderResult(
        recorder.name, recorder.kind, Outcome.FAILED, Evidence.NONE, detail, retryable=True
    )
