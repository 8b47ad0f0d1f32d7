# SPDX-License-Identifier: Apache-2.0
"""Recordings held by VoipNow (4PSA): find the live call, stop its recorded views, read it back."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Self

import anyio
import httpx
from starlette.types import ASGIApp

from ami.ports import HasGraph
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
from bridges.shared.call_parties import Parties, parties
from bridges.shared.keep_warm import Warmer
from bridges.shared.pbx_view import LiveOn, live_on
from bridges.voipnow.answers import Case, Next
from bridges.voipnow.call_events import Hook
from bridges.voipnow.client import Answer, Client, body
from bridges.voipnow.execute import Action, Command
from bridges.voipnow.find_call import Finder, Found, list_target, since_of
from bridges.voipnow.messages import SELF, Place, read_page
from bridges.voipnow.settings import VoipNowSettings

_EVERY_CALL: Final = Place("@me", SELF)
_STAND_INS: Final = {
    Verb.PAUSE: "VoipNow has no pause, so the recording is stopped",
    Verb.RESUME: "VoipNow has no resume, so a new recording is started",
}


class VoipNowRecorder:
    """The recorder of kind `voipnow`.

    `live_on` returns the live channels of an extension, None while they are not known. `clock`
    is monotonic and `now` the time of day, both in seconds; they, `sleep` and `transport` are
    seams.
    """

    kind = "voipnow"
    Settings = VoipNowSettings
    capabilities = Capabilities(frozenset(ORDERS), Evidence.READ_BACK, _STAND_INS)

    def __init__(
        self,
        name: str,
        settings: VoipNowSettings,
        *,
        live_on: LiveOn,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._live_on = live_on
        self._client = Client(settings, clock=clock, now=now, sleep=sleep, transport=transport)
        token = settings.hook_token
        self._hook = Hook(token.reveal() if token else None, loose=settings.loose_ids, now=now)
        self.hook: ASGIApp | None = self._hook if token else None
        """What takes VoipNow's Call Events; its path ends with `hook_token`."""
        self._finder = Finder(settings, self._hook, self._alone)
        self._warmer = Warmer(f"voipnow {name}", self._away, settings.keep_warm, self._client.sleep)

    @classmethod
    def build(cls, name: str, settings: VoipNowSettings, pbx: HasGraph) -> Self:
        """Return the recorder called `name` for the calls of one PBX."""
        return cls(name, settings, live_on=live_on(pbx))

    def __repr__(self) -> str:
        """Return name and server, never a secret."""
        return f"VoipNowRecorder({self.name!r}, {self._settings.url!r})"

    async def open(self) -> None:
        """Get a token and a connection ahead of the first press, and keep them."""
        self._warmer.start()

    async def close(self) -> None:
        """Close the connections."""
        await self._warmer.stop()
        await self._client.line.close()

    async def _away(self) -> str | None:
        """Ask for one call, which keeps token and connection."""
        answer = await self._first_call()
        return None if answer.row.next is Next.USE else answer.detail

    async def probe(self) -> str:
        """Ask for one live call, which proves address, TLS, the App and its right to see calls."""
        answer = await self._first_call()
        row = answer.row
        if row.next is Next.USE:
            return f"{self._settings.url} answers and lets App {self._settings.client_id} see calls"
        unreachable = {Case.NOT_CONNECTED, Case.NO_ANSWER, Case.GATEWAY}
        cause = "refused"
        if answer.reading.case is Case.UNTRUSTED:
            cause = "untrusted"
        elif answer.reading.case in unreachable:
            cause = "unreachable"
        what = f"VoipNow {row.said} ({answer.said})"
        fix = row.hint or "check the URL, and that this machine may reach VoipNow"
        raise RecorderUnavailable(self.name, cause, what, fix)

    async def _first_call(self) -> Answer:
        run = self._client.run(2 * self._settings.timeout)
        return await run.list(
            _EVERY_CALL.calls(count=1),
            lambda document: read_page(document, _EVERY_CALL, 0, loose=self._settings.loose_ids),
        )

    def plan(self, order: Order) -> Plan:
        """Say what `act` would send, sending nothing."""
        told = self._parties(order)
        heard = self._finder.told(order, told)
        if told.number is None and heard is None:
            return Plan(self.name, self.kind, "-", (), f"no extension is known: {told.why}")
        line, action = self._client.line, _action(order.verb)
        requests = [] if self._client.tokens.ready else [self._client.tokens.shown()]
        if heard is None:
            assert told.number is not None
            places = list(self._finder.places(self._finder.forms(told.number)))
            requests += [line.shown("GET", list_target(place)) for place in places]
            everywhere = list_target(_EVERY_CALL, since=since_of(told.began))
            requests.append(line.shown("GET", everywhere))
            place, call_id = (places or [_EVERY_CALL])[0], "{phoneCallId}"
            target = f"extension {told.number} ({told.why})"
        else:
            forms = self._finder.forms(told.number) if told.number else heard[0].extensions
            place = next(self._finder.places(forms), _EVERY_CALL)
            call_id = heard[0].api_id
            target = f"call {call_id} ({heard[1]})"
            requests.append(line.shown("GET", place.call(call_id)))
        path = f"{place.calls()}/{call_id}"
        requests.append(line.shown("PUT", path, body(action, "{phoneCallViewId}")))
        if self._settings.read_back:
            requests.append(line.shown("GET", path))
        return Plan(self.name, self.kind, target, tuple(requests))

    async def act(self, order: Order) -> RecorderResult:
        """Find the call, carry the verb out, and read back what became of it."""
        run = self._client.run(order.budget)
        found = await self._finder.find(run, order, self._parties(order))
        why = ""
        if isinstance(found, Found):
            why = f" ({found.why})"
            action = _action(order.verb)
            command = Command(run, self._finder, action, found, self._settings.read_back)
            end = await command.carry_out()
        else:
            end = found
        words = [f"{end.detail}{why}"]
        if order.verb in _STAND_INS:
            words.append(_STAND_INS[order.verb])
        return RecorderResult(
            self.name,
            self.kind,
            end.outcome,
            end.evidence,
            self._client.line.masked("; ".join(words)),
            tuple(run.steps),
            retryable=end.retryable and end.outcome is Outcome.FAILED,
        )

    def _parties(self, order: Order) -> Parties:
        return parties(order, "far" if self._settings.whose == "far" else "presser")

    def _alone(self, order: Order, number: str) -> bool:
        live = self._live_on(number)
        return bool(live) and all(one.linkedid in order.call.lineage for one in live or ())


def _action(verb: Verb) -> Action:
    return "stop" if verb.silences else "start"
