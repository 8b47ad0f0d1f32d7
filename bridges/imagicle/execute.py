# SPDX-License-Identifier: Apache-2.0
"""The verbs: by recording id where the list is to be had, by line where it is not."""

from bridges.imagicle.answers import Case, Next
from bridges.imagicle.attempt import TRIES, OutOfTimeError, Run
from bridges.imagicle.client import Answer, Node
from bridges.imagicle.find_call import GONE, PAUSED, RUNNING, SILENT, Found, Goal, Sight
from bridges.imagicle.messages import Key, Live, Op, by_id, by_line, start
from bridges.model import Evidence, Outcome, RecorderResult, Verb
from bridges.shared.match_call import Ambiguous

BY_ID = {Verb.STOP: Op.STOP_ID, Verb.PAUSE: Op.PAUSE_ID, Verb.RESUME: Op.RESUME_ID}
BY_LINE = {
    Op.STOP_ID: Op.STOP_LINE, Op.PAUSE_ID: Op.PAUSE_LINE, Op.RESUME_ID: Op.RESUME_LINE,
}  # fmt: skip
_GOALS: dict[Op, Goal] = {Op.STOP_ID: GONE, Op.PAUSE_ID: SILENT, Op.RESUME_ID: RUNNING}
_DONE = {Op.STOP_ID: "stopped", Op.PAUSE_ID: "paused", Op.RESUME_ID: "resumed"}


async def change(run: Run, verb: Verb) -> RecorderResult:
    """Stop, pause or resume the recording of the call."""
    op = BY_ID[verb]
    found, sight = await run.find()
    if isinstance(found, Found):
        return await _settle(run, op, found)
    if isinstance(found, Ambiguous):
        return run.failed(str(found), retryable=True)
    if lines := sight.by_line:
        return await _by_line(run, op, sight, [answer.node for answer in lines])
    if sight.blind:
        return _cannot_tell(run, sight)
    return await _nothing(run, f"no recording of line {run.whose.number} is live")


async def begin(run: Run) -> RecorderResult:
    """Start a recording of the call, unless there is one: a paused one is resumed."""
    found, sight = await run.find()
    if isinstance(found, Found):
        return await _running(run, found)
    if isinstance(found, Ambiguous):
        return run.failed(str(found), retryable=True)
    listed, named = [a.node for a in sight.read], [a.node for a in sight.by_line]
    if not listed and not named:
        return run.refused(sight.blind[0])
    return await _start(run, listed or named, look=bool(listed))


async def _settle(run: Run, op: Op, found: Found) -> RecorderResult:
    if op is not Op.STOP_ID and _GOALS[op](found.live):
        detail = f"recording {found.live.id} is {_state(op)} already ({found.why})"
        return run.end(Outcome.CONFIRMED, Evidence.READ_BACK, detail)
    return await _by_id(run, op, found)


def _state(op: Op) -> str:
    return "paused" if op is Op.PAUSE_ID else "running"


async def _by_id(run: Run, op: Op, found: Found) -> RecorderResult:
    """Have one recording changed; look before each repetition."""
    node, maybe, said = found.node, False, ""
    for _ in range(TRIES):
        answer = await run.ask(node, by_id(op, found.live.id))
        row, said = answer.row, f"Imagicle {answer}"
        if row.next is Next.VERIFY:
            return await _verified(run, op, answer, found)
        if row.next is Next.CONTAIN:
            return await _contain(run, answer, found)
        if row.next is Next.END:
            return run.refused(answer)
        maybe = maybe or row.maybe
        judged = await _look_again(run, op, answer, found, maybe=maybe)
        if isinstance(judged, RecorderResult):
            return judged
        node = judged
    return run.failed(f"{found}: {said}", retryable=True)


async def _look_again(
    run: Run, op: Op, answer: Answer, found: Found, *, maybe: bool
) -> RecorderResult | Node:
    """Return what the lists say after a request that brought no yes, or whom to ask now."""
    sight = await run.look()
    seen = sight.seen(found.live.id)
    if (maybe or seen) and _met(op, sight, seen, found.node):
        detail = f"{_DONE[op]}, as the list shows, without a yes of the server: {found}"
        return run.end(Outcome.CONFIRMED, Evidence.READ_BACK, detail)
    if not seen and not sight.blind:
        return await _nothing(run, f"recording {found.live.id} is not live any more")
    if answer.row.next is Next.LOOK:
        others = [other for other in seen if other is not answer.node]
        return others[0] if others else _conflict(run, answer, sight, listed=bool(seen))
    await run.rest()
    return _next_node(run, answer.node, seen, stay=answer.row.next is Next.REPEAT)


def _met(op: Op, sight: Sight, seen: dict[Node, Live], home: Node) -> bool:
    """Say whether the lists show what was asked for; of a gone one, that of its own node."""
    if seen:
        return all(_GOALS[op](live) for live in seen.values())
    return sight.read_by(home) and _GOALS[op](None)


def _next_node(run: Run, node: Node, seen: dict[Node, Live], *, stay: bool) -> Node:
    """Return whom to ask now: on a fault the same, else the next one that may hold it."""
    if stay:
        return node
    at = list(run.nodes).index(node)
    others = [*run.nodes[at + 1 :], *run.nodes[:at]]
    listing = [other for other in others if other in seen]
    if listing:
        return listing[0]
    return node if node in seen or not others else others[0]


def _conflict(run: Run, answer: Answer, sight: Sight, *, listed: bool) -> RecorderResult:
    if listed:
        detail = f"contradiction: the list shows it, yet Imagicle {answer}"
        return run.failed(detail, retryable=True)
    return _cannot_tell(run, sight)


def _cannot_tell(run: Run, sight: Sight) -> RecorderResult:
    """Return the failure of a look that did not reach every node."""
    first = sight.blind[0]
    others = "" if not sight.read else "; the other nodes list nothing"
    return run.failed(f"Imagicle {first}{others}", retryable=first.row.retryable)


async def _nothing(run: Run, detail: str) -> RecorderResult:
    """Return that nothing is recorded, after a look whether the line has another number there."""
    try:
        other = (await run.look(everything=True)).elsewhere(run.whose)
    except OutOfTimeError:
        other = None
    if other is not None:
        said = f"{detail}, but {other} has the remote party and the time of this call"
        return run.failed(f"{said}; check strip, mask and whose", retryable=True)
    everyone = "" if len(run.nodes) == 1 else f", on none of {len(run.nodes)} nodes"
    return run.end(Outcome.NOTHING_TO_STOP, Evidence.READ_BACK, f"{detail}{everyone}")


async def _verified(run: Run, op: Op, answer: Answer, found: Found) -> RecorderResult:
    met = await run.verify(answer.node, found.live.id, _GOALS[op])
    if met:
        return run.end(Outcome.CONFIRMED, Evidence.READ_BACK, f"{_DONE[op]}: {found}")
    if met is None:
        detail = f"Imagicle {answer.row.said}, and its list was not to be had: {found}"
        return run.end(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)
    detail = f"contradiction: Imagicle {answer.row.said}, and its list shows no change: {found}"
    return run.failed(detail, retryable=True)


async def _contain(run: Run, refused: Answer, found: Found | None) -> RecorderResult:
    """Pause what cannot be stopped, where the site wants that."""
    if not run.settings.pause_when_unstoppable:
        return run.refused(refused)
    why = f"paused, NOT stopped: Imagicle {refused.row.said}"
    try:
        if found is None:
            pause = by_line(Op.PAUSE_LINE, Key.NUMBER, run.whose.number)
        else:
            pause = by_id(Op.PAUSE_ID, found.live.id)
        answer = await run.ask(refused.node, pause)
    except OutOfTimeError:
        return run.refused(refused)
    if answer.row.next is not Next.VERIFY:
        said = f"neither stopped nor paused: Imagicle {refused.row.said}; then {answer}"
        return run.failed(said, retryable=answer.row.retryable)
    met = None if found is None else await run.verify(answer.node, found.live.id, PAUSED)
    if met is False:
        said = f"contradiction: Imagicle {answer.row.said}, and its list does not show it paused"
        return run.failed(
            f"{said}; it was not stopped: Imagicle {refused.row.said}", retryable=True
        )
    proof = Evidence.READ_BACK if met else Evidence.ACCEPTED
    return run.end(Outcome.CONTAINED, proof, why)


async def _by_line(run: Run, op: Op, sight: Sight, nodes: list[Node]) -> RecorderResult:
    """Name the line to nodes that give no list: by its number, then by its device.

    What a line records is this call only while the line has no other. What was perhaps carried
    out is not asked again: it might hit the next call.
    """
    whose, line_op = run.whose, BY_LINE[op]
    if not whose.nameable:
        said = f"ambiguous: line {whose.number} may be on another call, and Imagicle"
        return run.failed(f"{said} {sight.by_line[0]}", retryable=True)
    addresses = [(Key.NUMBER, whose.number)]
    device = run.settings.devices.get(whose.line)
    if device and op is Op.STOP_ID:
        addresses.append((Key.DEVICE, device))
    away: Answer | None = next((a for a in sight.blind if a not in sight.by_line), None)
    for key, value in addresses:
        for node in nodes:
            answer = await _name(run, line_op, node, key, value)
            row = answer.row
            if row.next is Next.VERIFY:
                detail = f"Imagicle {row.said} for {key} {value}; it gives no list to see it in"
                return run.end(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)
            if row.next is Next.CONTAIN:
                return await _contain(run, answer, None)
            if row.maybe or row.next is Next.END:
                return run.failed(f"Imagicle {answer}", retryable=row.retryable and not row.maybe)
            if row.next is not Next.LOOK:
                away = answer
    if away is not None:
        return run.failed(f"Imagicle {away}", retryable=away.row.retryable)
    named = " or ".join(f"{key} {value}" for key, value in addresses)
    detail = f"nothing live for {named}, says every node (409); they give no list of more"
    return run.end(Outcome.NOTHING_TO_STOP, Evidence.READ_BACK, detail)


async def _name(run: Run, op: Op, node: Node, key: Key, value: str) -> Answer:
    """Name a line to one node, in the other spelling too where it sees no number in the first."""
    if key is not Key.NUMBER or op is not Op.STOP_LINE:
        return await run.ask(node, by_line(op, key, value))
    answer = await run.ask(node, by_line(op, node.line_key, value))
    if answer.case is not Case.REASON_0:
        return answer
    other = Key.MISSPELT if node.line_key is Key.NUMBER else Key.NUMBER
    answer = await run.ask(node, by_line(op, other, value))
    if answer.case is not Case.REASON_0:
        node.line_key = other
    return answer


async def _running(run: Run, found: Found) -> RecorderResult:
    if found.live.paused:
        return await _by_id(run, Op.RESUME_ID, found)
    detail = f"recording {found.live.id} is running already ({found.why})"
    return run.end(Outcome.CONFIRMED, Evidence.READ_BACK, detail)


async def _start(run: Run, nodes: list[Node], *, look: bool) -> RecorderResult:
    """Start a recording; without a list a start that was perhaps carried out is not repeated."""
    ask, at, said = start(run.whose.number, run.settings.mode), 0, ""
    run.harmless = look
    for _ in range(TRIES):
        answer = await run.ask(nodes[at % len(nodes)], ask)
        row, said = answer.row, f"Imagicle {answer}"
        if row.next is Next.VERIFY:
            return await _started(run, answer, look=look)
        if row.next is Next.END or (row.maybe and not look):
            return run.failed(said, retryable=row.retryable and (look or not row.maybe))
        if look:
            found, _sight = await run.find()
            if isinstance(found, Found):
                return await _running(run, found)
            if isinstance(found, Ambiguous):
                return run.failed(str(found), retryable=True)
        if row.next is Next.LOOK:
            return run.refused(answer)
        at += row.next is Next.ELSEWHERE
        await run.rest()
    return run.failed(said, retryable=True)


async def _started(run: Run, answer: Answer, *, look: bool) -> RecorderResult:
    what = f"recording {answer.id} of line {run.whose.number}"
    met = await run.verify(answer.node, answer.id, RUNNING) if look else None
    if met:
        return run.end(Outcome.CONFIRMED, Evidence.READ_BACK, f"started: {what}")
    if met is None:
        detail = f"Imagicle accepted, and its list was not to be had: {what}"
        return run.end(Outcome.ACCEPTED, Evidence.ACCEPTED, detail)
    detail = f"contradiction: Imagicle accepted, and its list does not show {what}"
    return run.failed(detail, retryable=True)
