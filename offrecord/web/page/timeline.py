# SPDX-License-Identifier: Apache-2.0
"""A press over time as a picture: the place of each mark and bar. Pure.

`templates/picture.svg` draws it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from offrecord.audit.press_history import Pressed, text
from offrecord.journal.reader import StoredRecord
from offrecord.web.page import labels

LEFT: Final = 120.0
WIDE: Final = 620.0
RIGHT: Final = 200.0
LANE: Final = 34.0
TOP: Final = 14.0
FOOT: Final = 26.0

_FAR: Final = 8.0
"""A time line whose end is more than this many times its median is drawn by powers of ten."""

_ANSWERS: Final = frozenset({"answered", "retried"})
_AFTER: Final = frozenset(
    {"extended", "reminded", "reapplied", "fallback", "intent_ended", "closed", "rejoined",
     "alarm", "incident", "recovered", "file_closed", "taken_back", "not_watched"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """One moment: `x` in the picture, its shape, and what it says."""

    x: float
    mark: str
    tone: str
    says: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time, `wide` to the right of `x`."""

    x: float
    wide: float
    tone: str
    says: str


@dataclass(slots=True)
class Lane:
    """One line of the picture: a recorder, the press itself, or what holds after it."""

    name: str
    y: float
    end: str = ""
    tone: str = "dim"
    marks: list[Mark] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole picture; `told` is the same in sentences, for screen readers."""

    width: float
    height: float
    left: float
    right: float
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    by_powers: bool
    told: str


class _Scale:
    """Turns milliseconds from the press into places."""

    def __init__(self, times: Sequence[float]) -> None:
        end = max([*times, 1.0])
        near = sorted(times)[len(times) // 2] if times else end
        self.by_powers = end > 1000 and end > _FAR * max(near, 1.0)
        self.end = end * (1.6 if self.by_powers else 1.06)

    def x(self, ms: float) -> float:
        at = max(0.0, ms)
        powers = math.log10(1 + at) / math.log10(1 + self.end)
        return round(LEFT + WIDE * (powers if self.by_powers else at / self.end), 1)

    def ticks(self) -> Iterable[Tick]:
        if self.by_powers:
            known = (0, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000)
            times = [float(one) for one in known if one <= self.end]
        else:
            step = _round(self.end / 5)
            times = [step * n for n in range(int(self.end / step) + 1)]
        return (Tick(self.x(one), labels.span(one) if one else "press") for one in times)


def _round(step: float) -> float:
    """Return the next larger of 1, 2, 5, 10, 20 and so on."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(one * power for one in (1, 2, 5, 10) if one * power >= step * 0.999)


def draw(pressed: Pressed) -> Picture:
    """Return the picture of a press."""
    began = pressed.at
    records = pressed.records
    scale = _Scale([float(max(0, one.at - began)) for one in records])
    own = Lane("press", 0.0)
    recorders: dict[str, Lane] = {}
    after = Lane("promise", 0.0)
    for one in records:
        if one.kind in _ANSWERS:
            name = text(one.body.get("recorder"))
            _answer(recorders.setdefault(name, Lane(name, 0.0)), one, began, scale)
        elif one.kind == "intent" or one.kind in _AFTER:
            _later(after, one, began, scale)
        else:
            _moment(own, one, began, scale)
    _silent(after, records, began, scale)
    lanes = [own, *recorders.values(), *([after] if after.marks else [])]
    for place, lane in enumerate(lanes):
        lane.y = TOP + LANE * place + LANE / 2
    return Picture(
        LEFT + WIDE + RIGHT, TOP + LANE * len(lanes) + FOOT, LEFT, LEFT + WIDE, tuple(lanes),
        tuple(scale.ticks()), scale.by_powers, _told(pressed),
    )  # fmt: skip


def _moment(lane: Lane, record: StoredRecord, began: int, scale: _Scale) -> None:
    look = labels.outcome(text(record.body.get("outcome")))
    ends = record.kind == "verdict"
    mark, tone = (
        (look.mark, look.tone) if ends else ("disc" if record.kind == "pressed" else "ring", "dim")
    )
    says = f"{record.kind}, {labels.span(record.at - began)} after the press"
    lane.marks.append(Mark(scale.x(record.at - began), mark, tone, says))
    if ends:
        lane.tone = look.tone
        lane.end = _ended(look.word, record.body, record.body.get("took_ms"))


def _answer(lane: Lane, record: StoredRecord, began: int, scale: _Scale) -> None:
    look = labels.outcome(text(record.body.get("outcome")))
    steps = [one for one in record.body.get("steps") or () if isinstance(one, Mapping)]
    for step in steps:
        at, took = float(step.get("at", record.at)) - began, float(step.get("took_ms") or 0)
        x = scale.x(at)
        says = f"{text(step.get('sent'))}: {text(step.get('answer'))}, in {labels.span(took)}"
        lane.bars.append(Bar(x, round(max(3.0, scale.x(at + took) - x), 1), look.tone, says))
    after = record.at - began
    says = f"{look.word} {text(record.body.get('evidence'))}, {labels.span(after)} after the press"
    lane.marks.append(Mark(scale.x(after), look.mark, look.tone, says))
    lane.tone, lane.end = look.tone, _ended(look.word, record.body, after)


def _later(lane: Lane, record: StoredRecord, began: int, scale: _Scale) -> None:
    bad = record.kind in {"alarm", "incident", "taken_back"}
    mark, tone = ("triangle", "bad") if bad else ("square", "held")
    says = f"{record.kind.replace('_', ' ')}, {labels.span(record.at - began)} after the press"
    lane.marks.append(Mark(scale.x(record.at - began), mark, tone, says))
    lane.end = record.kind.replace("_", " ")
    lane.tone = tone


def _silent(lane: Lane, records: Sequence[StoredRecord], began: int, scale: _Scale) -> None:
    """Draw how long the intent held, as far as the journal knows."""
    begun = next((one for one in records if one.kind == "intent"), None)
    if begun is None:
        return
    ended = next((one for one in records if one.kind == "intent_ended"), None)
    x = scale.x(begun.at - began)
    end = scale.x(ended.at - began) if ended else LEFT + WIDE
    verb = text(begun.body.get("verb"))
    says = f"{verb} holds" if ended is None else f"{verb} held until {labels.clock(ended.at)}"
    lane.bars.insert(0, Bar(x, round(max(3.0, end - x), 1), "held", says))
    lane.end = f"{verb} holds" if ended is None else text(ended.body.get("why")) or "ended"


def _ended(word: str, body: Mapping[str, Any], took: float | None) -> str:
    label = text(body.get("evidence"))
    proof = f" {label}" if label not in {"", "-"} else ""
    return f"{word}{proof}, {labels.span(took)}" if took is not None else f"{word}{proof}"


def _told(pressed: Pressed) -> str:
    """Return the picture in words."""
    told = [f"{pressed.verb} pressed at {labels.moment(pressed.at)}."]
    for one in pressed.asked():
        tries = f" after {one.tries} tries" if one.tries > 1 else ""
        when = one.proven if one.proven is not None else one.answered
        told.append(
            f"{one.recorder}: {labels.outcome(one.outcome).word} {one.evidence}{tries}"
            f"{f', {labels.span(when)} after the press' if when is not None else ''}."
        )
    took = pressed.verdict.get("took_ms")
    end = f" after {labels.span(took)}" if took is not None else ""
    told.append(f"Verdict: {labels.outcome(pressed.outcome).word}{end}.")
    return " ".join(told)
