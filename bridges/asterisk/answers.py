# SPDX-License-Identifier: Apache-2.0
"""What the reports of all ways to record mean together for an order. Pure.

What a single AMI answer says is in `ami.recording_actions`; what a way came to, in its report.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ami.errors import AmiDown, AmiError, AmiInjection, AmiUnsafe
from bridges.asterisk.ways.table import BY_NAME, TABLE
from bridges.asterisk.ways.way import ENDED, WayReport, WayState
from bridges.model import Evidence, Outcome, Step, Verb
from bridges.shared.answer_table import OrderEnd

_DONE: Final = {Verb.STOP: "stopped", Verb.PAUSE: "muted", Verb.RESUME: "resumed"}

_WRONG: Final = frozenset({WayState.RECORDS, WayState.NOT_SEEN})


@dataclass(frozen=True, slots=True)
class Asked:
    """What an order asked: its verb, and how many live channels answered. `steps` of all ways."""

    verb: Verb
    channels: int
    steps: Sequence[Step] = ()


def order_end(reports: Sequence[WayReport], asked: Asked) -> OrderEnd:
    """Return the end of a stop, pause or resume, given the report of each way that was looked at.

    One way that records, or that nobody can say of, makes it `failed`. `nothing_to_stop` is said
    only when every way was looked at on channels that were alive.
    """
    wrong = [report for report in reports if report.state in _WRONG]
    if wrong:
        rest = [report for report in reports if report.state not in _WRONG]
        said = [*(_with_fix(report) for report in wrong), *_acted(rest, asked)]
        return OrderEnd(Outcome.FAILED, _level(asked.steps), _sentence(said))
    states = {report.state for report in reports}
    if WayState.TOLD in states:
        return OrderEnd(Outcome.ACCEPTED, Evidence.ACCEPTED, _sentence(_acted(reports, asked)))
    if states & {WayState.STOPPED, WayState.RESUMED}:
        detail = _sentence(_acted(reports, asked))
        return OrderEnd(Outcome.CONFIRMED, Evidence.NOTHING_ELSE, detail)
    if WayState.ENDED in states:
        return OrderEnd(Outcome.CALL_ENDED, Evidence.READ_BACK, ENDED)
    return OrderEnd(Outcome.NOTHING_TO_STOP, Evidence.NOTHING_ELSE, _nothing(reports, asked))


def unanswered(way: str, problem: AmiError) -> WayReport:
    """Return the report of a way whose question or action ended in an AMI error."""
    return WayReport(way, WayState.NOT_SEEN, problem.message, fix=problem.fix)


def failure(problem: AmiError) -> OrderEnd:
    """Return the end of an order that an AMI error ended."""
    return OrderEnd(Outcome.FAILED, level_of(problem), str(problem))


def level_of(problem: AmiError) -> Evidence:
    """Return what is known of an action that ended in an AMI error: it was sent, or it was not."""
    if isinstance(problem, AmiDown):
        return Evidence.SENT if problem.sent else Evidence.NONE
    unsent = isinstance(problem, AmiInjection | AmiUnsafe)
    return Evidence.NONE if unsent else Evidence.SENT


def _level(steps: Sequence[Step]) -> Evidence:
    """Return how much a failed order proves, which is never that nothing else records."""
    best = max((step.evidence for step in steps), default=Evidence.NONE)
    return min(best, Evidence.READ_BACK)


def _acted(reports: Sequence[WayReport], asked: Asked) -> list[str]:
    """Return the clauses for what was stopped, muted or resumed, and for what ways have to add."""
    plain = [report for report in reports if report.count and not report.detail]
    counted = [_counted(report) for report in plain]
    clauses = []
    if counted:
        words = counted[0] if len(counted) == 1 else f"{', '.join(counted[:-1])} and {counted[-1]}"
        clauses.append(f"{words} {_DONE[asked.verb]}")
        if asked.verb is Verb.STOP:
            clauses[0] += f", none left on {_channels(asked.channels)}"
    # that a way found the call ended adds nothing to what another has done
    ended = WayState.ENDED
    return [*clauses, *(one.detail for one in reports if one.detail and one.state is not ended)]


def _counted(report: WayReport) -> str:
    row = BY_NAME.get(report.way)
    return f"{report.count} ({report.way})" if row is None else row.counted(report.count)


def _with_fix(report: WayReport) -> str:
    return f"{report.detail}; {report.fix}" if report.fix else report.detail


def _sentence(clauses: Sequence[str]) -> str:
    """Return the clauses as one sentence, each once: a lost link is the same for every way."""
    return "; ".join(dict.fromkeys(filter(None, clauses)))


def _nothing(reports: Sequence[WayReport], asked: Asked) -> str:
    """Return the sentence that names everything that was looked for."""
    if asked.verb is Verb.RESUME:
        details = [report.detail for report in reports]
        return _sentence(details) or "no recording of this call is paused"
    looked = {report.way for report in reports}
    ones = [row.one for row in TABLE if {row.name, row.way} & looked]
    words = ones[0] if len(ones) == 1 else f"{', '.join(ones[:-1])} or {ones[-1]}"
    said = [f"no {words} on {_channels(asked.channels)}", *(report.detail for report in reports)]
    return _sentence(said)


def _channels(number: int) -> str:
    return f"{number} channel{'' if number == 1 else 's'}"
