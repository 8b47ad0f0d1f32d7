# SPDX-License-Identifier: Apache-2.0
"""Applications that record the channel that runs them: Record(), voicemail, dictation.

No event of the class `call` tells of an application; the look's rows do. No AMI action stops one:
the channel leaves it when it hangs up, or when its caller presses what the application asks for.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ami.calls.snapshots import Call
from bridges.asterisk.look import NO_LOOK, PbxLook, answered, is_live
from bridges.asterisk.ways.listeners import shown
from bridges.asterisk.ways.way import ENDED, Sweep, WayReport, WayState

RECORDING: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "record": ("Record",),
        "voicemail": ("VoiceMail", "VoiceMailMain", "MinivmRecord", "MinivmAccMess"),
        "dictate": ("Dictate",),
    }
)
"""Applications that record or may, as Asterisk writes them, by their row of the table."""

_WRITTEN: Final = {name.lower(): name for names in RECORDING.values() for name in names}
"""How Asterisk writes them, by the name in lower case."""


class Applications:
    """The way of the applications of `RECORDING`."""

    name = "applications"

    async def stop(self, sweep: Sweep) -> WayReport:
        """Report each channel of the call that is in an application which records it."""
        call = sweep.call_now()
        if call is None:
            return WayReport(self.name, WayState.ENDED, ENDED)
        seen = await answered(sweep.pbx, sweep.look)
        if any(channel.uniqueid not in seen.rows for channel in call.channels):
            # It joined after the look, or has just gone.
            seen = await answered(sweep.pbx, NO_LOOK)
            call = sweep.call_now()
            if call is None:
                return WayReport(self.name, WayState.ENDED, ENDED)
        found = _found(call, seen)
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
            if channel.uniqueid not in seen.rows and await is_live(sweep.pbx, channel.uniqueid)
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


def _found(call: Call, seen: PbxLook) -> dict[str, str]:
    """Return the channels that are in such an application, as people know them, and its name."""
    found = {}
    for channel in call.channels:
        row = seen.rows.get(channel.uniqueid)
        application = _WRITTEN.get(row.application.lower()) if row is not None else None
        if application is not None:
            found[shown(channel, channel.extension)] = application
    return found
