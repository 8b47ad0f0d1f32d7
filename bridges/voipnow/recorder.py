# SPDX-License-Identifier: Apache-2.0
"""The recorder of kind `voipnow`: what the daemon opens, asks and closes."""

from typing import Final

from starlette.types import ASGIApp

from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Order,
    Plan,
    RecorderResult,
    RecorderUnavailable,
    Verb,
)
from bridges.shared.answer_table import OrderEnd
from bridges.shared.call_parties import Parties, parties
from bridges.shared.pbx_view import is_only_call
from bridges.shared.recorder_base import RecorderBase
from bridges.voipnow.answers import Case, Next
from bridges.voipnow.call_events import Hook
from bridges.voipnow.client import Answer, Client, body
from bridges.voipnow.execute import Action, OrderExecution
from bridges.voipnow.find_call import Finder, Found, list_target, since_of
from bridges.voipnow.messages import SELF, Place, read_page
from bridges.voipnow.settings import VoipNowSettings

_EVERY_CALL: Final = Place("@me", SELF)
_STAND_INS: Final = {
    Verb.PAUSE: "VoipNow has no pause, so the recording is stopped",
    Verb.RESUME: "VoipNow has no resume, so a new recording is started",
}


class VoipNowRecorder(RecorderBase[VoipNowSettings]):
    """The recorder of kind `voipnow`."""

    kind = "voipnow"
    Settings = VoipNowSettings
    capabilities = Capabilities(frozenset(ORDERS), Evidence.READ_BACK, _STAND_INS)

    def _prepare(self) -> None:
        settings = self._settings
        self._client = Client(
            settings, clock=self._clock, now=self._now, sleep=self._sleep,
            transport=self._transport,
        )  # fmt: skip
        token = settings.hook_token
        self._hook = Hook(
            token.reveal() if token else None, loose=settings.loose_ids, now=self._now
        )
        self.hook: ASGIApp | None = self._hook if token else None
        """The app that takes VoipNow's Call Events; its path ends with `hook_token`."""
        self._finder = Finder(
            settings, self._hook, lambda order, number: is_only_call(order, number, self._live_on)
        )

    async def _disconnect(self) -> None:
        await self._client.line.close()

    def _warm_every(self) -> float:
        return self._settings.keep_warm

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
        requests = self._client.requests(2 * self._settings.timeout)
        return await requests.list(
            _EVERY_CALL.calls(count=1),
            lambda document: read_page(document, _EVERY_CALL, 0, loose=self._settings.loose_ids),
        )

    def plan(self, order: Order) -> Plan:
        """Return what `act` would send, sending nothing."""
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
        """Find the call, carry the verb out, and read its state back."""
        requests = self._client.requests(order.budget)
        found = await self._finder.find(requests, order, self._parties(order))
        if isinstance(found, Found):
            execution = OrderExecution(
                requests, self._finder, _action(order.verb), found, self._settings.read_back
            )
            end = await execution.carry_out()
            words = [f"{end.detail} ({found.why})"]
        else:
            end = found
            words = [end.detail]
        if order.verb in _STAND_INS:
            words.append(_STAND_INS[order.verb])
        detail = self._client.line.masked("; ".join(words))
        return self._result(
            OrderEnd(end.outcome, end.evidence, detail, end.retryable), requests.steps
        )

    def _parties(self, order: Order) -> Parties:
        return parties(order, "far" if self._settings.whose == "far" else "presser")


def _action(verb: Verb) -> Action:
    return "stop" if verb.silences else "start"
