# SPDX-License-Identifier: Apache-2.0
"""Play a tone to a presser who is back in the call: one AMI Originate into one fixed context.

The Local channel `whisper@offrecord-tell` is dialled: its far half runs ChanSpy on the presser's
channel, which whispers without listening; its near half plays the sounds and hangs up, and that
ends both. Measured on Asterisk 16.28 and 22.10: ChanSpy is attached 0.1 s after it gets its first
sound; the dialplan sends 0.2 s of silence first. A tone of 0.86 s is over after 1.1 s.

Where the context is missing the Originate is answered `Extension does not exist.`; where only its
far half is, or where the presser has hung up, only the event OriginateResponse reports a failure.
The dialplan is then read (`ShowDialPlan`, `write = reporting`).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from ami.errors import AmiDenied, AmiError
from ami.ports import CallActions
from offrecord.model.outcome_codes import is_sound

CONTEXT: Final = "offrecord-tell"
PLAY: Final = "play"
"""The extension where the near half of a whisper goes on."""
WHISPER: Final = "whisper"
"""The extension that its far half dials."""
EXPIRES: Final = 5.0
"""Seconds after which a tone that was not played yet would tell old news: it is dropped."""
SPACING: Final = 2.0
"""Seconds from one whisper to the next on the same channel: two at once could not be told apart."""
LIMIT: Final = 200
"""Whispers that may wait; beyond it the oldest is dropped."""
ACTION: Final = 1.0
LOOK: Final = 3.0
"""Seconds for the PBX to show the context."""
FIX: Final = (
    '#include "extensions-tell.conf" in /etc/asterisk/extensions.conf, then dialplan reload;'
    " or set whisper = false in [tell]"
)
RING: Final = 3000
"""Milliseconds that Asterisk gives the Local channel to answer."""

_CHANNEL: Final = re.compile(r"[A-Za-z0-9_]{1,20}/[A-Za-z0-9_.@+*#=~-]{1,80}-[0-9A-Fa-f]{1,16}")
_UNIQUEID: Final = re.compile(r"[A-Za-z0-9_.-]{1,149}")

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Whisper:
    """Sounds for one channel, which must still have this uniqueid. `at` is monotonic seconds."""

    channel: str
    uniqueid: str
    sounds: tuple[str, ...]
    at: float


def problem(channel: str, uniqueid: str, sounds: Sequence[str]) -> str | None:
    """Return why these may not stand in a dialplan's arguments, None when they may."""
    if not _CHANNEL.fullmatch(channel):
        return "the channel's name is not plain"
    if not _UNIQUEID.fullmatch(uniqueid):
        return "the channel's uniqueid is not plain"
    if not all(map(is_sound, sounds)):
        return "the name of a sound is not plain"
    return None


def fields(whisper: Whisper, halves: tuple[str, str]) -> dict[str, str | Sequence[str]]:
    """Return the headers of the Originate; `halves` are the uniqueids of its two channels."""
    return {
        "Channel": f"Local/{WHISPER}@{CONTEXT}/n",
        "Context": CONTEXT,
        "Exten": PLAY,
        "Priority": "1",
        "Async": "true",
        "Timeout": str(RING),
        "ChannelId": halves[0],
        "OtherChannelId": halves[1],
        "Variable": [
            f"__OFFRECORD_TELL_CHANNEL={whisper.channel}",
            f"__OFFRECORD_TELL_UNIQUEID={whisper.uniqueid}",
            f"OFFRECORD_TELL_SOUNDS={'&'.join(whisper.sounds)}",
        ],
    }


class Whispers:
    """The whispers that wait. `put` returns at once; `run` sends them in a task of its own.

    Of one channel only the newest waits: it tells what is true now. `lost` is called for each
    that was not sent. `clock` is monotonic seconds.
    """

    def __init__(
        self,
        pbx: CallActions,
        lost: Callable[[str], None],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._pbx = pbx
        self._lost = lost
        self._clock = clock
        self._sleep = sleep
        self._waiting: dict[str, Whisper] = {}
        self._free: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._doubtful = False
        self._told = False

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def put(self, channel: str, uniqueid: str, sounds: Sequence[str]) -> None:
        """Queue sounds for a channel; odd names are logged and refused."""
        why = problem(channel, uniqueid, sounds)
        if why is not None:
            self._drop(channel, why)
            return
        self._waiting.pop(uniqueid, None)
        while len(self._waiting) >= LIMIT:
            oldest = next(iter(self._waiting))
            self._drop(self._waiting.pop(oldest).channel, "too many wait")
        self._waiting[uniqueid] = Whisper(channel, uniqueid, tuple(sounds), self._clock())
        self._wake.set()

    def answered(self, *, well: bool) -> None:
        """Take the result of a whisper from Asterisk: whether its near end was answered."""
        if well:
            self._told = False
            return
        self._lost("whisper")
        self._doubtful = not self._told
        self._wake.set()

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            if self._doubtful:
                self._doubtful = False
                await self._look()
            now = self._clock()
            self._free = {key: at for key, at in self._free.items() if at > now}
            ready = [key for key in self._waiting if key not in self._free]
            if ready:
                await self._send(self._waiting.pop(ready[0]))
            elif self._waiting:
                await self._sleep(min(self._free[key] for key in self._waiting) - now)
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _send(self, whisper: Whisper) -> None:
        if self._clock() - whisper.at > EXPIRES:
            self._drop(whisper.channel, "it came too late to be true still")
            return
        self._free[whisper.uniqueid] = self._clock() + SPACING
        # Its ChanSpy is no listener of somebody else's: known by these ids.
        sent = fields(whisper, self._pbx.graph.own_channels.pair("whisper"))
        try:
            answer = await self._pbx.action("Originate", sent, timeout=ACTION)
        except AmiError as error:
            # Never twice: the tone may be playing.
            self._drop(whisper.channel, str(error))
            return
        if answer.ok:
            _log.debug("whispered", channel=whisper.channel, sounds=whisper.sounds)
        elif answer.message == "Permission denied":
            self._drop(whisper.channel, answer.message, "give it write = originate")
        else:
            self._drop(whisper.channel, answer.message[:200])
            self._doubtful = not self._told

    async def _look(self) -> None:
        """Log once that the context is missing, if that is why a whisper was not played."""
        try:
            await self._pbx.action_list(
                "ShowDialPlan", {"Context": CONTEXT, "Extension": WHISPER}, timeout=LOOK
            )
        except AmiDenied as error:
            self._told = True
            missing = error.answer.startswith("Did not find")
            problem = f"the dialplan lacks {WHISPER}@{CONTEXT}" if missing else str(error)
            _log.warning("whisper_not_played", problem=problem, fix=FIX)
        except AmiError as error:
            _log.warning("whisper_not_played", problem=str(error))
        else:
            _log.debug("whisper_not_played", problem="the presser's channel has gone")

    def _drop(self, channel: str, why: str, fix: str = "") -> None:
        self._lost("whisper")
        more = {"fix": f"the AMI account: {fix}"} if fix else {}
        _log.warning("whisper_lost", channel=channel[:100], problem=why, **more)
