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
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from pydantic import Field

from ami.calls.snapshots import Channel
from ami.pbx import Pbx
from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Order,
    Outcome,
    Plan,
    RecorderResult,
    RecorderUnavailable,
    Verb,
)
from bridges.shared.call_parties import handset
from bridges.shared.http_line import Ending, Exchange, HttpLine
from bridges.shared.settings import ServerSettings

_PLAIN: Final = re.compile(r"[\w.@:~+-]{1,200}", re.ASCII)
_SUCCESS: Final = re.compile(rb"<response>\s*<success>(\w+)</success>")


class OrekaSettings(ServerSettings):
    """Settings of an `oreka` recorder."""

    call_id: str = Field(
        "SIPCALLID", description="the channel variable that holds the SIP Call-ID of its leg"
    )


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

STAND_INS: Final = MappingProxyType(
    {
        Verb.STOP: "Oreka's stop only begins a new file, so the recording is paused",
        Verb.RESUME: "Oreka has no resume, so it is told to record",
    }
)
_COMMANDS: Final = {Verb.STOP: "pause", Verb.PAUSE: "pause"}


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


@dataclass(frozen=True, slots=True)
class Aim:
    """The sessions that an order is about, as parameters of a command, and why those."""

    sessions: tuple[str, ...]
    why: str
    by_id: bool


class OrekaRecorder:
    """The recorder of kind `oreka`. `live_on` returns the live channels of an extension."""

    kind = "oreka"
    Settings = OrekaSettings

    def __init__(
        self,
        name: str,
        settings: OrekaSettings,
        *,
        live_on: Callable[[str], Sequence[Channel] | None],
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            frozenset(ORDERS), Evidence.ACCEPTED, STAND_INS, (settings.call_id,)
        )
        self._settings = settings
        self._live_on = live_on
        self._line = HttpLine(
            settings.url, ca_file=settings.ca_file, plain_http=settings.allow_plain_http
        )

    @classmethod
    def build(cls, name: str, settings: OrekaSettings, pbx: Pbx) -> Self:
        """Return the recorder called `name` for the calls of one PBX."""
        return cls(
            name,
            settings,
            live_on=lambda number: pbx.graph.live_on(number) if pbx.graph.known else None,
        )

    async def open(self) -> None:
        """Nothing to open: OrkAudio closes every connection after its answer."""

    async def close(self) -> None:
        """Close the connections."""
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
        """Say what `act` would send, sending nothing."""
        aim = self._aim(order)
        if isinstance(aim, str):
            return Plan(self.name, self.kind, "-", (), aim)
        requests = (self._line.shown("GET", target) for target in _targets(order.verb, aim))
        return Plan(self.name, self.kind, aim.why, tuple(requests))

    async def act(self, order: Order) -> RecorderResult:
        """Send a command for each session of the call, all at once; the worst answer counts."""
        aim = self._aim(order)
        if isinstance(aim, str):
            return RecorderResult(
                self.name, self.kind, Outcome.FAILED, Evidence.NONE, aim, retryable=True
            )
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(self._line.ask("GET", target, {}, within=order.budget))
                for target in _targets(order.verb, aim)
            ]
        ends = [(task.result(), TABLE[case_of(task.result())]) for task in asked]
        steps = (exchange.step(row.evidence) for exchange, row in ends)
        worst = min((row for _, row in ends), key=lambda row: row.evidence)
        outcome = worst.outcome
        if order.verb is Verb.STOP and outcome is Outcome.ACCEPTED:
            outcome = Outcome.CONTAINED  # it is paused, which is less than stopped
        words = [f"Oreka {worst.said} ({aim.why})"]
        if order.verb in STAND_INS:
            words.append(STAND_INS[order.verb])
        # A command by extension that comes late may hit the next call.
        again = outcome is Outcome.FAILED and (aim.by_id or not worst.maybe_done)
        return RecorderResult(
            self.name, self.kind, outcome, worst.evidence, "; ".join(words), tuple(steps),
            retryable=again,
        )  # fmt: skip

    def _aim(self, order: Order) -> Aim | str:
        """Return what a command is about, or why none is sent.

        A call has a SIP Call-ID for each leg, and Oreka may follow either, so all are named. An
        extension is used only while it means exactly one live call: Oreka takes the first.
        """
        known = order.facts.get(self._settings.call_id, ())
        ids = tuple(f"nativecallid={text}" for text in known if _PLAIN.fullmatch(text))
        if ids:
            return Aim(ids, f"by {len(ids)} SIP Call-ID of this call", by_id=True)
        phone, why = handset(order.call, order.presser)
        if phone is None or phone.extension is None or not _PLAIN.fullmatch(phone.extension):
            return "no SIP Call-ID is known, and no channel of this call belongs to an extension"
        live = self._live_on(phone.extension)
        if live is None:
            return f"the PBX's calls are not known, so {phone.extension} may mean another call"
        if any(channel.linkedid not in order.call.lineage for channel in live):
            names = ", ".join(channel.name for channel in live)
            return f"ambiguous: {phone.extension} is on several live calls: {names}"
        return Aim((f"party={phone.extension}",), f"by extension, {why}", by_id=False)


def _targets(verb: Verb, aim: Aim) -> tuple[str, ...]:
    command = _COMMANDS.get(verb, "record")
    side = "&side=both" if command == "record" else ""
    return tuple(f"/command?type={command}&{session}{side}" for session in aim.sessions)
