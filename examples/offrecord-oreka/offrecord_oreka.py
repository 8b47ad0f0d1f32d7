# SPDX-License-Identifier: Apache-2.0
"""Recordings held by Oreka: OrkAudio's HTTP commands, for offrecord.

What is known of it, and from where:

- The commands, their parameters and the port, from the vendor's "Oreka API" (files.orecx.com,
  revision 2.60; OrekaAPI.pdf attached to issue 117 of github.com/voiceip/oreka):
  `GET /command?type=record|pause|stop` with `party`, `nativecallid` or `orkuid`.
- Answers, from the source of github.com/voiceip/oreka. `success` is true whether or not a session
  was found (`RecordMsg.cpp`), an unknown command is a 404 (`MultiThreadedServer.cpp`), values are
  not percent-decoded (`UrlSerializer.cpp`). A stop closes the file, and the packets that follow
  go into a new one (`VoIpSessions::StopCapture`). There is no password and no way to read a state.

It is one file because it is small. Before each section stands the name of the file that it would
be in a folder, as our own kinds have it. A client.py is not needed: `HttpLine` makes the requests.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import Field

from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    RecorderResult,
    RecorderUnavailable,
    Step,
    Verb,
)
from bridges.shared.answer_table import OrderEnd
from bridges.shared.call_parties import handset
from bridges.shared.http_line import Ending, Exchange, HttpLine
from bridges.shared.pbx_view import LiveOn
from bridges.shared.recorder_base import RecorderBase
from bridges.shared.settings import ServerSettings

# In a folder: settings.py


class OrekaSettings(ServerSettings):
    """Settings of an `oreka` recorder."""

    call_id: str = Field(
        "SIPCALLID", description="the channel variable that holds the SIP Call-ID of its leg"
    )


# In a folder: messages.py

STAND_INS: Final = MappingProxyType(
    {
        Verb.STOP: "Oreka's stop only begins a new file, so the recording is paused",
        Verb.RESUME: "Oreka has no resume, so it is told to record",
    }
)
_COMMANDS: Final = {Verb.STOP: "pause", Verb.PAUSE: "pause"}


def targets(verb: Verb, sessions: Sequence[str]) -> tuple[str, ...]:
    """Return path and query of the command for each session; values are not percent-encoded."""
    command = _COMMANDS.get(verb, "record")
    side = "&side=both" if command == "record" else ""
    return tuple(f"/command?type={command}&{session}{side}" for session in sessions)


# In a folder: find_call.py

_PLAIN: Final = re.compile(r"[\w.@:~+-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Aim:
    """The sessions that an order is about, as parameters of a command, and why those."""

    sessions: tuple[str, ...]
    why: str
    by_id: bool


def aim_of(order: Order, variable: str, live_on: LiveOn) -> Aim | str:
    """Return the sessions that an order is about, or why no command is sent.

    A call has a SIP Call-ID for each leg, and Oreka may follow either of them: all are named. An
    extension is used only while it means exactly one live call: Oreka takes the first.
    """
    known = order.facts.get(variable, ())
    ids = tuple(f"nativecallid={text}" for text in known if _PLAIN.fullmatch(text))
    if ids:
        return Aim(ids, f"by {len(ids)} SIP Call-ID of this call", by_id=True)
    phone, why = handset(order.call, order.presser)
    if phone is None or phone.extension is None or not _PLAIN.fullmatch(phone.extension):
        return "no SIP Call-ID is known, and no channel of this call belongs to an extension"
    live = live_on(phone.extension)
    if live is None:
        return f"the PBX's calls are not known, so {phone.extension} may mean another call"
    if any(channel.linkedid not in order.call.lineage for channel in live):
        names = ", ".join(channel.name for channel in live)
        return f"ambiguous: {phone.extension} is on several live calls: {names}"
    return Aim((f"party={phone.extension}",), f"by extension, {why}", by_id=False)


# In a folder: answers.py

_SUCCESS: Final = re.compile(rb"<response>\s*<success>(\w+)</success>")


class Case(StrEnum):
    """Every ending of a command."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    JUNK = "junk"
    NO_ANSWER = "no_answer"
    NOT_CONNECTED = "not_connected"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class Row:
    """What a case means. `maybe_done`: Oreka may have carried it out."""

    outcome: Outcome
    evidence: Evidence
    said: str
    maybe_done: bool = False


TABLE: Final = MappingProxyType(
    {
        Case.DONE: Row(
            Outcome.ACCEPTED, Evidence.ACCEPTED,
            "accepted, as it does whether or not it found the call",
        ),
        Case.REFUSED: Row(Outcome.FAILED, Evidence.SENT, "refused"),
        Case.UNKNOWN: Row(Outcome.FAILED, Evidence.SENT, "does not know the command"),
        Case.JUNK: Row(Outcome.FAILED, Evidence.SENT, "was not understood", maybe_done=True),
        Case.NO_ANSWER: Row(Outcome.FAILED, Evidence.SENT, "gave no answer", maybe_done=True),
        Case.NOT_CONNECTED: Row(Outcome.FAILED, Evidence.NONE, "was not reached"),
        Case.UNTRUSTED: Row(Outcome.FAILED, Evidence.NONE, "is not trusted"),
    }
)  # fmt: skip
"""Every case with its meaning. What is not in it cannot come out of `case_of`."""


def case_of(exchange: Exchange) -> Case:
    """Return the case of an exchange: by its ending, then its status, then its body."""
    if exchange.ending is not Ending.ANSWERED:
        by_ending = {Ending.NOT_CONNECTED: Case.NOT_CONNECTED, Ending.UNTRUSTED: Case.UNTRUSTED}
        return by_ending.get(exchange.ending, Case.NO_ANSWER)
    if exchange.status == 404:
        return Case.UNKNOWN
    found = _SUCCESS.search(exchange.body) if exchange.status == 200 else None
    if found is None:
        return Case.JUNK
    return Case.DONE if found[1] in {b"true", b"yes", b"1"} else Case.REFUSED


# In a folder: execute.py


async def carry_out(order: Order, aim: Aim, line: HttpLine) -> tuple[OrderEnd, tuple[Step, ...]]:
    """Send a command for each session of the call, all at once; the worst answer counts."""
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(line.ask("GET", target, {}, within=order.budget))
            for target in targets(order.verb, aim.sessions)
        ]
    answers = [(task.result(), TABLE[case_of(task.result())]) for task in asked]
    worst = min((row for _, row in answers), key=lambda row: row.evidence)
    outcome = worst.outcome
    if order.verb is Verb.STOP and outcome is Outcome.ACCEPTED:
        outcome = Outcome.CONTAINED  # it is paused, which is less than stopped
    words = [f"Oreka {worst.said} ({aim.why})"]
    if order.verb in STAND_INS:
        words.append(STAND_INS[order.verb])
    # A command by extension that comes late may hit the next call.
    again = aim.by_id or not worst.maybe_done
    end = OrderEnd(outcome, worst.evidence, "; ".join(words), retryable=again)
    return end, tuple(exchange.step(row.evidence) for exchange, row in answers)


# In a folder: recorder.py


class OrekaRecorder(RecorderBase[OrekaSettings]):
    """The recorder of kind `oreka`."""

    kind = "oreka"
    Settings = OrekaSettings

    def _prepare(self) -> None:
        settings = self._settings
        self.capabilities = Capabilities(
            frozenset(ORDERS), Evidence.ACCEPTED, STAND_INS, (settings.call_id,)
        )
        self._line = HttpLine(
            settings.url, ca_file=settings.ca_file, plain_http=settings.allow_plain_http
        )

    async def _disconnect(self) -> None:
        await self._line.close()

    async def probe(self) -> str:
        """Send a ping, which does not prove that anything is recorded."""
        within = self._settings.timeout
        exchange = await self._line.ask("GET", "/command?type=ping", {}, within=within)
        case = case_of(exchange)
        if case is Case.DONE:
            return f"{self._settings.url} answers a ping; Oreka asks for no password"
        cause = {Case.UNTRUSTED: "untrusted", Case.NOT_CONNECTED: "unreachable"}
        cause[Case.NO_ANSWER] = "unreachable"
        fix = "check the URL (OrkAudio listens on port 59140) and the firewall between"
        raise RecorderUnavailable(self.name, cause.get(case, "refused"), exchange.said, fix)

    def plan(self, order: Order) -> Plan:
        """Return what `act` would send, sending nothing."""
        aim = self._aim(order)
        if isinstance(aim, str):
            return Plan(self.name, self.kind, "-", (), aim)
        requests = tuple(
            self._line.shown("GET", target) for target in targets(order.verb, aim.sessions)
        )
        return Plan(self.name, self.kind, aim.why, requests)

    async def act(self, order: Order) -> RecorderResult:
        """Carry out one order, unless it cannot be said which call it means."""
        aim = self._aim(order)
        if isinstance(aim, str):
            return self._result(OrderEnd(Outcome.FAILED, Evidence.NONE, aim), ())
        end, steps = await carry_out(order, aim, self._line)
        return self._result(end, steps)

    def _aim(self, order: Order) -> Aim | str:
        return aim_of(order, self._settings.call_id, self._live_on)
