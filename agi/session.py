# SPDX-License-Identifier: Apache-2.0
"""One FastAGI connection: read the press, pass it to the daemon, tell the verdict, close.

During the session the other party does not hear the presser. The press therefore goes to the daemon
before any command to Asterisk, and the session ends as soon as it can. It sets variables, writes a
VERBOSE line and plays sounds, nothing else: a press never answers a channel, hangs it up or moves
it in the dialplan. It ends by closing the connection, which is a success to Asterisk.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from agi.errors import AgiError, AgiHangup, AgiInjection, AgiRefused
from agi.press_message import Accepted, AgiPress, Handler, press_from
from agi.verdict_message import (
    FAILED,
    FAILURE_SOUND,
    NOT_PLAYED,
    PENDING,
    VERBS,
    AgiVerdict,
    telling,
)
from agi.wire import EnvironmentBuffer, LineBuffer, Reply, ReplyReader, command

log = logging.getLogger("agi.fastagi")

_CHUNK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class FastAgiSettings:
    """Settings of the FastAGI server. All times in seconds.

    `wait`: how long a session waits for the verdict; 0 does not wait. `read_timeout`: for the whole
    environment, `reply_timeout`: for Asterisk's answer to a command, `sound_timeout`: for a sound.
    Above `max_connections` the connection that has been silent for longest is closed for a new one.
    `interim_sound`: played when the verdict is not known in time, nothing by default. An empty
    `failure_sound` is silence.
    """

    host: str = "127.0.0.1"
    port: int = 4573
    wait: float = 0.7
    verbs: tuple[str, ...] = VERBS
    failure_sound: str = FAILURE_SOUND
    interim_sound: str | None = None
    read_timeout: float = 2.0
    reply_timeout: float = 2.0
    sound_timeout: float = 10.0
    max_connections: int = 256

    def __post_init__(self) -> None:
        """Raise ValueError for values that cannot work."""
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is not between 0 and 65535")
        if not 0 <= self.wait <= 60:
            raise ValueError(f"wait {self.wait} is not between 0 and 60 seconds")
        if min(self.read_timeout, self.reply_timeout, self.sound_timeout) <= 0:
            raise ValueError("a timeout must be more than 0 seconds")
        if self.max_connections < 1 or not self.verbs:
            raise ValueError("max_connections must be at least 1, and verbs must not be empty")


@dataclass(slots=True)
class FastAgiCounters:
    """Counters since the server started."""

    connections: int = 0
    presses: int = 0
    """Requests with a known verb, passed to the daemon."""
    unknown_verbs: int = 0
    rejected: int = 0
    """Connections that ended, stayed silent or sent no AGI before they named a channel."""
    evicted: int = 0
    """Silent connections closed to make room."""
    told: int = 0
    """Verdicts told within the session, every sound played as far as Asterisk says."""
    broken: int = 0
    """Sessions that ended early after the press was accepted: hang-up, or no answer."""


class Session:
    """One connection, from accept to close. `run` it in a task."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        handler: Handler,
        settings: FastAgiSettings,
        counters: FastAgiCounters,
        clock: Callable[[], float],
        on_press: Callable[["Session"], bool],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._settings = settings
        self._counters = counters
        self._clock = clock
        self._on_press = on_press
        self._lines = LineBuffer()
        # One timer for the whole session, rescheduled at each step: a timeout context around each
        # read costs much more.
        self._loop = asyncio.get_running_loop()
        self._late = False
        self._ends = self._loop.time() + settings.read_timeout
        self._timer = self._loop.call_at(self._ends, self._overdue)

    def abort(self) -> None:
        """Cut the connection: `run` then ends. A press that was accepted goes on."""
        self._writer.transport.abort()

    async def run(self) -> None:
        """Serve the connection. Raises nothing that a peer can cause."""
        try:
            press = await self._read_press()
            # The server decides whether it may wait; a press is accepted in any case.
            if press is not None:
                await self._serve(press, stay=self._on_press(self))
        finally:
            await self._close()

    async def _read_press(self) -> AgiPress | None:
        buffer = EnvironmentBuffer()
        try:
            while (environment := buffer.feed(await self._read())) is None:
                pass
        except AgiError as error:
            self._counters.rejected += 1
            # Health checks connect and send nothing: no log line for those.
            level = logging.INFO if buffer.rest else logging.DEBUG
            log.log(level, "fastagi_rejected reason=%r", str(error))
            return None
        self._lines.feed(buffer.rest)
        return press_from(environment, self._clock())

    async def _serve(self, press: AgiPress, *, stay: bool) -> None:
        told = False
        accepted: Accepted | None = None
        try:
            if press.verb not in self._settings.verbs:
                await self._refuse(press)
                return
            self._counters.presses += 1
            accepted = self._hand_over(press)
            if accepted is None:
                await self._tell("", self._failure("an error inside offrecord"))
            elif stay:
                told = await self._stay(press, accepted)
        except AgiError as error:
            self._counters.broken += 1
            log.info("fastagi_cut_short channel=%r reason=%r", press.channel, str(error))
        finally:
            if accepted is not None and accepted.on_left is not None:
                accepted.on_left(told)

    def _hand_over(self, press: AgiPress) -> Accepted | None:
        try:
            return self._handler(press)
        except Exception:
            # Whatever failed in the daemon, the call goes on and the presser hears a failure.
            log.exception("fastagi_handler_failed verb=%r channel=%r", press.verb, press.channel)
            return None

    async def _refuse(self, press: AgiPress) -> None:
        self._counters.unknown_verbs += 1
        known = ", ".join(self._settings.verbs)
        log.warning("fastagi_unknown_verb verb=%r channel=%r", press.verb, press.channel)
        verdict = self._failure(f"unknown verb {press.verb!r}, known are {known}")
        await self._tell("", verdict)

    def _failure(self, text: str) -> AgiVerdict:
        sound = self._settings.failure_sound
        return AgiVerdict(FAILED, (sound,) if sound else (), text)

    async def _stay(self, press: AgiPress, accepted: Accepted) -> bool:
        """Wait for the verdict up to `wait` seconds; return True when it was told."""
        future = accepted.verdict
        if not future.done() and self._settings.wait > 0:
            self._allow(self._settings.wait + self._settings.reply_timeout)
            # Not wait_for: that would cancel the press's own future at the end of the time.
            await asyncio.wait({future}, timeout=self._settings.wait)
        if not future.done() or future.cancelled():
            interim = self._settings.interim_sound
            sounds = () if interim is None else (interim,)
            text = f"{press.verb} is taken as {accepted.press_id}, its verdict is not known yet"
            await self._tell(accepted.press_id, AgiVerdict(PENDING, sounds, text))
            return False
        error = future.exception()
        if error is not None:
            log.error("fastagi_verdict_failed press=%r", accepted.press_id, exc_info=error)
            verdict = self._failure("an error inside offrecord")
        else:
            verdict = future.result()
        told = await self._tell(accepted.press_id, verdict)
        self._counters.told += told
        return told

    async def _tell(self, press_id: str, verdict: AgiVerdict) -> bool:
        """Run the commands of a verdict; return True when each was done and every sound played.

        A refusal is logged and the next command is still sent.
        """
        wrong = [f"no name of a sound: {sound!r}" for sound in verdict.unplayable]
        for name, *arguments in telling(press_id, verdict):
            try:
                if await self._execute(name, *arguments) == NOT_PLAYED:
                    wrong.append(f"no file for a sound of {verdict.sounds}")
            except (AgiInjection, AgiRefused) as error:
                wrong.append(str(error))
        if wrong:
            log.warning("fastagi_not_told press=%r reason=%r", press_id, "; ".join(wrong))
        return not wrong

    async def _execute(self, name: str, *arguments: str) -> str:
        """Run one command; return the answer's text in parentheses. Raises AgiRefused."""
        reply = await self._ask(name, *arguments)
        if reply.code != 200 or reply.result.startswith("-"):
            raise AgiRefused(name, reply.code, reply.text)
        return reply.data

    async def _ask(self, name: str, *arguments: str) -> Reply:
        seconds = self._settings.reply_timeout
        if name == "EXEC":
            seconds = self._settings.sound_timeout
        self._write(command(name, *arguments))
        self._allow(seconds)
        answer = ReplyReader()
        while True:
            line = self._lines.take()
            if line is None:
                self._lines.feed(await self._read())
                continue
            reply = answer.take(line)
            if answer.hung_up or (reply is not None and reply.code == 511):
                raise AgiHangup("the channel hung up")
            if reply is not None:
                return reply

    def _write(self, data: bytes) -> None:
        # No drain: the peer answers each command before the next, so less than 4 kB can pend.
        if self._writer.is_closing():
            raise AgiHangup("the connection is closed")
        self._writer.write(data)

    async def _read(self) -> bytes:
        try:
            data = await self._reader.read(_CHUNK)
        except OSError as error:
            raise AgiHangup(f"the connection broke: {error.strerror}") from error
        if not data:
            raise AgiHangup("nothing came in time" if self._late else "the connection was closed")
        return data

    def _allow(self, seconds: float) -> None:
        """Set the deadline of the current step, in seconds from now."""
        self._ends = self._loop.time() + seconds
        if self._ends < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(self._ends, self._overdue)

    def _overdue(self) -> None:
        if self._loop.time() < self._ends:
            self._timer = self._loop.call_at(self._ends, self._overdue)
        else:
            self._late = True
            self.abort()

    async def _close(self) -> None:
        self._writer.close()
        self._allow(self._settings.reply_timeout)
        try:
            await self._writer.wait_closed()
        except OSError:
            # The peer closed the connection first.
            self.abort()
        finally:
            self._timer.cancel()
