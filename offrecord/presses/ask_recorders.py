# SPDX-License-Identifier: Apache-2.0
"""Send one order to several recorders at the same time, each with its own time limit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from bridges.model import Evidence, Looking, Order, Outcome, Recorder, RecorderResult
from offrecord.model.verdict import honest

_log = structlog.stdlib.get_logger(__name__)

Act = Callable[[Order], Awaitable[RecorderResult]]


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
        *(_one(recorder, order, on_result, overrun) for recorder in recorders)
    )


async def _one(
    recorder: Recorder, order: Order, on_result: Callable[[RecorderResult], object], overrun: float
) -> RecorderResult:
    result = await guarded(recorder, recorder.act, order, overrun)
    on_result(result)
    return result


async def guarded(
    recorder: Recorder | Looking, act: Act, order: Order, overrun: float
) -> RecorderResult:
    """Return what a recorder's method makes of an order, `failed` where it breaks or overruns.

    Cancelling this cancels the method.
    """
    # A task of its own: a bridge that never ends, or cancels itself, must not delay the others
    # or cancel them with it.
    acting = asyncio.create_task(_act(act, order), name=f"{recorder.name}-{order.press_id}")
    try:
        await asyncio.wait({acting}, timeout=order.budget + overrun)
    finally:
        ended = acting.done()
        acting.cancel()
    if not ended:
        return _lost(recorder, f"it did not end within {order.budget:g} s")
    if acting.cancelled() or acting.exception() is not None:
        error = None if acting.cancelled() else acting.exception()
        _log.error("recorder_broke", recorder=recorder.name, exc_info=error)
        return _lost(recorder, "a fault in its bridge, see the log")
    return honest(acting.result())


async def _act(act: Act, order: Order) -> RecorderResult:
    return await act(order)


def _lost(recorder: Recorder | Looking, detail: str) -> RecorderResult:
    return RecorderResult(
        recorder.name, recorder.kind, Outcome.FAILED, Evidence.NONE, detail, retryable=True
    )
