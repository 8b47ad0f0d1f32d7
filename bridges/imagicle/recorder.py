# SPDX-License-Identifier: Apache-2.0
"""The recorder of kind `imagicle`: what the daemon opens, asks and closes."""

import asyncio
from typing import Final

from bridges.imagicle.answers import Case
from bridges.imagicle.attempt import Attempt, OutOfTimeError
from bridges.imagicle.client import Answer, Node
from bridges.imagicle.execute import BY_ID, OrderExecution
from bridges.imagicle.find_call import WantedCall
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
from bridges.shared.answer_table import OrderEnd
from bridges.shared.call_parties import parties
from bridges.shared.recorder_base import RecorderBase

_UNAVAILABLE: Final = {
    Case.UNTRUSTED: ("untrusted", "name the authority that signed it as ca_file"),
    Case.NOT_CONNECTED: ("unreachable", "check url and nodes, and the way there"),
    Case.NO_ANSWER: ("unreachable", "check url and nodes, and that the suite runs"),
    Case.UNAUTHORIZED: ("refused", "use a local user: those of single sign-on are refused"),
    Case.HELD_BACK: ("refused", "correct the password; it is tried again after a minute"),
    Case.FORBIDDEN: ("refused", "give the user Complete Management (level 10)"),
}


class ImagicleRecorder(RecorderBase[ImagicleSettings]):
    """The recorder of kind `imagicle`. Connections are made as they are needed, and kept."""

    kind = "imagicle"
    Settings = ImagicleSettings
    capabilities = Capabilities(frozenset(ORDERS), Evidence.READ_BACK)

    def _prepare(self) -> None:
        self._nodes = [
            Node(url, self._settings, transport=self._transport, clock=self._clock, now=self._now)
            for url in self._settings.addresses
        ]

    async def _disconnect(self) -> None:
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
        """Return what `act` would send, sending nothing."""
        wanted = self._wanted(order)
        if isinstance(wanted, str):
            return Plan(self.name, self.kind, "-", (), wanted)
        node = self._nodes[0]
        look = node.shown(listing(Key.NUMBER, wanted.number))
        if order.verb is Verb.START:
            command = node.shown(start(wanted.number, self._settings.mode))
        else:
            method, _, target = preview(BY_ID[order.verb]).partition(" ")
            command = f"{method} {node.origin}{target}"
        target = f"directory number {wanted.number} ({wanted.told.why})"
        return Plan(self.name, self.kind, target, (look, command, look))

    async def act(self, order: Order) -> RecorderResult:
        """Find the recording, change it, and read the list to see that it is as asked."""
        wanted = self._wanted(order)
        if isinstance(wanted, str):
            return self._result(OrderEnd(Outcome.FAILED, Evidence.NONE, wanted), ())
        attempt = Attempt(
            self._settings, self._nodes, order, wanted, self._clock, self._sleep,
            self._clock() + order.budget,
        )  # fmt: skip
        try:
            async with asyncio.timeout(order.budget):
                end = await OrderExecution(attempt).carry_out()
        except (OutOfTimeError, TimeoutError):
            last = "nothing was asked" if attempt.last is None else f"Imagicle {attempt.last}"
            detail = f"the {order.budget:g} s of this press are over: {last}"
            end = attempt.failed(detail, retryable=attempt.harmless)
        return self._result(end, attempt.steps)

    def _wanted(self, order: Order) -> WantedCall | str:
        """Return the call whose recording is meant, or why that cannot be said."""
        far = self._settings.whose == "far"
        told = parties(order, "far" if far else "presser")
        numbering = self._settings.numbering
        number = numbering.outward(told.number or "")
        if told.number is None or not number:
            return f"no line is known for this call: {told.why}"
        # A line over there may be on calls that are not ours, so it is never known to be alone.
        alone = not far and self._alone(order, told.number)
        return WantedCall(
            told, number, told.number, numbering, self._settings.window, alone, far or alone
        )

    def _alone(self, order: Order, extension: str) -> bool:
        live = self._live_on(extension)
        return live is not None and all(one.linkedid in order.call.lineage for one in live)
