# SPDX-License-Identifier: Apache-2.0
"""One lamp per extension: the device state `Custom:offrecord-410`, set over AMI.

Measured on Asterisk 16.28 and 22.10: `Setvar` with `DEVICE_STATE(Custom:…)` and no channel needs
`write = call`, `DeviceStateList` needs `call` or `reporting`. Asterisk keeps custom states in its
database, over its own restarts and ours: lamps that were left lit are looked for once.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from ami.errors import AmiDown, AmiError
from ami.ports import CallActions
from ami.privileges import PROBE_DEVICE

PREFIX: Final = "Custom:offrecord-"

OFF: Final = "NOT_INUSE"
STATES: Final[Mapping[str, str]] = {
    "off": OFF,
    "recording": OFF,
    "stopped": "INUSE",
    "paused": "INUSE",
    "failed": "RINGING",
}
"""Device state by recording state: dark, steady, or blinking. Phones blink for `RINGING`."""

REFRESH: Final = 15.0
"""Seconds after which lamps that burn are looked after: is there still a call, do they burn."""
ACTION: Final = 1.0
LISTING: Final = 5.0
_RETRY: Final = (0.25, 1.0, 4.0, 15.0)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.+*#@-]{1,64}")
_LIT: Final = frozenset({"INUSE", "RINGING", "BUSY", "ONHOLD", "RINGINUSE", "UNAVAILABLE"})

_log = structlog.stdlib.get_logger(__name__)


class Lamps:
    """The lamps of all extensions. `set` returns at once; `run` does the work in a task.

    Only the last state of a lamp counts: what could not be told while the PBX was away is
    overtaken by what is true then. `lost` is called when a state was refused. `refresh` is in
    seconds.
    """

    def __init__(
        self,
        pbx: CallActions,
        lost: Callable[[str], None],
        *,
        refresh: float = REFRESH,
    ) -> None:
        self._pbx = pbx
        self._lost = lost
        self._refresh = refresh
        self._wanted: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._refused: set[str] = set()
        self._wake = asyncio.Event()
        self._swept = False

    @property
    def lit(self) -> dict[str, str]:
        """The extensions whose lamp burns or is to, each with its device state."""
        return {exten: state for exten, state in self._wanted.items() if state != OFF}

    def set(self, extension: str, state: str) -> None:
        """Set a lamp to a state of `STATES`; anything else, and odd names, are logged."""
        shown = STATES.get(state)
        if shown is None or not _PLAIN.fullmatch(extension):
            _log.warning("lamp_not_set", extension=extension[:64], state=state[:32])
            self._lost("lamp")
            return
        if self._wanted.get(extension, OFF) != shown or extension in self._refused:
            self._refused.discard(extension)
            self._wanted[extension] = shown
            self._wake.set()

    def left(self, extension: str) -> None:
        """Put a lamp out if nobody is on a call there any more; unknown is no reason to."""
        graph = self._pbx.graph
        if extension in self.lit and graph.known and not graph.live_on(extension):
            self.set(extension, "off")

    async def run(self) -> None:
        """Keep the lamps as they are wanted, until cancelled."""
        failures = 0
        while True:
            try:
                await self._sweep()
                await self._bring_about()
            except AmiError as error:
                failures += 1
                if failures == 1 and (self.lit or not isinstance(error, AmiDown)):
                    # The link says itself that it is down; that matters here once a lamp is on.
                    _log.warning("lamps_wait", problem=str(error), lit=len(self.lit))
                patience = _RETRY[min(failures, len(_RETRY)) - 1]
            else:
                failures, patience = 0, self._refresh
                if not self._changed():
                    self._wake.clear()
            if failures:
                await asyncio.sleep(patience)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._wake.wait()
                    continue
            self._look_after()

    async def put_out(self) -> None:
        """Put out every lamp that burns, because nobody will look after it. Raises AmiError."""
        for extension in self.lit:
            self._wanted[extension] = OFF
        await self._bring_about()

    def _changed(self) -> list[str]:
        return [
            exten for exten, state in self._wanted.items()
            if self._shown.get(exten) != state and exten not in self._refused
        ]  # fmt: skip

    def _look_after(self) -> None:
        for extension in self.lit:
            self.left(extension)
            self._shown.pop(extension, None)  # Asterisk may have forgotten: say it again

    async def _bring_about(self) -> None:
        while changed := self._changed():
            extension = changed[0]
            state = self._wanted[extension]
            answer = await self._pbx.action(
                "Setvar",
                {"Variable": f"DEVICE_STATE({PREFIX}{extension})", "Value": state},
                timeout=ACTION,
            )
            if not answer.ok:
                self._refused.add(extension)
                self._lost("lamp")
                _log.error(
                    "lamp_refused", extension=extension, answer=answer.message[:200],
                    fix="give the AMI account write = call",
                )  # fmt: skip
            else:
                self._shown[extension] = state
            if state == OFF == self._wanted.get(extension, OFF):  # dark: nothing to remember
                self._wanted.pop(extension, None)
                self._shown.pop(extension, None)
                self._refused.discard(extension)

    async def _sweep(self) -> None:
        """Put out what an earlier life of this daemon left burning; once."""
        if self._swept:
            return
        rows = await self._pbx.action_list("DeviceStateList", {}, timeout=LISTING)
        self._swept = True
        for row in rows:
            device = row.headers.get("Device", "")
            extension = device.removeprefix(PREFIX)
            burns = row.headers.get("State", "") in _LIT
            if not device.startswith(PREFIX) or device == PROBE_DEVICE or not burns:
                continue
            if _PLAIN.fullmatch(extension):
                self._wanted.setdefault(extension, OFF)
