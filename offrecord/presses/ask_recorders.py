# SPDX-License-Identifier: Apache-2.0
"""Send one order to several recorders at the same time, each with its own time limit."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from bridges.model import Evidence, Order, Outcome, Recorder, RecorderResult
from offrecord.model.verdict import honest

_log = structlog.stdlib.get_logger(__name__)


async def ask(
    recorders: Sequence[Recorder],
    order: Order,
    on_result: Callable[[RecorderResult], object],
    *,
    overrun: float,
) -> list[RecorderResult]:
    """Return the recorders' results in order; call `on_result` with each as it arrives.

    Every recorder has a result within the order's budget and `overrun` seconds: one that raises,
    cancels itself or does not end counts as `failed`. Cancelling this cancels the recorders.
    """
    return await asyncio.gather(
        *(_one(recorder, order, on_result, order.budget + overrun) for recorder in recorders)
    )


async def _one(
    recorder: Recorder, order: Order, on_result: Callable[[RecorderResult], object], within: float
) -> RecorderResult:
    # A task of its own: a bridge that never ends, or cancels itself, must not delay the others
    # or cancel them with it.
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
    on_result(result)
    return result


async def _act(recorder: Recorder, order: Order) -> RecorderResult:
    return await recorder.act(order)


def _lost(recorder: Recorder, detail: str) -> RecorderResult:
    return RecorderResult(
        recorder.name, recorder.kind, Outcome.FAILED, Evidence.NONE, detail, retryable=True
    )
