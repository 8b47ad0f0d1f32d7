# SPDX-License-Identifier: Apache-2.0
"""`check --dtmf`: ring a phone, ask for the code, and report which digits arrived at the PBX.

The call is one AMI `Originate` (`write = originate`) of the application `Read`, which beeps and
takes digits. `DTMFEnd` (`read = dtmf`) reports each digit with its length. The channel has an id of
ours, by which it is hung up at the end in every case.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ami.errors import AmiError
from bridges.model import Verb
from offrecord.base.errors import Exit, UserError, user_error
from offrecord.checks import codes_in_force
from offrecord.checks.codes_in_force import TIMEOUT
from offrecord.checks.finding import Finding, failure, ok, skipped, warning
from offrecord.checks.inputs import CheckInputs, Places, gather_inputs
from offrecord.checks.rules.features import LEAST_TIMEOUT
from offrecord.checks.rules.phones import endpoint, endpoints, of_phones
from offrecord.config import Loaded

RING: Final = 30.0
"""Seconds that the phone rings."""
LISTEN: Final = 15.0
"""Seconds, from the answer on, for the code."""
AFTER: Final = 0.6
"""Seconds to go on listening once the code is complete: a doubled digit comes late."""
DUPLICATE_GAP: Final = 80
"""Milliseconds between two equal digits below which the second is a duplicate."""
SHORT: Final = 40
"""Milliseconds of a digit below which some receivers miss it."""

_CODE: Final = "*1"
_TICK: Final = 0.05


@dataclass(frozen=True, slots=True)
class Digit:
    """A digit as it arrived: when it ended, in monotonic seconds, and its length in ms."""

    digit: str
    ended: float
    length: int


@dataclass(slots=True)
class ReceivedDigits:
    """Everything that arrived from one channel: its digits, its answer, its end."""

    uniqueid: str
    clock: Callable[[], float]
    digits: list[Digit]
    channel: str = ""
    answered: bool = False
    failed: bool = False
    over: bool = False

    def take(self, direction: str, packet: bytes) -> None:
        """Take one packet of the link; `direction` is `<` for those of the PBX."""
        if direction != "<" or not packet.startswith(b"Event: "):
            return
        text = packet.decode("utf-8", "replace").replace("\r\n", "\n")
        pairs = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if pairs.get("Uniqueid") != self.uniqueid:
            return
        event = pairs["Event"]
        self.channel = pairs.get("Channel", self.channel)
        if event == "OriginateResponse":
            self.answered = pairs.get("Response") == "Success"
            self.failed = not self.answered
        elif event == "DTMFEnd" and pairs.get("Direction") == "Received":
            length = pairs.get("DurationMs", "")
            number = int(length) if length.isdigit() else 0
            self.digits.append(Digit(pairs.get("Digit", "?"), self.clock(), number))
        elif event == "Newstate" and pairs.get("ChannelStateDesc") == "Up":
            self.answered = True
        elif event == "Hangup":
            self.over = True


async def check_dtmf(
    loaded: Loaded,
    name: str,
    say: Callable[[str], None],
    places: Places | None = None,
    *,
    code: str | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Finding]:
    """Ring the phone `name` (`PJSIP/410`, or `410`) and report what arrived of the code.

    `say` shows the person at the phone what to do. Raises `UserError` when the PBX cannot be
    asked, the account may not place calls, or there is no such phone.
    """
    async with gather_inputs(loaded, places or Places(), digits=True) as inputs:
        if inputs.trouble is not None:
            raise user_error(inputs.trouble)
        if "Originate" not in inputs.granted:
            raise UserError(
                "the AMI account may not place calls",
                "add originate to its line `write =` in manager.conf for as long as you try"
                " phones, or press in a call of yours and see offrecord check --call",
                Exit.PBX_PRIVILEGES,
            )
        who = await _phone(inputs, name)
        told = await codes_in_force.read(inputs)
        wanted = code or _stop_code(inputs, told)
        heard = await _ring(inputs, who, wanted, say, sleep)
        timeout = told.timeout if told else LEAST_TIMEOUT
        found = assess(who, heard, wanted, timeout)
        kept = await endpoint(inputs, who)
        if kept.get("dtmf_mode"):
            found += of_phones(inputs, {who: kept}, "mode")
        return found


def _stop_code(inputs: CheckInputs, told: codes_in_force.Codes | None) -> str:
    """Return the code for a stop: of features.conf, else of the keypad."""
    of_pbx = [own.code for own in (told.ours if told else ()) if own.verb is Verb.STOP]
    keypad = inputs.loaded.config.keypad.codes
    return next(iter(of_pbx + [code for code, verb in keypad.items() if verb is Verb.STOP]), _CODE)


async def _phone(inputs: CheckInputs, name: str) -> str:
    """Return a phone's name with its technology. Raises `UserError`."""
    known = await endpoints(inputs)
    found = [one for one in known if one == name or one.partition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    what = f"no phone is called {name!r}" if not found else f"{name!r} is {' and '.join(found)}"
    near = ", ".join(list(known)[:5]) or "none is shown"
    raise UserError(what, f"name one as PJSIP/410; the PBX has {near}", Exit.NOT_FOUND)


async def _ring(
    inputs: CheckInputs, who: str, code: str, say: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]],
) -> ReceivedDigits:  # fmt: skip
    pbx = inputs.pbx
    heard = ReceivedDigits(f"offrecord-check-{secrets.token_hex(6)}", time.monotonic, [])
    pbx.link.packet_listeners.append(heard.take)
    try:
        answer = await pbx.action(
            "Originate",
            {
                "Channel": who, "ChannelId": heard.uniqueid, "Application": "Read",
                "Data": f"OFFRECORD_CHECK,beep,40,,1,{LISTEN:.0f}", "Async": "true",
                "Timeout": str(int(RING * 1000)), "CallerID": f'"press {code}" <offrecord>',
            },
        )  # fmt: skip
        if not answer.ok:
            raise UserError(f"the PBX does not ring {who}: {answer.message}", "check its name",
                            Exit.NOT_FOUND)  # fmt: skip
        say(f"{who} rings: answer, and press {code} after the beep")
        await _until(lambda: heard.answered or heard.failed or heard.over, RING, sleep)
        if heard.answered:
            await _until(lambda: heard.over or len(heard.digits) >= len(code), LISTEN, sleep)
            await sleep(AFTER)
    finally:
        await _hang_up(inputs, heard, sleep)
        pbx.link.packet_listeners.remove(heard.take)
    return heard


async def _hang_up(
    inputs: CheckInputs, heard: ReceivedDigits, sleep: Callable[[float], Awaitable[None]]
) -> None:
    """Hang the channel up, also one that still rings."""
    if heard.over:
        return
    try:
        await inputs.pbx.action("Hangup", {"Channel": heard.uniqueid})
    except AmiError:
        return  # the link went; the call ends by its own timeouts
    await _until(lambda: heard.over, 2.0, sleep)


async def _until(
    done: Callable[[], bool], seconds: float, sleep: Callable[[float], Awaitable[None]]
) -> None:
    for _ in range(int(seconds / _TICK)):
        if done():
            return
        await sleep(_TICK)


def assess(who: str, heard: ReceivedDigits, code: str, timeout: int) -> list[Finding]:
    """Return the findings for what arrived. `timeout` is milliseconds between digits. Pure."""
    if not heard.answered:
        return [skipped("call", f"{who} was not answered", "answer it, and press the code")]
    if not heard.digits:
        text = f"no digit of {who} arrived within {LISTEN:g} s"
        fix = (
            "let the phone send RFC 4733 (RFC 2833, telephone-event), and see that the AMI account"
            " has read = dtmf"
        )
        return [failure("digits", text, fix, Exit.PBX_SETUP)]
    single, doubled = _without_duplicates(heard.digits)
    found = []
    if doubled:
        text = f"{doubled} digits arrived twice: {who} sends each as a tone and by RFC 4733 too"
        found.append(warning("digits", text, "set the phone to RFC 4733 alone"))
    typed = "".join(one.digit for one in single)
    if typed != code:
        # The digits may be of a card's number: they are counted and not shown.
        text = f"{len(single)} digits arrived, and they are not {code}"
        found.append(failure("digits", text, "press it again, slowly", Exit.PBX_SETUP))
        return found
    lengths, gaps = [one.length for one in single], _gaps(single)
    text = f"{code} arrived: each digit {_range(lengths)} ms long"
    text += f", {_range(gaps)} ms between them" if gaps else ""
    found.append(ok("digits", text))
    if min(lengths) < SHORT and any(lengths):
        text = f"a digit was {min(lengths)} ms long, and under {SHORT} ms some are lost"
        found.append(warning("digits", text, "let the phone send longer digits"))
    if gaps and max(gaps) > timeout:
        text = f"{max(gaps)} ms between two digits, and {TIMEOUT} is {timeout} ms: no code fires"
        fix = (
            f"put `{TIMEOUT} = {max(LEAST_TIMEOUT, max(gaps) + 500)}` into [general] of"
            " features.conf, or press faster"
        )
        found.append(failure("digits", text, fix, Exit.PBX_SETUP))
    return found


def _without_duplicates(digits: Sequence[Digit]) -> tuple[list[Digit], int]:
    """Return the digits without duplicates, and how many duplicates arrived."""
    single: list[Digit] = []
    for one in digits:
        last = single[-1] if single else None
        began = one.ended * 1000 - one.length
        if last and last.digit == one.digit and began - last.ended * 1000 < DUPLICATE_GAP:
            continue
        single.append(one)
    return single, len(digits) - len(single)


def _gaps(digits: Sequence[Digit]) -> list[int]:
    """Return the milliseconds from the end of each digit to the beginning of the next."""
    return [
        max(0, round((after.ended - before.ended) * 1000) - after.length)
        for before, after in itertools.pairwise(digits)
    ]


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
