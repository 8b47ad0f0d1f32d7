# SPDX-License-Identifier: Apache-2.0
"""Compares recordings with the silent windows of a call once the call has ended.

For each call with a silencing press the journal says when which recorder had to be silent. Local
recordings are checked for sound in these windows, and vendors are asked for their recordings. Each
recording that overlaps a window is an incident, which is journalled and logged.

The check runs some seconds after the call and again later, since vendors' lists lag behind. It
does not delay presses: files are read in a thread, and the queue is bounded.
"""

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from bridges.model import RecorderUnavailable
from bridges.registry import is_on_pbx
from bridges.shared.ended_calls import EndedCall, Piece, Reconcilable
from offrecord.config.sections.reconcile import ReconcileConfig
from offrecord.journal import JournalError, StoredRecord, presses, show
from offrecord.reconcile.local_files import Found, Incident, Monitored, check, find
from offrecord.reconcile.silent_windows import Silent, of_call, windows
from offrecord.reconcile.wav_file import MediaUnreadable

Note = Callable[[str, str, Mapping[str, object]], object]
"""Journals a record of a press id, kind and body, without waiting."""

MOST: Final = 1000
"""The most calls that wait for a check; beyond that the oldest is dropped and logged."""
ASKING: Final = 30.0
"""Seconds that one vendor has to list its recordings of a call."""

_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR


@dataclass(slots=True)
class _Job:
    """One ended call and the state of its check."""

    linkedid: str
    lineage: frozenset[str]
    ended: int
    seen: tuple[Monitored, ...]
    round: int = 0
    listened: set[Path] = field(default_factory=set)
    told: set[tuple[str, ...]] = field(default_factory=set)
    troubles: dict[str, str] = field(default_factory=dict)


class Reconciler:
    """Checks calls that have ended, one after the other, between `open` and `close`.

    journal: the journal's file.
    recorders: returns the configured recorders by name.
    settings: may be replaced at any time.
    now: returns milliseconds since the epoch, UTC.
    most: the most calls that wait.
    """

    def __init__(
        self,
        journal: Path,
        recorders: Callable[[], Mapping[str, object]],
        settings: ReconcileConfig,
        note: Note,
        *,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        most: int = MOST,
    ) -> None:
        self.settings = settings
        self.incidents = 0
        """Incidents found since the start."""
        self._journal = journal
        self._recorders = recorders
        self._note = note
        self._now = now
        self._most = most
        self._jobs: list[tuple[float, int, _Job]] = []
        self._checking: _Job | None = None
        self._order = itertools.count()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()

    @property
    def waiting(self) -> int:
        """Number of calls that wait for their first or a later check, or are being checked."""
        return len(self._jobs) + (self._checking is not None)

    def open(self) -> None:
        """Start the task that checks."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="reconcile")

    async def close(self) -> None:
        """Cancel the task; log the calls that were never checked, which no later daemon checks."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        left = [self._checking, *(job for _, _, job in sorted(self._jobs))]
        for job in left:
            if job is not None and not job.round:
                self._log.warning("not_reconciled", call=job.linkedid, problem="the daemon ended")
        self._jobs.clear()
        self._checking = None

    def call_ended(
        self,
        linkedid: str,
        lineage: Iterable[str],
        *,
        ended: int | None = None,
        seen: Sequence[Monitored] = (),
    ) -> None:
        """Queue the check of a call that ended at `ended` (milliseconds UTC, by default now).

        `seen` are the MixMonitors of the call; files that are named after one of its uniqueids are
        found without. A call without a silencing press costs one query of the journal.
        """
        if not self.settings.enabled:
            return
        at = self._now() if ended is None else ended
        job = _Job(linkedid, frozenset(lineage) | {linkedid}, at, tuple(seen))
        if len(self._jobs) >= self._most:
            oldest = min(self._jobs, key=lambda one: one[2].ended)
            self._jobs.remove(oldest)
            heapq.heapify(self._jobs)
            self._log.error("not_reconciled", call=oldest[2].linkedid, problem="the queue is full")
        self._push(job)

    def _push(self, job: _Job) -> None:
        loop = asyncio.get_running_loop()
        since = (self._now() - job.ended) / 1000
        delay = max(0.0, self.settings.delays[job.round] - since)
        heapq.heappush(self._jobs, (loop.time() + delay, next(self._order), job))
        self._news.set()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            wait = self._jobs[0][0] - loop.time() if self._jobs else None
            if wait is None or wait > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), wait)
                continue
            self._checking = heapq.heappop(self._jobs)[2]
            await self._round(self._checking)
            self._checking = None

    async def _round(self, job: _Job) -> None:
        try:
            again = await self._check(job)
        except Exception:  # noqa: BLE001 - the next call must be checked all the same
            self._log.exception("not_reconciled", call=job.linkedid)
            again = True
        job.round += 1
        if again and job.round < len(self.settings.delays):
            self._push(job)
        elif again:
            for label, why in job.troubles.items():
                self._log.warning("not_reconciled", call=job.linkedid, what=label, problem=why)

    async def _check(self, job: _Job) -> bool:
        """Check one call; return whether it must be checked again."""
        job.troubles.clear()
        try:
            records = await asyncio.to_thread(self._records, job)
        except JournalError as problem:
            job.troubles["journal"] = str(problem)
            return True
        silent = windows(records, job.ended)
        if not silent:
            return False
        lineage, uniqueids = of_call(records, job.lineage)
        local = [window for window in silent if is_on_pbx(window.kind)]
        if local and self.settings.monitor_folder is not None:
            # It gets the present settings, as they may be replaced while it runs.
            work = _Listening(job, self.settings, self.settings.monitor_folder, local, uniqueids)
            for incident in await asyncio.to_thread(work.run):
                self._tell(job, incident)
        zone = ZoneInfo(self.settings.time_zone) if self.settings.time_zone else None
        call = EndedCall(
            job.linkedid, frozenset(lineage), frozenset(uniqueids), job.ended / 1000, zone
        )
        names = {window.recorder for window in silent if not is_on_pbx(window.kind)}
        found = await asyncio.gather(*(self._ask(job, name, call) for name in sorted(names)))
        for name, pieces in zip(sorted(names), found, strict=True):
            for incident in self._overlaps(
                job, name, pieces, [window for window in silent if window.recorder == name]
            ):
                self._tell(job, incident)
        return True

    def _records(self, job: _Job) -> list[StoredRecord]:
        """Read all records of the presses of a call, by every linkedid that it had."""
        since = _begun(job.lineage, job.ended) - _HOUR  # the PBX's clock may differ
        found: dict[str, list[StoredRecord]] = {}
        asked: set[str] = set()
        waiting = set(job.lineage)
        while waiting:
            one = waiting.pop()
            asked.add(one)
            for press in presses(self._journal, since=since, call=one):
                if press.press not in found:
                    found[press.press] = show(self._journal, press.press)
                    waiting |= of_call(found[press.press], ())[0] - asked
        return sorted(itertools.chain.from_iterable(found.values()), key=lambda one: one.seq)

    async def _ask(self, job: _Job, name: str, call: EndedCall) -> Sequence[Piece]:
        recorder = self._recorders().get(name)
        if not isinstance(recorder, Reconcilable):
            return ()
        try:
            async with asyncio.timeout(ASKING):
                return await recorder.pieces(call)
        except RecorderUnavailable as problem:
            job.troubles[name] = str(problem)
        except TimeoutError:
            job.troubles[name] = f"it did not tell what it holds within {ASKING:g} s"
        return ()

    def _overlaps(
        self, job: _Job, name: str, pieces: Sequence[Piece], silent: Sequence[Silent]
    ) -> list[Incident]:
        most = self.settings.leg_tolerance * 1000
        found = []
        for piece in pieces:
            if piece.began is None or piece.ended is None:
                job.troubles[f"{name}: {piece.label}"] = "it is not told from when to when it is"
                continue
            for window in silent:
                begin = max(round(piece.began * 1000), window.begin)
                end = min(round(piece.ended * 1000), window.end)
                if end - begin > most:
                    detail = (
                        f"the recorder holds {(end - begin) / 1000:.1f} s of a time that was to be"
                        f" silent, although the {window.verb} was {window.outcome}"
                    )
                    found.append(Incident("leg_in_window", piece.label, window, begin, end, detail))
        return found

    def _tell(self, job: _Job, incident: Incident) -> None:
        window = incident.window
        key = (incident.what, incident.label, window.press, window.recorder, str(window.begin))
        if key in job.told:
            return
        job.told.add(key)
        self.incidents += 1
        body = incident.body()
        self._note(window.press, "incident", body)
        self._log.error("incident", call=job.linkedid, **body)


@dataclass(frozen=True, slots=True)
class _Listening:
    """The part of a check that reads files, run in a thread."""

    job: _Job
    settings: ReconcileConfig
    folder: Path
    silent: Sequence[Silent]
    ids: set[str]

    def run(self) -> list[Incident]:
        """Check the recordings of the call that were not checked before; return the incidents."""
        job, incidents = self.job, []
        try:
            found = find(self.folder, self.ids, job.seen, _begun(self.ids, job.ended) - _HOUR)
        except OSError as problem:
            job.troubles[str(self.folder)] = problem.strerror or str(problem)
            return []
        for one in found:
            if one.path not in job.listened:
                incidents += self._one(one)
        return incidents

    def _one(self, one: Found) -> list[Incident]:
        given = self.settings
        try:
            incidents = check(
                one, self.silent, self.job.ended, tolerance=given.tolerance, threshold=given.level
            )
        except MediaUnreadable as problem:
            if not problem.empty:
                self.job.troubles[str(one.path)] = problem.why
            return []
        except OSError as problem:
            self.job.troubles[str(one.path)] = problem.strerror or str(problem)
            return []
        self.job.listened.add(one.path)
        return incidents


def _begun(ids: Iterable[str], ended: int) -> int:
    """Return the earliest start in milliseconds UTC of calls with ids `[name-]seconds.count`."""
    seconds = [one.rpartition("-")[2].partition(".")[0] for one in ids]
    told = [int(one) * 1000 for one in seconds if one.isdecimal()]
    return min([*told, ended]) if told else ended - _DAY
