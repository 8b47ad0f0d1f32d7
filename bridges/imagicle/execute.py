# SPDX-License-Identifier: Apache-2.0
"""Carry out one order at Imagicle: find the recording, change it, read the list to prove it."""

from bridges.imagicle.answers import Case, Next
from bridges.imagicle.attempt import TRIES, Attempt, OutOfTimeError
from bridges.imagicle.client import Answer, Node
from bridges.imagicle.find_call import GONE, PAUSED, RUNNING, SILENT, Found, Goal, NodeLists
from bridges.imagicle.messages import Key, Live, Op, by_id, by_line, start
from bridges.model import Evidence, Outcome, Verb
from bridges.shared.answer_table import OrderEnd
from bridges.shared.match_call import Ambiguous

BY_ID = {Verb.STOP: Op.STOP_ID, Verb.PAUSE: Op.PAUSE_ID, Verb.RESUME: Op.RESUME_ID}
BY_LINE = {
    Op.STOP_ID: Op.STOP_LINE, Op.PAUSE_ID: Op.PAUSE_LINE, Op.RESUME_ID: Op.RESUME_LINE,
}  # fmt: skip
_GOALS: dict[Op, Goal] = {Op.STOP_ID: GONE, Op.PAUSE_ID: SILENT, Op.RESUME_ID: RUNNING}
_DONE = {Op.STOP_ID: "stopped", Op.PAUSE_ID: "paused", Op.RESUME_ID: "resumed"}


class OrderExecution:
    """One order carried out: the recording found, changed, and read back until it is as asked.

    By recording id where the list is to be had, by line where it is not.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    async def carry_out(self) -> OrderEnd:
        """Do what the order's verb asks. Raises `OutOfTimeError`."""
        verb = self._attempt.order.verb
        return await (self._begin() if verb is Verb.START else self._change(BY_ID[verb]))

    async def _change(self, op: Op) -> OrderEnd:
        """Stop, pause or resume the recording of the call."""
        found, lists = await self._attempt.find()
        if isinstance(found, Found):
            return await self._settle(op, found)
        if isinstance(found, Ambiguous):
            return self._attempt.failed(str(found), retryable=True)
        if lines := lists.by_line:
            return await self._by_line(op, lists, [answer.node for answer in lines])
        if lists.unread:
            return self._cannot_tell(lists)
        return await self._nothing(f"no recording of line {self._attempt.wanted.number} is live")

    async def _begin(self) -> OrderEnd:
        """Start a recording of the call, unless there is one: a paused one is resumed."""
        found, lists = await self._attempt.find()
        if isinstance(found, Found):
            return await self._running(found)
        if isinstance(found, Ambiguous):
            return self._attempt.failed(str(found), retryable=True)
        listed, named = [a.node for a in lists.read], [a.node for a in lists.by_line]
        if not listed and not named:
            return self._attempt.refused(lists.unread[0])
        return await self._start(listed or named, look=bool(listed))

    async def _settle(self, op: Op, found: Found) -> OrderEnd:
        if op is not Op.STOP_ID and _GOALS[op](found.live):
            detail = f"recording {found.live.id} is {_state(op)} already ({found.why})"
            return OrderEnd(Outcome.CONFIRMED, Evidence.READ_BACK, detail)
        return await self._by_id(op, found)

    async def _by_id(self, op: Op, found: Found) -> OrderEnd:
        """Change one recording by its id; read the lists before each repetition."""
        node, maybe, said = found.node, False, ""
        for _ in range(TRIES):
            answer = await self._attempt.ask(node, by_id(op, found.live.id))
            row, said = answer.row, f"Imagicle {answer}"
            if row.next is Next.VERIFY:
                return await self._verified(op, answer, found)
            if row.next is Next.CONTAIN:
                return await self._contain(answer, found)
            if row.next is Next.END:
                return self._attempt.refused(answer)
            maybe = maybe or row.maybe_done
            judged = await self._look_again(op, answer, found, maybe=maybe)
            if isinstance(judged, OrderEnd):
                return judged
            node = judged
        return self._attempt.failed(f"{found}: {said}", retryable=True)

    async def _look_again(
        self, op: Op, answer: Answer, found: Found, *, maybe: bool
    ) -> OrderEnd | Node:
        """Read the lists after a request without a yes; return the end, or the next node."""
        lists = await self._attempt.look()
        seen = lists.seen(found.live.id)
        if (maybe or seen) and _met(op, lists, seen, found.node):
            detail = f"{_DONE[op]}, as the list shows, without a yes of the server: {found}"
            return OrderEnd(Outcome.CONFIRMED, Evidence.READ_BACK, detail)
        if not seen and not lists.unread:
            return await self._nothing(f"recording {found.live.id} is not live any more")
        if answer.row.next is Next.LOOK:
            others = [other for other in seen if other is not answer.node]
            return others[0] if others else self._conflict(answer, lists, listed=bool(seen))
        await self._attempt.rest()
        return self._next_node(answer.node, seen, stay=answer.row.next is Next.REPEAT)

    def _next_node(self, node: Node, seen: dict[Node, Live], *, stay: bool) -> Node:
        """Return the node to ask next: on a fault the same, else one that may hold it."""
        if stay:
            return node
        at = list(self._attempt.nodes).index(node)
        others = [*self._attempt.nodes[at + 1 :], *self._attempt.nodes[:at]]
        listing = [other for other in others if other in seen]
        if listing:
            return listing[0]
        return node if node in seen or not others else others[0]

    def _conflict(self, answer: Answer, lists: NodeLists, *, listed: bool) -> OrderEnd:
        if listed:
            detail = f"contradiction: the list shows it, yet Imagicle {answer}"
            return self._attempt.failed(detail, retryable=True)
        return self._cannot_tell(lists)

    def _cannot_tell(self, lists: NodeLists) -> OrderEnd:
        """Return the failure of a look that did not reach every node."""
        first = lists.unread[0]
        others = "" if not lists.read else "; the other nodes list nothing"
        return self._attempt.failed(f"Imagicle {first}{others}", retryable=first.row.retryable)

    async def _nothing(self, detail: str) -> OrderEnd:
        """Return that nothing is recorded, unless a list shows the call under another number."""
        try:
            other = (await self._attempt.look(everything=True)).elsewhere(self._attempt.wanted)
        except OutOfTimeError:
            other = None
        if other is not None:
            said = f"{detail}, but {other} has the remote party and the time of this call"
            return self._attempt.failed(f"{said}; check strip, mask and whose", retryable=True)
        everyone = (
            ""
            if len(self._attempt.nodes) == 1
            else f", on none of {len(self._attempt.nodes)} nodes"
        )
        return OrderEnd(Outcome.NOTHING_TO_STOP, Evidence.READ_BACK, f"{detail}{everyone}")

    async def _verified(self, op: Op, answer: Answer, found: Found) -> OrderEnd:
        met = await self._attempt.verify(answer.node, found.live.id, _GOALS[op])
        if met:
            return OrderEnd(Outcome.CONFIRMED, Evidence.READ_BACK, f"{_DONE[op]}: {found}")
        if met is None:
            detail = f"Imagicle {answer.row.said}, and its list was not to be had: {found}"
            return OrderEnd(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)
        detail = f"contradiction: Imagicle {answer.row.said}, and its list shows no change: {found}"
        return self._attempt.failed(detail, retryable=True)

    async def _contain(self, refused: Answer, found: Found | None) -> OrderEnd:
        """Pause what cannot be stopped, where the site wants that."""
        if not self._attempt.settings.pause_when_unstoppable:
            return self._attempt.refused(refused)
        why = f"paused, NOT stopped: Imagicle {refused.row.said}"
        try:
            if found is None:
                pause = by_line(Op.PAUSE_LINE, Key.NUMBER, self._attempt.wanted.number)
            else:
                pause = by_id(Op.PAUSE_ID, found.live.id)
            answer = await self._attempt.ask(refused.node, pause)
        except OutOfTimeError:
            return self._attempt.refused(refused)
        if answer.row.next is not Next.VERIFY:
            said = f"neither stopped nor paused: Imagicle {refused.row.said}; then {answer}"
            return self._attempt.failed(said, retryable=answer.row.retryable)
        met = (
            None
            if found is None
            else await self._attempt.verify(answer.node, found.live.id, PAUSED)
        )
        if met is False:
            said = (
                f"contradiction: Imagicle {answer.row.said}, and its list does not show it paused"
            )
            return self._attempt.failed(
                f"{said}; it was not stopped: Imagicle {refused.row.said}", retryable=True
            )
        proof = Evidence.READ_BACK if met else Evidence.ACCEPTED
        return OrderEnd(Outcome.CONTAINED, proof, why)

    async def _by_line(self, op: Op, lists: NodeLists, nodes: list[Node]) -> OrderEnd:
        """Name the line to nodes that give no list: by its number, then by its device.

        What a line records is this call only while the line has no other. What was perhaps carried
        out is not asked again: it might hit the next call.
        """
        wanted, line_op = self._attempt.wanted, BY_LINE[op]
        if not wanted.nameable:
            said = f"ambiguous: line {wanted.number} may be on another call, and Imagicle"
            return self._attempt.failed(f"{said} {lists.by_line[0]}", retryable=True)
        addresses = [(Key.NUMBER, wanted.number)]
        device = self._attempt.settings.devices.get(wanted.line)
        if device and op is Op.STOP_ID:
            addresses.append((Key.DEVICE, device))
        away: Answer | None = next((a for a in lists.unread if a not in lists.by_line), None)
        for key, value in addresses:
            for node in nodes:
                answer = await self._name(line_op, node, key, value)
                row = answer.row
                if row.next is Next.VERIFY:
                    detail = f"Imagicle {row.said} for {key} {value}; it gives no list to see it in"
                    return OrderEnd(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)
                if row.next is Next.CONTAIN:
                    return await self._contain(answer, None)
                if row.maybe_done or row.next is Next.END:
                    return self._attempt.failed(
                        f"Imagicle {answer}", retryable=row.retryable and not row.maybe_done
                    )
                if row.next is not Next.LOOK:
                    away = answer
        if away is not None:
            return self._attempt.failed(f"Imagicle {away}", retryable=away.row.retryable)
        named = " or ".join(f"{key} {value}" for key, value in addresses)
        detail = f"nothing live for {named}, says every node (409); they give no list of more"
        return OrderEnd(Outcome.NOTHING_TO_STOP, Evidence.READ_BACK, detail)

    async def _name(self, op: Op, node: Node, key: Key, value: str) -> Answer:
        """Name a line to one node; in the other spelling where the first shows it no number."""
        if key is not Key.NUMBER or op is not Op.STOP_LINE:
            return await self._attempt.ask(node, by_line(op, key, value))
        answer = await self._attempt.ask(node, by_line(op, node.line_key, value))
        if answer.case is not Case.REASON_0:
            return answer
        other = Key.MISSPELT if node.line_key is Key.NUMBER else Key.NUMBER
        answer = await self._attempt.ask(node, by_line(op, other, value))
        if answer.case is not Case.REASON_0:
            node.line_key = other
        return answer

    async def _running(self, found: Found) -> OrderEnd:
        if found.live.paused:
            return await self._by_id(Op.RESUME_ID, found)
        detail = f"recording {found.live.id} is running already ({found.why})"
        return OrderEnd(Outcome.CONFIRMED, Evidence.READ_BACK, detail)

    async def _start(self, nodes: list[Node], *, look: bool) -> OrderEnd:
        """Start a recording. Without a list, a start that may have been done is not repeated."""
        ask, at, said = start(self._attempt.wanted.number, self._attempt.settings.mode), 0, ""
        self._attempt.harmless = look
        for _ in range(TRIES):
            answer = await self._attempt.ask(nodes[at % len(nodes)], ask)
            row, said = answer.row, f"Imagicle {answer}"
            if row.next is Next.VERIFY:
                return await self._started(answer, look=look)
            if row.next is Next.END or (row.maybe_done and not look):
                return self._attempt.failed(
                    said, retryable=row.retryable and (look or not row.maybe_done)
                )
            if look:
                found, _sight = await self._attempt.find()
                if isinstance(found, Found):
                    return await self._running(found)
                if isinstance(found, Ambiguous):
                    return self._attempt.failed(str(found), retryable=True)
            if row.next is Next.LOOK:
                return self._attempt.refused(answer)
            at += row.next is Next.ELSEWHERE
            await self._attempt.rest()
        return self._attempt.failed(said, retryable=True)

    async def _started(self, answer: Answer, *, look: bool) -> OrderEnd:
        what = f"recording {answer.id} of line {self._attempt.wanted.number}"
        met = await self._attempt.verify(answer.node, answer.id, RUNNING) if look else None
        if met:
            return OrderEnd(Outcome.CONFIRMED, Evidence.READ_BACK, f"started: {what}")
        if met is None:
            detail = f"Imagicle accepted, and its list was not to be had: {what}"
            return OrderEnd(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)
        detail = f"contradiction: Imagicle accepted, and its list does not show {what}"
        return self._attempt.failed(detail, retryable=True)


def _state(op: Op) -> str:
    return "paused" if op is Op.PAUSE_ID else "running"


def _met(op: Op, lists: NodeLists, seen: dict[Node, Live], home: Node) -> bool:
    """Return whether the lists show what was asked for; `home` must have listed for a gone one."""
    if seen:
        return all(_GOALS[op](live) for live in seen.values())
    return lists.read_by(home) and _GOALS[op](None)
