# SPDX-License-Identifier: Apache-2.0
"""Looks, after each verdict of a stop or pause, whether the files say otherwise.

It is a witness and not the judge: a file that grows and that nobody accounts for takes a verdict
back; a still folder proves nothing. It subscribes to the journal's records and the PBX's events,
and writes three kinds of records of its own: `file_closed`, `taken_back` and `not_watched`. No
press waits for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call
from ami.errors import AmiError
from ami.events.types import Event
from ami.ports import PbxPort
from bridges.model import Evidence, Outcome, Verb
from offrecord.config.sections.witness import WitnessConfig
from offrecord.journal.journal import Record
from offrecord.model import outcome_codes
from offrecord.witness.account import Grown, Held, Names, Row, Writer, left_over, matches
from offrecord.witness.files import OpenFiles
from offrecord.witness.held import HeldVerdict, HeldVerdicts
from offrecord.witness.names import RecordedFiles
from offrecord.witness.places import Places
from offrecord.witness.watch import Change, FolderWatch

SETTLE: Final = 0.3
"""Seconds after a verdict in which a stopped recording's last blocks are written."""
CLOSING: Final = 0.25
"""Seconds after a write by which a file that was about to be closed is closed."""
EVERY: Final = 1.0
"""Seconds between two looks at which calls are over."""
REFRESH: Final = 60.0
"""Seconds between two looks for folders."""
NO_MONITOR: Final = 21
"""The first version of Asterisk without `Monitor()`."""
LISTING: Final = 2.0
"""Seconds for the list of the channels."""
NAMED: Final = 5
"""Files that are named in a sentence."""

Silent = Callable[[Collection[Path]], Awaitable[Collection[Path]]]
"""Returns which of some files are known to hold silence now. It must not raise."""

Note = Callable[[str, str, Mapping[str, object]], object]
"""Journals a record of a press id, kind and body, without waiting."""

_log = structlog.stdlib.get_logger(__name__)


class Witness:
    """Watches the files between `open` and `close`; before `open` it takes no notice of anything.

    `subscribe` subscribes a callback to the records of the journal. Subscribe `event` to the PBX.
    `here`: whether the PBX is on this machine. `more`: what else is known to write recordings of
    calls that have none of the given ids. `silent`: what is known of files to hold silence, asked
    before a pause is taken back. `clock` returns monotonic seconds, `now` seconds since
    the epoch; `sleep` takes seconds.
    """

    def __init__(
        self,
        pbx: PbxPort,
        settings: WitnessConfig,
        note: Note,
        subscribe: Callable[[Callable[[Record], None]], object],
        *,
        here: bool,
        more: Callable[[frozenset[str]], Iterable[Writer]] = lambda _ids: (),
        silent: Silent | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self.files = OpenFiles()
        self.watch = FolderWatch(self.changed)
        self.places = Places(pbx, self.watch, here=here)
        self.names = RecordedFiles(pbx, self.places.path_here, self.places.named)
        self._pbx = pbx
        self._note = note
        self._more = more
        self._silent = silent
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._held = HeldVerdicts(self._begun, clock)
        self._closing: dict[Path, tuple[HeldVerdict, str]] = {}
        self._taken_back: dict[str, tuple[HeldVerdict, Sequence[Path]]] = {}
        self._ids: frozenset[str] = frozenset()
        self._suspicious = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        subscribe(self.on_record)

    def open(self) -> None:
        """Begin to watch, in a running loop; a machine without inotify is logged."""
        if self._tasks:
            return
        try:
            self.watch.open()
        except OSError as problem:
            self.places.broken = f"inotify: {problem.strerror}"
            _log.warning("witness_not_watching", problem=self.places.broken)
        jobs = (self._keep(), self._account_when_suspicious())
        self._tasks = [asyncio.create_task(job, name="witness") for job in jobs]
        for task in self._tasks:
            task.add_done_callback(_log_if_broken)

    async def close(self) -> None:
        """Stop watching."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.names.close()
        self.watch.close()

    @property
    def _on(self) -> bool:
        return bool(self._tasks) and self.settings.enabled

    def doubt(self, press: str) -> str:
        """Return which of the files that took a verdict back still grow, in words; empty if none.

        Of other presses nothing is known, and nothing returned.
        """
        _, files = self._taken_back.get(press, (None, ()))
        now = self._clock()
        still = [path for path in files if (one := self.files.get(path)) and one.grows(now)]
        return _grow(still) if still else ""

    # What comes in

    def event(self, event: Event, graph: CallGraph) -> None:
        """Take one event of the PBX."""
        if self._on:
            self.names.event(event, graph)

    def on_record(self, record: Record) -> None:
        """Take one record of the journal."""
        if self._on:
            self._held.on_record(record)

    def changed(self, path: Path, change: Change) -> None:
        """Take what happened to a file."""
        now = self._clock()
        match change:
            case Change.WROTE:
                self.files.wrote(path, now)
                # Files that a recording of another call is known to write cost no look.
                owner = self.names.owner(path) if self._held else None
                if self._held and (owner is None or owner in self._ids):
                    self._suspicious.set()
            case Change.CLOSED:
                self.files.closed(path, now)
                one, uniqueid = self._closing.pop(path, (None, ""))
                if one is not None:
                    self._closed(one, uniqueid, path)
            case Change.OPENED:
                self.files.opened(path, now)
            case Change.GONE:
                self.files.gone(path)

    # A verdict

    def _begun(self, one: HeldVerdict) -> None:
        """Begin to watch a call of which somebody was told that nothing records it."""
        call = self._call(one)
        one.ids = call.ids if call else frozenset({one.call})
        self._ids |= one.ids
        missing = self.places.not_watched
        for uniqueid in one.ids:
            for named in self.names.of(uniqueid):
                if named.path is None:
                    missing[named.name] = "it is outside of the folders that are watched"
                elif not one.silent:
                    self._await_closing(one, uniqueid, named.path)
        if missing:
            why = "; ".join(f"{what}: {reason}" for what, reason in missing.items())
            self._note(one.press, "not_watched", {"why": why})

    def _await_closing(self, one: HeldVerdict, uniqueid: str, path: Path) -> None:
        closed = self.files.closed_at(path)
        if closed is None:
            self._closing[path] = (one, uniqueid)
        elif self._epoch(closed) * 1000 >= one.at:
            self._closed(one, uniqueid, path, at=closed)

    def _closed(
        self, one: HeldVerdict, uniqueid: str, path: Path, *, at: float | None = None
    ) -> None:
        when = self._epoch(self._clock() if at is None else at) * 1000
        self._note(one.press, "file_closed", {
            "file": str(path), "uniqueid": uniqueid, "evidence": Evidence.MEDIA.label,
            "after_ms": round(when - one.at),
        })  # fmt: skip

    def _call(self, one: HeldVerdict) -> Call | None:
        return next(iter(self._pbx.graph.find(one.call)), None)

    def _epoch(self, at: float) -> float:
        """Return monotonic seconds as seconds since the epoch."""
        return self._now() - (self._clock() - at)

    # What goes on

    async def _keep(self) -> None:
        """Keep the folders and the calls current."""
        looked: float | None = None
        while True:
            due = looked is None or self._clock() - looked >= REFRESH
            if due and await self._pbx.wait_known(EVERY):
                looked = self._clock()
                await self.places.look(self.settings.folders)
                self.files.prune(looked)
            self._forget()
            await self._sleep(EVERY)

    def _forget(self) -> None:
        """Forget the calls that are over, and learn the ids that those which last have now."""
        if not self._pbx.graph.known:
            return
        for one in self._held:
            call = self._call(one)
            if call is None:
                self._held.drop(one.press)
            else:
                one.ids |= call.ids
        for press, (one, _) in [*self._taken_back.items()]:
            if self._call(one) is None:
                del self._taken_back[press]
        self._ids = frozenset(name for one in self._held for name in one.ids)
        for path, (one, _) in [*self._closing.items()]:
            if one not in self._held:
                del self._closing[path]

    async def _account_when_suspicious(self) -> None:
        while True:
            await self._suspicious.wait()
            self._suspicious.clear()
            await self._sleep(CLOSING)
            try:
                await self._account()
            except AmiError as problem:
                _log.debug("witness_not_accounted", problem=str(problem))
            except Exception:  # noqa: BLE001 - the next write is looked at all the same
                _log.exception("witness_broke")

    async def _account(self) -> None:
        """Take back the verdicts of calls for which a growing file is left over.

        It is looked at twice: a call that ends just then closes its file a moment later, and a
        recording that begins is named by the PBX a moment after its first write.
        """
        if not await self._left_over(every=False):
            return
        await self._sleep(CLOSING)
        for one, left in await self._left_over(every=True):
            heard = await self._not_silent(one, left)
            if heard and one in self._held:
                self._take_back(one, heard)

    async def _not_silent(self, one: HeldVerdict, files: Sequence[Path]) -> list[Path]:
        """Return the files that contradict a verdict: those not known to hold silence.

        After a stop all do: what still records then has not been stopped.
        """
        if self._silent is None or not one.silent:
            return [*files]
        silent = await self._silent(files)
        return [path for path in files if path not in silent]

    async def _left_over(self, *, every: bool) -> list[tuple[HeldVerdict, list[Path]]]:
        """Return the verdicts for which files are left over, with these.

        With `every`, each channel without a known file is asked for one. Raises `AmiError`.
        """
        self._forget()
        if not self._held or not self._suspects():
            return []
        listed = await self._pbx.action_list("CoreShowChannels", {}, timeout=LISTING)
        rows = self._rows(one.headers for one in listed)
        await self.names.ask_unknown((row.uniqueid for row in rows), every=every)
        names, found = Names(self.names.paths()), []
        for one in self._held:
            call = self._call(one)
            if call is None:
                continue
            held = Held(call.ids | one.ids, _began(call), silent=one.silent)
            left = left_over(
                self._suspects(one), held, rows, names,
                others=self.settings.others, more=self._more(held.ids),
            )  # fmt: skip
            if left:
                found.append((one, [grown.path for grown in left]))
        return found

    def _rows(self, listed: Iterable[Mapping[str, str]]) -> list[Row]:
        """Return the listed channels, with what events told of each."""
        graph = self._pbx.graph
        version = self._pbx.version
        may_monitor = not version or version[0] < NO_MONITOR
        spied = {
            listener.uniqueid: channel.uniqueid
            for call in graph.calls() for channel in call.channels for listener in channel.listeners
        }  # fmt: skip
        rows = []
        for headers in listed:
            get, uniqueid = headers.get, headers.get("Uniqueid", "")
            channel = graph.channel(uniqueid)
            runs = channel.runs_monitor if channel is not None else None
            rows.append(Row(
                uniqueid, get("Linkedid", ""), get("Channel", ""), get("Application", ""),
                get("ApplicationData", ""), get("BridgeId", ""),
                monitor=may_monitor and runs is not False, listens_to=spied.get(uniqueid, ""),
            ))  # fmt: skip
        return rows

    def _suspects(self, one: HeldVerdict | None = None) -> list[Grown]:
        """Return the growing files, of those that were written to after a verdict."""
        now = self._clock()
        since = min((each.since for each in self._held), default=now) if one is None else one.since
        return [
            Grown(file.path, self.places.use(file.path), self._epoch(file.seen))
            for file in self.files.growing(now)
            if file.wrote is not None and file.wrote >= since + SETTLE
            and not (one is None and matches(file.path, self.settings.others))
        ]  # fmt: skip

    def _take_back(self, one: HeldVerdict, files: Sequence[Path]) -> None:
        self._held.taken_back(one)
        self._taken_back[one.press] = (one, files)
        reason = f"{_grow(files)}, and no other call explains it"
        text = f"{outcome_codes.text(Outcome.FAILED, Verb(one.verb))} {reason}"
        self._note(one.press, "taken_back", {
            "verb": one.verb, "call": one.call, "told": one.told,
            "outcome": Outcome.FAILED.value, "evidence": Evidence.MEDIA.label, "reason": reason,
            "text": text, "files": [str(path) for path in files],
            "after_ms": round(self._now() * 1000 - one.at),
        })  # fmt: skip
        self._note(one.press, "alarm", {"what": "taken_back", "detail": reason})
        _log.error("alarm", what="taken_back", press=one.press, call=one.call, detail=reason)


def _grow(files: Sequence[Path]) -> str:
    """Return that these files grow, in words."""
    names = ", ".join(map(str, files[:NAMED]))
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return f"{names}{more} still {'grows' if len(files) == 1 else 'grow'}"


def _began(call: Call) -> float | None:
    """Return when the first channel of a call was made, in seconds since the epoch.

    Its uniqueid says so, unless it was given another one.
    """
    try:
        return float(call.channels[0].uniqueid.rpartition("-")[2].partition(".")[0])
    except ValueError:
        return None


def _log_if_broken(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("witness_stopped", exc_info=task.exception())
