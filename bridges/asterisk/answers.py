# SPDX-License-Identifier: Apache-2.0
"""What the PBX's answers mean for an order: a sweep, an AMI error, nothing recorded. Pure.

What a single AMI answer says is in `ami.recording_actions`; here several of them become the end
of an order.
"""

from ami.calls.snapshots import Call
from ami.errors import AmiDown, AmiError, AmiInjection, AmiUnsafe
from bridges.model import Evidence, Outcome
from bridges.shared.answer_table import OrderEnd


def swept_call(stopped: int, channels: int, *, ended: bool, whole: bool) -> OrderEnd:
    """Return the end of a stop after which every channel asked has no MixMonitor left.

    `stopped` MixMonitors were ended on `channels` channels. `ended`: the call is over. `whole`:
    those channels are known to be all of the call.
    """
    looked_at = f"{channels} channel{'s' if channels > 1 else ''}"
    if not whole:
        detail = (
            f"{stopped} stopped on {looked_at}, but the PBX's calls are not known: another"
            " channel of this call may be recorded"
        )
        return OrderEnd(Outcome.FAILED, Evidence.READ_BACK, detail)
    if stopped:
        detail = f"{stopped} stopped, none left on {looked_at}"
        return OrderEnd(Outcome.CONFIRMED, Evidence.NOTHING_ELSE, detail)
    if ended:
        return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, "its channels have gone")
    return none_recorded(f"none was running on {looked_at}")


def none_recorded(detail: str) -> OrderEnd:
    """Return the end of an order for which no channel of the call is recorded."""
    return OrderEnd(Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE, detail)


def failure(problem: AmiError) -> OrderEnd:
    """Return the end of an order that an AMI error ended."""
    return OrderEnd(
        Outcome.FAILED, Evidence.SENT if _was_sent(problem) else Evidence.NONE, str(problem)
    )


def unknown(call: Call) -> str:
    """Return the sentence for channels that may carry a MixMonitor or not."""
    names = ", ".join(channel.name for channel in call.unknown_monitors)
    return f"it is not known whether {names} is recorded"


def _was_sent(problem: AmiError) -> bool:
    if isinstance(problem, AmiDown):
        return problem.sent
    return not isinstance(problem, AmiInjection | AmiUnsafe)
