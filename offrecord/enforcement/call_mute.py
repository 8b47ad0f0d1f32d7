# SPDX-License-Identifier: Apache-2.0
"""Mute a call while a recorder does not obey: no party is heard, the others hear music.

No leg leaves its bridge, and no call can be dropped by it. How, as measured on Asterisk 16.28
(chan_sip) and 22.10 (PJSIP):

- `Setvar` of `MUTEAUDIO(in)` drops what a leg says before anything in Asterisk hears it, the
  recordings of that leg included. Digits pass. It needs write = call alone.
- Music and tones are whispered to a leg by ChanSpy, which needs frames that go to that leg: when
  everybody else in the bridge is muted in that way there are none. A leg that is not recorded
  is made silent by `VOLUME(RX)` instead: a recording of that very leg would still hear it, those
  of the others and the other parties hear silence.
- ChanSpy passes on what `Playback` plays, and neither MusicOnHold nor Playtones.

A mute does not end by itself. Each leg is marked by a channel variable first, the marks are
looked for after a start, and unmuting is retried until the PBX has confirmed it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from ami.calls.snapshots import Call, Channel
from ami.errors import AmiDenied, AmiError
from ami.ports import PbxPort
from offrecord.notify.late_tone import CONTEXT, RING, problem

MARK: Final = "OFFRECORD_HELD"
"""The channel variable with the function that mutes a leg; empty when it is not muted."""

MUTE: Final = "MUTEAUDIO(in)"
QUIET: Final = "VOLUME(RX)"
_ON: Final = {MUTE: "on", QUIET: "-32767"}
_OFF: Final = {MUTE: "off", QUIET: "0"}
_HANGUPS: Final = 3
_AGAIN: Final = 1.0
"""Seconds between two tries to unmute a leg."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MuteResult:
    """The result of muting a call: whether no party on it is heard, and a line for people."""

    silent: bool
    detail: str


@dataclass(slots=True)
class CallMute:
    """Mutes the legs of calls. `sounds` are played in a loop, for `longest` seconds at most."""

    pbx: PbxPort
    sounds: tuple[str, ...] = ()
    longest: float = 60.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _legs: dict[str, set[str]] = field(default_factory=dict)
    _music: dict[str, list[str]] = field(default_factory=dict)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def mute(self, press: str, call: Call, presser: str | None) -> MuteResult:
        """Mute every leg of a call for a press; `presser` is the uniqueid of the presser's."""
        legs = [one for one in call.channels if one.technology.upper() != "LOCAL"]
        quiet = [one for one in legs if one.monitors == 0]
        wrong: list[str] = []
        async with self._lock:
            for leg in legs:
                self._legs.setdefault(leg.uniqueid, set()).add(press)
                why = await self._silence(leg, QUIET if leg in quiet else MUTE)
                if why is not None:
                    wrong.append(f"{leg.name}: {why}")
            if wrong:
                return MuteResult(silent=False, detail=f"still heard: {'; '.join(wrong)}")
            others = [one for one in legs if one.uniqueid != presser]
            lost = [
                f"no music for {one.name}: {why}" for one in others
                if (why := await self._entertain(press, one, quiet)) is not None
            ]  # fmt: skip
        return MuteResult(silent=True, detail="; ".join(["nobody is heard", *lost]))

    def unmute(self, press: str) -> bool:
        """Unmute the legs that were muted for a press, in tasks; False when there are none."""
        legs = [uniqueid for uniqueid, held in self._legs.items() if press in held]
        for uniqueid in legs:
            self._spawn(self._unmute_leg(press, uniqueid))
        for name in self._music.pop(press, ()):
            self._spawn(self._hang_up(name))
        return bool(legs)

    async def close(self, patience: float = 2.0) -> None:
        """Unmute every leg, within `patience` seconds; what remains then is not retried."""
        for press in set().union(*self._legs.values()):
            self.unmute(press)
        if self._tasks:
            await asyncio.wait([*self._tasks], timeout=patience)
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def sweep(self) -> list[str]:
        """Unmute channels that a previous daemon process left muted. Return their names."""
        found = []
        for call in self.pbx.graph.calls():
            for leg in call.channels:
                if leg.technology.upper() == "LOCAL" or leg.uniqueid in self._legs:
                    continue
                try:
                    mark = await self.pbx.getvar(leg.uniqueid, MARK)
                except AmiDenied:
                    continue  # it has hung up
                if mark in _OFF and leg.uniqueid not in self._legs:
                    self._legs[leg.uniqueid] = {"sweep"}
                    found.append(leg.name)
        self.unmute("sweep")
        return found

    async def _silence(self, leg: Channel, by: str) -> str | None:
        for variable, value in ((MARK, by), (by, _ON[by])):
            why = await self._set(leg.uniqueid, variable, value)
            if why is not None:
                return why
        return None

    async def _set(self, uniqueid: str, variable: str, value: str) -> str | None:
        """Set a channel variable; return why it failed, None when it did not."""
        fields = {"Channel": uniqueid, "Variable": variable, "Value": value}
        try:
            answer = await self.pbx.action("Setvar", fields)
        except AmiError as error:
            return str(error)
        return None if answer.ok else answer.message[:100]

    async def _entertain(
        self, press: str, leg: Channel, quiet: Sequence[Channel]
    ) -> str | None:  # fmt: skip
        """Play music to a leg; return why it cannot be heard, None when it can."""
        name = f"offrecord-hold-{press[:36]}-{leg.uniqueid}"
        # Noted before it is asked for, and even if it is not: music may begin after the wait for
        # it has ended, or still play from the previous daemon process.
        self._music.setdefault(press, []).append(name)
        if all(one is leg for one in quiet):
            return "every other leg is recorded, and muted altogether"
        return await self._play(name, leg)

    async def _play(self, name: str, leg: Channel) -> str | None:
        """Whisper music to a leg; return why that failed, None when it did not."""
        why = problem(leg.name, leg.uniqueid, self.sounds)
        if why is not None:
            return why
        self.pbx.graph.own_channels.add(name, f"{name}-spy")
        try:
            answer = await self.pbx.action("Originate", {
                "Channel": f"Local/hold@{CONTEXT}/n", "Context": CONTEXT, "Exten": "music",
                "Priority": "1", "Async": "true", "Timeout": str(RING), "ChannelId": name,
                "OtherChannelId": f"{name}-spy",
                "Variable": [
                    f"__OFFRECORD_TELL_CHANNEL={leg.name}",
                    f"__OFFRECORD_TELL_UNIQUEID={leg.uniqueid}",
                    f"__OFFRECORD_HOLD_SECONDS={self.longest + 5:.0f}",
                    f"OFFRECORD_TELL_SOUNDS={'&'.join(self.sounds)}",
                ],
            })  # fmt: skip
        except AmiError as error:
            return str(error)
        denied = (
            "; the AMI account needs write = originate" if "ermission" in answer.message else ""
        )
        return None if answer.ok else f"{answer.message[:100]}{denied}"

    async def _unmute_leg(self, press: str, uniqueid: str) -> None:
        """Unmute one leg, unless another press mutes it; retry until the PBX confirms it."""
        while True:
            async with self._lock:
                held = self._legs.get(uniqueid, set())
                if not held <= {press}:
                    held.discard(press)
                    return
                known, leg = self.pbx.graph.known, self.pbx.graph.channel(uniqueid)
                if known and leg is None:  # it has hung up
                    self._legs.pop(uniqueid, None)
                    return
                wrong = [await self._set(uniqueid, by, off) for by, off in _OFF.items()]
                if wrong == [None, None] and await self._set(uniqueid, MARK, "") is None:
                    self._legs.pop(uniqueid, None)
                    return
            _log.warning("leg_still_held", uniqueid=uniqueid, problem=next(filter(None, wrong), ""))
            await self.sleep(_AGAIN)

    async def _hang_up(self, name: str) -> None:
        problem = ""
        for _ in range(_HANGUPS):
            try:
                answer = await self.pbx.action("Hangup", {"Channel": name})
            except AmiError as error:
                problem = str(error)
            else:
                if answer.ok:
                    return
                problem = answer.message[:100]  # not yet there, or gone already
            await self.sleep(_AGAIN)
        # It ends by itself, see OFFRECORD_HOLD_SECONDS.
        _log.info("music_not_ended", channel=name, problem=problem)

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(job, name="unmute")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
