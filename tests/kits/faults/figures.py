# SPDX-License-Identifier: Apache-2.0
"""The figures of a fault run, as a table, as JSON, and in docs/faults.md."""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

GUIDE: Final = Path(__file__).parents[3] / "docs" / "faults.md"
MARKS: Final = ("<!-- figures -->\n", "<!-- end -->\n")


@dataclass(slots=True)
class Figures:
    """What a run came to. The four lists must be empty."""

    presses: int = 0
    acknowledged: int = 0
    refused: int = 0
    joined: int = 0
    recovered: int = 0
    late: int = 0
    alarmed: int = 0
    commands: int = 0
    verified: int = 0
    by_id: int = 0
    seconds: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    twice_in_journal: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True when nothing was lost, doubled, falsely claimed or left open."""
        return not (self.lost or self.doubled or self.false or self.open or self.twice_in_journal)

    def as_json(self) -> dict[str, Any]:
        """Return everything."""
        return {**dataclasses.asdict(self), "good": self.good}


def table(figures: Figures) -> str:
    """Return the figures as a table, with the faults by name where there are any."""
    rows = [*_rows(figures)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows]
    for name in ("lost", "doubled", "false", "open", "twice_in_journal"):
        lines += [f"{name}: {each}" for each in getattr(figures, name)[:20]]
    return "\n".join(lines)


def _rows(figures: Figures) -> Iterator[tuple[str, object]]:
    yield "presses made", figures.presses
    yield "acknowledged by an id", figures.acknowledged
    yield "not taken, as the daemon was dead", figures.refused
    yield "the same press as another one", figures.joined
    for name, count in figures.events.items():
        yield name, count
    yield "presses recovered after a kill", figures.recovered
    for outcome, count in figures.outcomes.items():
        yield f"ended `{outcome}`", count
    yield "commands that reached a platform", figures.commands
    yield "sent again after a look at the recorder", figures.verified
    yield "sent again by the call's own id, answer or proof lost", figures.by_id
    yield "records late for a full disk, and said so", figures.late
    yield "never written for a full disk, and said so", figures.alarmed
    yield "**lost**", len(figures.lost)
    yield "**sent twice to a platform that acted**", len(figures.doubled)
    yield "**falsely claimed**", len(figures.false)
    yield "**left open**", len(figures.open) + len(figures.twice_in_journal)


def docs(figures: Figures, presses: int, seed: int) -> None:
    """Put the figures into the guide."""
    command = f'`make faults ARGS="--presses {presses} --seed {seed}"`, {figures.seconds:.0f} s'
    rows = "".join(f"| {name} | {value} |\n" for name, value in _rows(figures))
    text = f"{command}:\n\n| what | count |\n|---|---|\n{rows}"
    begin, end = map(re.escape, MARKS)
    guide = GUIDE.read_text()
    made = re.sub(
        f"{begin}.*?{end}", lambda _: f"{MARKS[0]}{text}{MARKS[1]}", guide, flags=re.DOTALL
    )
    GUIDE.write_text(made)
