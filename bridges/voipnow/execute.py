# SPDX-License-Identifier: Apache-2.0
"""Carry out a stop or a start on a call that was found, until its own state proves it.

A stop is about every view of the call that VoipNow records, the pressed extension's first: while
one of them is left, the call is recorded.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from bridges.model import Evidence, Outcome
from bridges.shared.answer_table import OrderEnd, Row
from bridges.voipnow.answers import Next
from bridges.voipnow.client import Answer, OrderRequests
from bridges.voipnow.find_call import Finder, Found, ended
from bridges.voipnow.messages import PhoneCall, Place, View

COMMANDS: Final = 6
"""Commands of one order at most."""
DELAYS: Final = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Seconds before each reading of a call after a command."""

_SHORT: Final = (0.0, 0.2, 0.3)
_VIEW_ROUNDS: Final = 2

Action = Literal["stop", "start"]
State = Literal["done", "same", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A call's state after a command, the call with it when it could be read."""

    state: State
    call: PhoneCall
    why: str = ""


class OrderExecution:
    """One order's action. `read_back` is how many seconds its effect is awaited at most."""

    def __init__(
        self,
        requests: OrderRequests,
        finder: Finder,
        action: Action,
        found: Found,
        read_back: float,
    ) -> None:
        self._requests = requests
        self._finder = finder
        self._action: Action = action
        self._found = found
        self._read_back = read_back
        self._tried = {found.place}
        self._sent = False
        self._unproven: OrderEnd | None = None
        self._view_rounds = 0
        self._repeated = False

    async def carry_out(self) -> OrderEnd:
        """Act on one view after the other until the call is as asked; return how that ended."""
        for _ in range(COMMANDS):
            view = self._choose()
            if isinstance(view, OrderEnd):
                return view
            found = self._found
            target = found.place.call(found.call.id)
            answer = await self._requests.command(self._action, target, view.id)
            end = await self._follow(answer, view)
            if end is not None:
                return end
        detail = f"call {self._found.call.id} is still not as asked after {COMMANDS} requests"
        return OrderEnd(Outcome.FAILED, Evidence.READ_BACK, detail)

    def _choose(self) -> View | OrderEnd:
        """Return the view to act on next, or the end when none is left."""
        call = self._found.call
        if not call.views:
            detail = f"VoipNow shows no view of call {call.id}, so nothing is known of it"
            return OrderEnd(Outcome.FAILED, Evidence.SENT, detail)
        own = call.of(self._found.extension)
        recorded = call.recorded
        if self._action == "stop":
            left = [view for view in own if view.recording] or recorded
            return left[0] if left else self._settled(f"VoipNow shows call {call.id} unrecorded")
        if recorded or self._unproven is not None:
            return self._settled(f"VoipNow shows call {call.id} recorded")
        views = own or (call.views if len(call.views) == 1 else ())
        detail = f"no view of call {call.id} is that of {self._found.extension}"
        return views[0] if views else OrderEnd(Outcome.FAILED, Evidence.READ_BACK, detail)

    def _settled(self, detail: str) -> OrderEnd:
        if self._unproven is not None:
            return self._unproven
        done = self._sent or self._action == "start"
        outcome = Outcome.CONFIRMED if done else Outcome.NOTHING_TO_STOP
        return OrderEnd(outcome, Evidence.READ_BACK, detail, retryable=False)

    async def _follow(self, answer: Answer, view: View) -> OrderEnd | None:
        """Do what an answer asks for. None when the call is to be looked at again."""
        row = answer.row
        match row.next:
            case Next.READ | Next.READ_AGAIN:
                self._sent = True
                return await self._prove(answer, row, view)
            case Next.LOCATE:
                return self._move(
                    await self._finder.elsewhere(self._requests, self._found, self._tried)
                )
            case Next.ADDRESS:
                return self._readdress(answer)
            case Next.VIEWS if self._view_rounds < _VIEW_ROUNDS:
                self._view_rounds += 1
                return await self._reread(answer)
        return ended(answer, "nothing was carried out")

    async def _prove(self, answer: Answer, row: Row[Next], view: View) -> OrderEnd | None:
        again = row.next is Next.READ_AGAIN and not self._repeated
        if not self._read_back and row.outcome is Outcome.ACCEPTED:
            again = False
        seen = await self._settle(view, _SHORT if again else DELAYS)
        call = seen.call
        if seen.state == "gone":
            detail = f"call {call.id} has ended at VoipNow"
            return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, detail, retryable=False)
        if seen.state == "done":
            self._found = replace(self._found, call=call)
            return None
        if again:
            self._repeated = True
            return None
        if seen.state == "same":
            word = "not recorded" if self._action == "start" else "still recorded"
            detail = (
                f"{answer.detail}, but it shows view {view.id} of call {call.id} {word};"
                " see the extension's call recording and its trigger there"
            )
            return OrderEnd(Outcome.FAILED, Evidence.READ_BACK, detail)
        end = ended(answer, f"the effect could not be read back{seen.why}")
        if end.outcome is not Outcome.ACCEPTED:
            return end
        self._unproven = end
        self._found = replace(self._found, call=call.without(view.id))
        return None

    async def _settle(self, view: View, delays: tuple[float, ...]) -> Seen:
        """Read the call until the view is as asked, or no time is left."""
        seen = Seen("unknown", self._found.call)
        if not self._read_back:
            return seen
        room = self._requests.left - self._read_back
        for delay in delays:
            if delay and (self._requests.left <= room or not await self._requests.wait(delay)):
                break
            read = await self._finder.again(self._requests, self._found)
            if isinstance(read, PhoneCall):
                recorded = any(one.id == view.id for one in read.recorded)
                done = recorded is (self._action == "start")
                seen = Seen("done" if done else "same", read)
            elif read.row.next in {Next.USE, Next.ABSENT}:
                return Seen("gone", self._found.call)
            else:
                seen = Seen("unknown", self._found.call, f": {read.detail}")
            if seen.state == "done":
                break
        return seen

    async def _reread(self, answer: Answer) -> OrderEnd | None:
        read = await self._finder.again(self._requests, self._found)
        if isinstance(read, PhoneCall):
            self._found = replace(self._found, call=read)
            return None
        if read.row.next in {Next.USE, Next.ABSENT}:
            return self._move(
                await self._finder.elsewhere(self._requests, self._found, self._tried)
            )
        return ended(answer, read.detail)

    def _readdress(self, answer: Answer) -> OrderEnd | None:
        for place in self._finder.addresses(self._found):
            if place not in self._tried:
                self._at(place)
                return None
        return ended(answer, "at every address of the call")

    def _move(self, where: Found | OrderEnd) -> OrderEnd | None:
        if isinstance(where, OrderEnd):
            return where
        self._found = where
        self._at(where.place)
        return None

    def _at(self, place: Place) -> None:
        self._tried.add(place)
        self._found = replace(self._found, place=place)
