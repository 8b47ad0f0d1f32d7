# SPDX-License-Identifier: Apache-2.0
"""Requests of one order within its time, each noted as a step, and two ways to read lists."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bridges.imagicle.answers import Next
from bridges.imagicle.client import Answer, Node
from bridges.imagicle.find_call import Found, Goal, NodeLists, WantedCall
from bridges.imagicle.messages import Ask, Key, Op, listing
from bridges.imagicle.settings import ImagicleSettings
from bridges.model import Evidence, Order, Outcome, Step
from bridges.shared.answer_table import OrderEnd
from bridges.shared.match_call import Ambiguous

TRIES: Final = 3
"""Times that one request is made at most."""

_LEAST: Final = 0.03
"""Seconds that must be left for a request to be worth it."""
_REST: Final = 0.2
"""Seconds before a request is made again."""
_LOOKS: Final = (0.0, 0.5, 1.5)
"""Seconds before each look whether a stop is seen in the list: at 0, 0.5 and 2 s."""


_UNSEEN: Final = {Op.STOP_LINE, Op.PAUSE_LINE, Op.RESUME_LINE}
"""Requests that would hit the next call of a line if they were sent again."""


class OutOfTimeError(Exception):
    """The order's budget is used up."""


@dataclass(slots=True)
class Attempt:
    """The requests of one order to the nodes of one recorder, within its time."""

    settings: ImagicleSettings
    nodes: Sequence[Node]
    order: Order
    wanted: WantedCall
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    ends: float
    steps: list[Step] = field(default_factory=list)
    last: Answer | None = None
    harmless: bool = True
    """False once something was sent that is not to be sent again unseen."""

    # time

    @property
    def left(self) -> float:
        """The seconds left."""
        return self.ends - self.clock()

    async def rest(self, seconds: float = _REST) -> None:
        """Wait. Raises `OutOfTimeError` when no request would fit in after that."""
        if self.left < seconds + _LEAST:
            raise OutOfTimeError
        await self.sleep(seconds)

    def _share(self) -> float:
        """Return the seconds for one request, which leave time for another after it."""
        if self.left < _LEAST:
            raise OutOfTimeError
        return min(self.settings.timeout, max(self.left / 2, min(self.left, 0.2)))

    # requests

    async def ask(self, node: Node, ask: Ask) -> Answer:
        """Make one request and note it. Raises `OutOfTimeError`."""
        within = self._share()
        self.harmless = self.harmless and ask.op not in _UNSEEN
        answer = await node.ask(ask, within)
        self.steps.append(answer.step)
        self.last = answer
        return answer

    def _list(self, *, everything: bool) -> Ask:
        return listing() if everything else listing(Key.NUMBER, self.wanted.number)

    async def look(
        self,
        nodes: Sequence[Node] | None = None,
        *,
        everything: bool = False,
        enough: Callable[[Answer], bool] = lambda _: False,
    ) -> NodeLists:
        """Ask nodes, all of them at the same time, for the recordings of the line, or for all.

        As soon as one answer is `enough`, the others are not waited for. Raises
        `OutOfTimeError`.
        """
        within, ask = self._share(), self._list(everything=everything)
        tasks = [
            asyncio.create_task(node.ask(ask, within))
            for node in (self.nodes if nodes is None else nodes)
        ]
        answers: list[Answer] = []
        try:
            waiting = set(tasks)
            while waiting and not any(map(enough, answers)):
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                answers += [task.result() for task in tasks if task in done]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.steps += [answer.step for answer in answers]
        self.last = answers[-1]
        return NodeLists(tuple(answers))

    async def find(self) -> tuple[Found | Ambiguous | None, NodeLists]:
        """Find the recording of the call; also return what every node said last.

        None means that no list holds it, and that those not in `NodeLists.unread` were read. What
        failed and may work again is asked again.
        """
        known: dict[Node, Answer] = {}

        def plain(answer: Answer) -> bool:
            return isinstance(NodeLists((answer,)).choose(self.wanted, alone=False), Found)

        for attempt in range(TRIES):
            again = [n for n in self.nodes if n not in known or known[n].row.next is Next.REPEAT]
            lists = await self.look(again, enough=plain)
            known |= {answer.node: answer for answer in lists.answers}
            merged = NodeLists(tuple(known[node] for node in self.nodes if node in known))
            whole = len(merged.read) == len(self.nodes)
            chosen = merged.choose(self.wanted, alone=self.wanted.alone and whole)
            hopeful = any(answer.row.next is Next.REPEAT for answer in merged.unread)
            if isinstance(chosen, Found) or not hopeful or attempt == TRIES - 1:
                return chosen, merged
            try:
                await self.rest()
            except OutOfTimeError:
                return chosen, merged
        raise AssertionError("a loop that ends by itself")

    async def verify(self, node: Node, recording: str, goal: Goal) -> bool | None:
        """Look until a recording is as it was asked to be: at once, after 0.5 s, after 2 s.

        False when the list shows that it is not, None when no list was had.
        """
        met: bool | None = None
        for wait in _LOOKS:
            try:
                if wait:
                    await self.rest(wait)
                [answer] = (await self.look([node])).answers
            except OutOfTimeError:
                break
            if answer.items is not None:
                met = goal(next((live for live in answer.items if live.is_(recording)), None))
            if met or (answer.items is None and answer.row.next is not Next.REPEAT):
                break
        return met

    # ends

    def failed(self, detail: str, *, retryable: bool) -> OrderEnd:
        """Return a failure, with the highest level that any request reached."""
        proof = max((step.evidence for step in self.steps), default=Evidence.NONE)
        sent = min(proof, Evidence.SENT)
        return OrderEnd(Outcome.FAILED, sent, detail, retryable)

    def refused(self, answer: Answer) -> OrderEnd:
        """Return the failure that an answer means by itself."""
        return self.failed(f"Imagicle {answer}", retryable=answer.row.retryable)
