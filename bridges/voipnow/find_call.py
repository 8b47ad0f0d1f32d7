# SPDX-License-Identifier: Apache-2.0
"""Find the call of an order among VoipNow's live calls, and where it is to be addressed.

What VoipNow itself has told comes first, then its lists: of the extension as each of the users
that may see it, then of all extensions at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from bridges.model import Evidence, Order, Outcome
from bridges.shared.answer_table import OrderEnd
from bridges.shared.call_parties import Parties
from bridges.shared.match_call import Ambiguous, Chosen, pick
from bridges.voipnow.answers import Next
from bridges.voipnow.call_events import Hook, ReportedCall
from bridges.voipnow.client import Answer, OrderRequests
from bridges.voipnow.messages import (
    SELF,
    Page,
    PhoneCall,
    Place,
    extensions,
    is_extension,
    read_call,
    read_page,
)
from bridges.voipnow.settings import VoipNowSettings

COUNT: Final = 1000
"""Calls that are asked for at once."""
PAGES: Final = 5
"""Pages of one list that are read."""

_EARLIER: Final = 12 * 3600.0 + 60.0
"""Seconds before our call that one over there may claim to have begun: its UTC offset may lie."""

_ALL: Final = Place("@me", SELF)

Alone = Callable[[Order, str], bool]
"""Tells whether an extension has no other live call here than that of the order."""


@dataclass(frozen=True, slots=True)
class Found:
    """The call, where it was found, why it is the one, and its extension's forms there."""

    call: PhoneCall
    place: Place
    why: str
    forms: tuple[str, ...]

    @property
    def extension(self) -> str:
        """The extension in its fullest form; empty when none is known."""
        return self.forms[0] if self.forms else ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A list that was read. `whole` is False when it went on after the last page we read."""

    calls: tuple[PhoneCall, ...]
    whole: bool


def ended(answer: Answer, what: str = "") -> OrderEnd:
    """Return the end that an answer is when nothing more can be learnt."""
    row = answer.row
    detail = f"{answer.detail}{f'; {what}' if what else ''}"
    return OrderEnd(row.outcome, row.evidence, detail, row.retryable)


class Finder:
    """Finds calls, by the settings of one recorder."""

    def __init__(self, settings: VoipNowSettings, hook: Hook, alone: Alone) -> None:
        self._settings = settings
        self._hook = hook
        self._alone = alone
        self._numbering = settings.numbering

    def forms(self, number: str) -> tuple[str, ...]:
        """Return the forms at VoipNow of an extension of ours, the fullest first."""
        outward = number if "*" in number else self._numbering.outward(number)
        return extensions(outward, self._settings.client_prefix) or (outward,)

    def places(self, forms: Sequence[str]) -> Iterator[Place]:
        """Return the places at which an extension is looked for, the likeliest first."""
        users = ["@me", "@owner"]
        if self._settings.user_id is not None:
            users.append(self._settings.user_id)
        for user in users:
            for form in forms:
                if is_extension(form):
                    yield Place(user, form)

    def told(self, order: Order, told: Parties) -> tuple[ReportedCall, str] | None:
        """Return the call of an order by VoipNow's events, and why it was chosen."""
        ids = {*order.call.lineage, order.call.linkedid}
        ids.update(channel.uniqueid for channel in order.call.channels)
        heard = self._hook.by_ids(ids)
        if heard is not None:
            return heard, f"VoipNow's own event names {heard.call_id}"
        if told.number is None:
            return None
        forms = self.forms(told.number)
        heard_of = [one.candidate() for one in self._hook.of(forms[0])]
        chosen = pick(heard_of, told, self._numbering, window=self._settings.window, only=False)
        if isinstance(chosen, Chosen):
            return chosen.item, f"VoipNow's events, {chosen.why}"
        return None

    async def find(self, requests: OrderRequests, order: Order, told: Parties) -> Found | OrderEnd:
        """Return the call of an order, or what its absence means."""
        by_event = self.told(order, told)
        if told.number is None and by_event is None:
            return OrderEnd(Outcome.FAILED, Evidence.NONE, f"no extension is known: {told.why}")
        if by_event is not None:
            heard, why = by_event
            forms = self.forms(told.number) if told.number else heard.extensions
            read = await self._by_id(requests, Found(PhoneCall(heard.api_id), _ALL, why, forms))
            if read is not None:
                return read
            if told.number is None:
                detail = f"VoipNow no longer has call {heard.api_id} ({why})"
                return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, detail)
        assert told.number is not None
        return await self._by_lists(requests, order, told, self.forms(told.number))

    async def elsewhere(
        self, requests: OrderRequests, found: Found, tried: set[Place]
    ) -> Found | OrderEnd:
        """Look in every list for a call whose id was not known where it was asked for."""
        whole = True
        for place in (_ALL, *self.places(found.forms)):
            listed = await self._list(requests, place)
            if isinstance(listed, Answer):
                if listed.row.next is not Next.ADDRESS:
                    return ended(listed, f"call {found.call.id} was not known")
                continue
            whole = whole and listed.whole
            for call in listed.calls:
                if call.id == found.call.id:
                    for other in self.addresses(replace(found, call=call, place=place)):
                        if other not in tried:
                            return replace(found, call=call, place=other)
                    detail = f"VoipNow lists call {call.id} and takes its id at no address"
                    return OrderEnd(Outcome.FAILED, Evidence.SENT, detail)
        if not whole:
            detail = f"call {found.call.id} was not known, and not every call could be listed"
            return OrderEnd(Outcome.FAILED, Evidence.SENT, detail)
        detail = f"call {found.call.id} has ended at VoipNow"
        return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, detail)

    def addresses(self, found: Found) -> Iterator[Place]:
        """Return the places at which a call may be addressed, the likeliest first."""
        call, place, prefix = found.call, found.place, self._settings.client_prefix
        yield place
        if call.place is not None:
            yield call.place
        own = [view.extension for view in call.of(found.extension)]
        for extension in (*own, call.extension):
            for form in extensions(extension, prefix):
                yield Place(place.user, form)
        yield _ALL
        yield from self.places(found.forms)

    async def again(self, requests: OrderRequests, found: Found) -> PhoneCall | Answer:
        """Read a call again where it was found; return the answer when that failed."""
        target = found.place.call(found.call.id)
        loose = self._settings.loose_ids
        answer = await requests.look(
            target, lambda document: read_call(document, found.call.id, loose=loose)
        )
        return answer.value if isinstance(answer.value, PhoneCall) else answer

    async def _by_id(self, requests: OrderRequests, wanted: Found) -> Found | OrderEnd | None:
        for place in (*self.places(wanted.forms), _ALL):
            found = replace(wanted, place=place)
            call = await self.again(requests, found)
            if isinstance(call, PhoneCall):
                return replace(found, call=call)
            if call.row.next not in {Next.USE, Next.ABSENT, Next.ADDRESS}:
                return ended(call)
        return None

    async def _by_lists(
        self, requests: OrderRequests, order: Order, told: Parties, forms: tuple[str, ...]
    ) -> Found | OrderEnd:
        known, denied = False, None
        for place in self.places(forms):
            listed = await self._list(requests, place)
            if isinstance(listed, Answer):
                if listed.row.next is not Next.ADDRESS:
                    return ended(listed)
                denied = listed
                continue
            known = True
            if listed.calls:
                return self._choose(order, told, forms, listed.calls, place)
        listed = await self._list(requests, _ALL, since=since_of(told.began))
        if isinstance(listed, Answer):
            return ended(listed, f"looking for {forms[0]}")
        calls = [call for call in listed.calls if call.involves(forms[0])]
        if calls:
            return self._choose(order, told, forms, calls, _ALL)
        if known and listed.whole:
            return _nothing(order, f"VoipNow knows {forms[0]} and has no live call of it")
        why = denied.detail if denied else "VoipNow has more calls than are listed"
        detail = f"no live call of {forms[0]} was found: {why}"
        return OrderEnd(Outcome.FAILED, Evidence.SENT, detail)

    def _choose(
        self,
        order: Order,
        told: Parties,
        forms: tuple[str, ...],
        calls: Sequence[PhoneCall],
        place: Place,
    ) -> Found | OrderEnd:
        only = self._settings.whose == "presser" and self._alone(order, told.number or "")
        chosen: Chosen[PhoneCall] | Ambiguous | None = None
        for shifted in (False, True):
            candidates = [call.candidate(forms[0], shifted=shifted) for call in calls]
            chosen = pick(
                candidates, told, self._numbering,
                window=self._settings.window, only=only and shifted,
            )  # fmt: skip
            if isinstance(chosen, Chosen):
                return Found(chosen.item, place, chosen.why, forms)
        if all(call.views and not call.recorded for call in calls):
            return _nothing(order, f"VoipNow records no live call of {forms[0]}: {chosen}")
        return OrderEnd(Outcome.FAILED, Evidence.SENT, str(chosen))

    async def _list(
        self, requests: OrderRequests, place: Place, since: str | None = None
    ) -> Listed | Answer:
        """Read a list to its end, a call that moves between pages once."""
        calls: dict[str, PhoneCall] = {}
        start = 0
        for _ in range(PAGES):
            answer = await self._page(requests, place, start, since)
            if answer.row.next is Next.UNFILTERED and since is not None:
                since = None
                answer = await self._page(requests, place, start, since)
            if answer.row.next is not Next.USE:
                return answer
            page = answer.value
            if not isinstance(page, Page):
                return Listed(tuple(calls.values()), whole=True)
            for call in page.calls:
                calls.setdefault(call.id, call)
            if page.following is None:
                return Listed(tuple(calls.values()), whole=True)
            start = page.following
        return Listed(tuple(calls.values()), whole=False)

    async def _page(
        self, requests: OrderRequests, place: Place, start: int, since: str | None
    ) -> Answer:
        target = list_target(place, start, since)
        loose = self._settings.loose_ids
        return await requests.list(
            target, lambda document: read_page(document, place, start, loose=loose)
        )


def list_target(place: Place, start: int = 0, since: str | None = None) -> str:
    """Return path and query of a list, of calls that entered VoipNow after `since`."""
    query: dict[str, str | int] = {"count": COUNT}
    if start:
        query["startIndex"] = start
    if since is not None:
        query |= {"filterBy": "published", "filterOp": "greaterThan", "filterValue": since}
    return place.calls(**query)


def since_of(began: Sequence[float]) -> str | None:
    """Return from when on the calls of an order may be published; None when that is not known."""
    if not began:
        return None
    moment = datetime.fromtimestamp(began[0] - _EARLIER, UTC)
    return moment.isoformat(timespec="seconds")


def _nothing(order: Order, why: str) -> OrderEnd:
    """Return the end of an order when VoipNow itself shows nothing that it could be about."""
    if order.verb.silences:
        return OrderEnd(Outcome.NOTHING_TO_STOP, Evidence.READ_BACK, why)
    return OrderEnd(Outcome.FAILED, Evidence.READ_BACK, f"nothing to record: {why}")
