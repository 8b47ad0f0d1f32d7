# SPDX-License-Identifier: Apache-2.0
"""Judging a fault run from outside: by the journal, and by what the recorders saw and were.

What counts as lost, doubled, falsely claimed or left open is written down in docs/faults.md.
"""

import bisect
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from offrecord.journal.schema import JournalError, open_reader
from tests.kits.faults.daemon import FaultDaemon
from tests.kits.faults.figures import Figures
from tests.kits.faults.world import Command, World

_SILENT: Final = frozenset({"stop", "pause", "objection"})
REACH: Final = 4.0
"""Seconds after a press in which its commands come: the budget, and some for the machine."""
_CLAIMS: Final = frozenset({"confirmed", "nothing_to_stop"})
Records = dict[str, list[tuple[str, int, dict[str, Any]]]]
"""The records of each press, as (kind, milliseconds since the epoch, body), oldest first."""


@dataclass(slots=True, eq=False)
class Pressed:
    """One press as the person saw it. Times are seconds since the epoch.

    `id` is what the daemon acknowledged it by, None when it did not; `outcome` what was told.
    """

    call: int
    verb: str
    at: float
    id: str | None = None
    outcome: str | None = None

    def hear(self, told: Mapping[str, Any]) -> None:
        """Take in what the daemon says of it."""
        if "error" in told:
            return
        self.id = told.get("press", self.id)
        self.outcome = told.get("outcome", self.outcome)


def read(path: Path) -> Records:
    """Return every record of the journal, by press. Raises `JournalError`."""
    found: Records = {}
    db = open_reader(path)
    try:
        for press, kind, at, body in db.execute(
            "SELECT press, kind, at, body FROM records ORDER BY seq"
        ):
            found.setdefault(press, []).append((kind, at, json.loads(body)))
    finally:
        db.close()
    return found


def still_open(path: Path, *, held: bool = True) -> list[str]:
    """Return the presses of the journal that are not closed; `held`: those in force count, too."""
    try:
        records = read(path)
    except (JournalError, sqlite3.Error):
        return ["the journal cannot be read"]
    return [press for press, each in records.items() if _is_open(each, held=held)]


def _is_open(records: Sequence[tuple[str, int, Mapping[str, Any]]], *, held: bool = True) -> bool:
    """Say whether a press has no verdict, a bad one that is not closed, or an intent that lives."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for kind, _, body in records:
        found.setdefault(kind, []).append(body)
    if "pressed" not in found:
        return False
    if "verdict" not in found or (held and "intent" in found and "intent_ended" not in found):
        return True
    last = found["verdict"][-1]
    bad = last["outcome"] in {"failed", "denied"} and last["recorders"]
    tried_again = found["pressed"][0]["verb"] in _SILENT and bad
    # One that was joined to another press ends with that one.
    return bool(tried_again and not {"closed", "joined"} & found.keys())


def judge(
    daemon: FaultDaemon,
    world: World,
    pressed: Sequence[Pressed],
    kills: Sequence[float],
    events: Counter[str],
    reach: float = REACH,
) -> Figures:
    """Return the figures of a run that is over; `reach`: see `REACH`, on this machine."""
    records = read(daemon.journal)
    acknowledged = {one.id for one in pressed if one.id is not None}
    unwritten = _said_unwritten(daemon)
    late = daemon.logged("journal_not_written")
    figures = Figures(events=dict(sorted(events.items())))
    figures.presses, figures.late = len(pressed), len(late)
    figures.acknowledged = sum(one.id is not None for one in pressed)
    figures.refused = sum(one.id is None for one in pressed)
    figures.joined = sum(kind == "joined" for each in records.values() for kind, _, _ in each)
    # An id that was told twice is of a press that was joined to another one.
    missing = {one for one in acknowledged if one not in records}
    figures.alarmed = len(missing & unwritten)
    figures.lost = sorted(missing - unwritten)
    figures.open = sorted(press for press, each in records.items() if _is_open(each))
    figures.twice_in_journal = sorted(
        press for press, each in records.items()
        if sum(kind == "pressed" for kind, _, _ in each) > 1
    )  # fmt: skip
    figures.recovered = sum(
        any(kind == "recovered" for kind, _, _ in each) for each in records.values()
    )
    last = (_last(each) for each in records.values())
    figures.outcomes = dict(Counter(str(body["outcome"]) for body in last if body).most_common())
    figures.false = sorted(_false(records, world, pressed, reach))
    _count_commands(figures, world, pressed, kills, reach)
    return figures


def _said_unwritten(daemon: FaultDaemon) -> set[str]:
    """Return the presses of which the daemon said aloud that the journal did not take them."""
    lines = daemon.logged("journal_not_written")
    return {str(line.get("press")) for line in lines if line.get("kind") == "pressed"}


def _last(records: Iterable[tuple[str, int, Mapping[str, Any]]]) -> Mapping[str, Any] | None:
    found = [body for kind, _, body in records if kind == "verdict"]
    return found[-1] if found else None


# what was claimed


def _false(
    records: Records, world: World, pressed: Sequence[Pressed], reach: float
) -> Iterator[str]:
    """Yield every claim that the recorder's own state contradicts."""
    by_agent = {call.agent: call for call in world.calls.values()}
    for press, each in records.items():
        asked = next((body for kind, _, body in each if kind == "pressed"), None)
        call = by_agent.get(str(asked.get("uniqueid") or asked.get("target"))) if asked else None
        if asked is None or call is None:
            continue
        silent = asked["verb"] in _SILENT
        for kind, at, body in each:
            if kind not in {"answered", "retried"} or body["outcome"] not in _CLAIMS:
                continue
            if body["outcome"] == "nothing_to_stop" and not silent:
                continue
            until = _until(call.number, at / 1000, silent, pressed, call.ended, reach)
            seen = world.states.get((call.number, body["recorder"]), [])
            wrong = _contradicted(seen, at / 1000, until, recording=silent)
            if wrong is not None:
                yield (
                    f"{press} {asked['verb']} {body['recorder']} {body['outcome']}: its state was"
                    f" the other {wrong - at / 1000:.3f} s later"
                )


def _until(
    call: int,
    at: float,
    silent: bool,
    pressed: Sequence[Pressed],
    ended: float | None,
    reach: float,
) -> float:
    """Return until when a claim of `at` must hold: a press of the other sort, or the call's end."""
    ends = [
        one.at
        for one in pressed
        if one.call == call and one.at > at - reach and (one.verb in _SILENT) is not silent
    ]
    return min([*ends, ended or float("inf")])


def _contradicted(
    seen: Sequence[tuple[float, bool]], begins: float, ends: float, *, recording: bool
) -> float | None:
    """Return when a state was seen that must not be between two times, None if it was not."""
    times = [at for at, _ in seen]
    place = bisect.bisect_right(times, begins)
    # What was seen last before the claim counts where nothing changed for long after it.
    if place and seen[place - 1][1] is recording and begins < ends:
        later = times[place] if place < len(times) else float("inf")
        if later - begins > 0.05 and begins + 0.05 < ends:
            return begins
    return next((at for at, state in seen[place:] if state is recording and at < ends), None)


# what was sent


def _count_commands(
    figures: Figures,
    world: World,
    pressed: Sequence[Pressed],
    kills: Sequence[float],
    reach: float,
) -> None:
    """Count the commands of each platform, and those that were sent again to one that acted."""
    made: dict[tuple[int, bool], list[float]] = {}
    for one in pressed:
        made.setdefault((one.call, one.verb in _SILENT), []).append(one.at)
    groups: dict[tuple[int, str], list[Command]] = {}
    for command in world.commands:
        groups.setdefault((command.call, command.kind), []).append(command)
    for (call, kind), each in groups.items():
        # One that hung is known after the one that was sent in its place.
        each.sort(key=lambda command: command.came)
        cuts = sorted([*kills, *world.away[kind]])
        for silence in (True, False):
            presses = _Presses(sorted(made.get((call, silence), [])), kills, reach)
            wants = "silence" if silence else "record"
            _one_way(figures, f"call {call} {kind}", each, wants, presses, cuts)


class _Presses:
    """The presses of one sort on one call; each accounts for one command that was not void.

    A press accounts for a command within `reach` seconds, or later if the daemon was killed
    since: then it was recovered.
    """

    def __init__(self, at: Sequence[float], kills: Sequence[float], reach: float = REACH) -> None:
        self._left = [*at]
        self._reach = reach
        self._kills = kills

    def account_for(self, command: Command) -> bool:
        came = command.came
        for at in self._left:
            killed = any(at < kill < came for kill in self._kills)
            if at <= came and (came - at <= self._reach or killed):
                if not command.void:
                    self._left.remove(at)
                return True
        return False


def _one_way(
    figures: Figures, name: str, commands: Sequence[Command], wants: str,
    presses: _Presses, cuts: Sequence[float],
) -> None:  # fmt: skip
    """Go through what one recorder saw of one call, and count one of the two sorts of commands."""
    acted: Command | None = None
    looked = False
    for one in commands:
        if one.read:
            looked = True
            continue
        if one.wants != wants:
            acted = None if one.acted else acted
            continue
        figures.commands += 1
        if presses.account_for(one):
            acted = None  # what comes is asked for anew
        if acted is not None:
            lost = acted.lost or any(acted.at - 0.2 < cut < one.at for cut in cuts)
            if looked:
                figures.verified += 1
            elif lost and one.by_id and wants == "silence":
                figures.by_id += 1
            else:
                figures.doubled.append(
                    f"{name} {wants} {one.at - acted.at:.3f} s later: {_story(commands)}"
                )
        if one.acted:
            acted, looked = one, False


def _story(commands: Sequence[Command]) -> str:
    """Return what a recorder saw of a call, for whoever has to find out why."""
    words = [
        f"{one.came:.3f} {one.wants or 'read'}"
        f"{' acted' if one.acted else ''}{' void' if one.void else ''}{' lost' if one.lost else ''}"
        for one in commands
    ]
    return ", ".join(words)
