# SPDX-License-Identifier: Apache-2.0
"""The recorder of kind `imagicle`: who is meant, how long it may take, what is said at the end."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Self

import anyio
import httpx

from ami.ports import HasGraph
from bridges.imagicle.answers import Case
from bridges.imagicle.attempt import KIND, OutOfTimeError, Run
from bridges.imagicle.client import Answer, Node
from bridges.imagicle.execute import BY_ID, begin, change
from bridges.imagicle.find_call import Whose
from bridges.imagicle.messages import BASE, Key, listing, preview, start
from bridges.imagicle.settings import ImagicleSettings
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
from bridges.shared.call_parties import parties
from bridges.shared.pbx_view import LiveOn, live_on

_UNAVAILABLE: Final = {
    Case.UNTRUSTED: ("untrusted", "name the authority that signed it as ca_file"),
    Case.NOT_CONNECTED: ("unreachable", "check url and nodes, and the way there"),
    Case.NO_ANSWER: ("unreachable", "check url and nodes, and that the suite runs"),
    Case.UNAUTHORIZED: ("refused", "use a local user: those of single sign-on are refused"),
    Case.HELD_BACK: ("refused", "correct the password; it is tried again after a minute"),
    Case.FORBIDDEN: ("refused", "give the user Complete Management (level 10)"),
}


class ImagicleRecorder:
    """The recorder of kind `imagicle`.

    `live_on` returns the live channels of an extension, None while they are not known. `clock`
    is monotonic and `now` the time of day, both in seconds; they, `sleep` and `transport` are
    seams.
    """

    kind = KIND
    Settings = ImagicleSettings
    capabilities = Capabilities(frozenset(ORDERS), Evidence.READ_BACK)

    def __init__(
        self,
        name: str,
        settings: ImagicleSettings,
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
        self._clock = clock
        self._sleep = sleep
        self._nodes = [
            Node(url, settings, transport=transport, clock=clock, now=now)
            for url in settings.addresses
        ]

    @classmethod
    def build(cls, name: str, settings: ImagicleSettings, pbx: HasGraph) -> Self:
        """Return the recorder called `name` for the calls of one PBX."""
        return cls(name, settings, live_on=live_on(pbx))

    def __repr__(self) -> str:
        """Return name and server, never the password."""
        return f"ImagicleRecorder({self.name!r}, {self._settings.url!r})"

    async def open(self) -> None:
        """Nothing to open: connections are made as they are needed, and kept."""

    async def close(self) -> None:
        """Close the connections."""
        for node in self._nodes:
            await node.close()

    async def probe(self) -> str:
        """Ask every node for the recordings of our own user, of which there are hardly any."""
        ask = listing(Key.USER, self._settings.username)
        answers = await asyncio.gather(
            *(node.ask(ask, self._settings.timeout) for node in self._nodes)
        )
        for answer in answers:
            if answer.items is None:
                raise self._unavailable(answer)
        names = ", ".join(node.origin for node in self._nodes)
        return f"{names} took the password of {self._settings.username} and listed recordings"

    def _unavailable(self, answer: Answer) -> RecorderUnavailable:
        cause, fix = _UNAVAILABLE.get(
            answer.case, ("refused", f"check that Call Recording answers under {BASE}")
        )
        return RecorderUnavailable(self.name, cause, f"Imagicle {answer}", fix)

    def plan(self, order: Order) -> Plan:
        """Say what `act` would send, sending nothing."""
        whose = self._whose(order)
        if isinstance(whose, str):
            return Plan(self.name, self.kind, "-", (), whose)
        node = self._nodes[0]
        look = node.shown(listing(Key.NUMBER, whose.number))
        if order.verb is Verb.START:
            command = node.shown(start(whose.number, self._settings.mode))
        else:
            method, _, target = preview(BY_ID[order.verb]).partition(" ")
            command = f"{method} {node.origin}{target}"
        target = f"directory number {whose.number} ({whose.told.why})"
        return Plan(self.name, self.kind, target, (look, command, look))

    async def act(self, order: Order) -> RecorderResult:
        """Find the recording, change it, and read the list to see that it is so."""
        whose = self._whose(order)
        if isinstance(whose, str):
            return RecorderResult(
                self.name, self.kind, Outcome.FAILED, Evidence.NONE, whose, retryable=True
            )
        run = Run(
            self.name, self._settings, self._nodes, order, whose, self._clock, self._sleep,
            self._clock() + order.budget,
        )  # fmt: skip
        try:
            async with asyncio.timeout(order.budget):
                if order.verb is Verb.START:
                    return await begin(run)
                return await change(run, order.verb)
        except (OutOfTimeError, TimeoutError):
            last = "nothing was asked" if run.last is None else f"Imagicle {run.last}"
            detail = f"the {order.budget:g} s of this press are over: {last}"
            return run.failed(detail, retryable=run.harmless)

    def _whose(self, order: Order) -> Whose | str:
        """Return whose recording is meant, or why that cannot be said."""
        far = self._settings.whose == "far"
        told = parties(order, "far" if far else "presser")
        numbering = self._settings.numbering
        number = numbering.outward(told.number or "")
        if told.number is None or not number:
            return f"no line is known for this call: {told.why}"
        # A line over there may be on calls that are not ours, so it is never known to be alone.
        alone = not far and self._alone(order, told.number)
        return Whose(
            told, number, told.number, numbering, self._settings.window, alone, far or alone
        )

    def _alone(self, order: Order, extension: str) -> bool:
        live = self._live_on(extension)
        return live is not None and all(one.linkedid in order.call.lineage for one in live)
