# SPDX-License-Identifier: Apache-2.0
"""Applications that record the channel that runs them: Record(), voicemail, dictation.

No event of the class `call` tells of an application; the look's rows do. No AMI action stops one:
the channel leaves it when it hangs up, or when its caller presses what the application asks for.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ami.errors import AmiDenied
from bridges.asterisk.look import NO_LOOK, PbxLook, answered
from bridges.asterisk.ways.listeners import shown
from bridges.asterisk.ways.way import Sweep, WayReport, WayState

RECORDING: Final[Mapping[str, str]] = MappingProxyType(
    {
        name.lower(): name
        for name in (
            "Record", "VoiceMail", "VoiceMailMain", "Dictate", "MinivmRecord", "MinivmAccMess",
        )
    }
)  # fmt: skip
"""Applications that record or may, in lower case, and how Asterisk writes them."""


class Applications:
    """The way of the applications of `RECORDING`."""

    name = "applications"

    async def stop(self, sweep: Sweep) -> WayReport:
        """Report each channel of the call that is in an application which records it."""
        call = sweep.call_now()
        if call is None:
            return WayReport(self.name, WayState.ENDED, "its channels have gone")
        seen = await answered(sweep.pbx, sweep.look)
        if any(channel.uniqueid not in seen.rows for channel in call.channels):
            seen = await answered(
                sweep.pbx, NO_LOOK
            )  # one that joined after the look, or that has just gone
            call = sweep.call_now()
            if call is None:
                return WayReport(self.name, WayState.ENDED, "its channels have gone")
        found = _found(sweep, seen)
        if found:
            names = ", ".join(found)
            detail = "; ".join(
                f"{name} is in {application}(): a press cannot stop it but by hanging up"
                for name, application in found.items()
            )
            return WayReport(
                self.name, WayState.RECORDS, detail,
                fix=f"hang up {names}, or lead it to another place of the dialplan",
            )  # fmt: skip
        unseen = [
            channel.name for channel in call.channels
            if channel.uniqueid not in seen.rows and await _lives(sweep, channel.uniqueid)
        ]  # fmt: skip
        if unseen:
            names = ", ".join(unseen)
            detail = f"in which application {names} is cannot be told: no listing has it"
            return WayReport(self.name, WayState.NOT_SEEN, detail)
        return WayReport(self.name, WayState.NOTHING, "")

    async def pause(self, sweep: Sweep) -> WayReport:
        """Do as for a stop."""
        return await self.stop(sweep)

    async def resume(self, sweep: Sweep) -> WayReport:  # noqa: ARG002
        """Do nothing: nothing was paused in this way."""
        return WayReport(self.name, WayState.NOTHING, "")

    def plan(self, sweep: Sweep) -> Iterable[str]:  # noqa: ARG002
        """Return nothing: nothing can be sent."""
        return ()


async def _lives(sweep: Sweep, uniqueid: str) -> bool:
    """Return whether a channel is still there by the PBX's own answer: events may be behind."""
    try:
        await sweep.pbx.getvar(uniqueid, "CHANNEL(state)")
    except AmiDenied:
        return False
    return True


def _found(sweep: Sweep, seen: PbxLook) -> dict[str, str]:
    """Return the channels that are in such an application, as people know them, and its name."""
    call = sweep.call_now()
    found = {}
    for channel in call.channels if call is not None else ():
        row = seen.rows.get(channel.uniqueid)
        application = RECORDING.get(row.application.lower()) if row is not None else None
        if application is not None:
            found[shown(channel, channel.extension)] = application
    return found
