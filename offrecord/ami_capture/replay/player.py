# SPDX-License-Identifier: Apache-2.0
"""Replays a capture through the daemon's own components, made and connected the same way.

Presses by AMI digits and by UserEvents are recognised again in the stream; those by the dialplan,
the command line and HTTP are read from the capture. The recorder of kind `asterisk` is the real
one, on the capture's answers. Recorders elsewhere are not contacted: a `ReplayRecorder` returns
what the real one had answered, and has no say in the verdict (role `may`).
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from tomlkit import dumps

from ami.calls.graph import CallGraph
from ami.events.types import Event
from ami.pbx import Pbx
from bridges.asterisk import AsteriskRecorder, AsteriskSettings
from bridges.model import (
    ORDERS,
    Capabilities,
    Evidence,
    Looking,
    Order,
    Outcome,
    Plan,
    Recorder,
    RecorderResult,
    Verb,
)
from offrecord.ami_capture import configuration as settings
from offrecord.ami_capture.capture_file import Entry, Head
from offrecord.ami_capture.make import BY_LOGIN
from offrecord.ami_capture.replay.calls_seen import CallsSeen
from offrecord.ami_capture.replay.pbx import ReplayPbx
from offrecord.assembly.build import name_rules
from offrecord.assembly.components import Components
from offrecord.assembly.core_objects import Clock
from offrecord.base.errors import Exit, UserError
from offrecord.config import ConfigError, Loaded, load
from offrecord.journal.journal import Journal, Record
from offrecord.model.press import END_OBJECTION, Press, PressIds, Way

INSTANT: Final = 1e-6
"""Seconds between two blocks of one moment: whatever the first one brought about is done then."""

LINGER: Final = 20.0
"""Seconds after the last block for what is still being done."""

_SEEN_IN_STREAM: Final = frozenset({"keypad", "userevent"})
_TICK: Final = 0.01
_NO_CONTACT: Final = "not contacted: a replay asks no recorder elsewhere"


class MemoryJournal(Journal):
    """A journal that keeps its records in memory and writes no file."""

    def __init__(self) -> None:
        super().__init__(Path("/dev/null"))
        self.records: dict[str, list[Record]] = {}

    def write(self, record: Record) -> "asyncio.Future[int]":
        """Keep a record."""
        self.records.setdefault(record.press, []).append(record)
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        written.set_result(len(self.records))
        return written


class ReplayRecorder:
    """A recorder elsewhere in a replay: returns the answer that is in the capture."""

    capabilities = Capabilities(frozenset(ORDERS), Evidence.READ_BACK)

    def __init__(
        self, name: str, kind: str, then: Mapping[tuple[str, str], Mapping[str, str]]
    ) -> None:
        self.name = name
        self.kind = kind
        self._then = then

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def probe(self) -> str:
        """Return that no recorder is contacted."""
        return _NO_CONTACT

    def plan(self, order: Order) -> Plan:  # noqa: ARG002 - nothing is planned for any order
        """Return that no recorder is contacted."""
        return Plan(self.name, self.kind, "-", (), _NO_CONTACT)

    async def act(self, order: Order) -> RecorderResult:
        """Return the real recorder's answer to this press, if the capture has it in time."""
        ends = asyncio.get_running_loop().time() + order.budget
        while (told := self._then.get((order.press_id, self.name))) is None:
            if asyncio.get_running_loop().time() > ends:
                break
            await asyncio.sleep(_TICK)
        if told is None:
            return RecorderResult(self.name, self.kind, Outcome.FAILED, Evidence.SENT, _NO_CONTACT)
        evidence = next(
            (one for one in Evidence if one.label == told.get("Evidence")), Evidence.NONE
        )
        outcome = Outcome(told["Outcome"])
        return RecorderResult(
            self.name, self.kind, outcome, evidence, "as it answered then; " + _NO_CONTACT
        )


class ReplayLook:
    """The look at the PBX beside a press: returns what it found then, by the journal's records."""

    def __init__(self, looking: Looking, then: "CapturedResults") -> None:
        self.name = looking.name
        self.kind = looking.kind
        self._then = then

    async def look_at(self, order: Order) -> RecorderResult:
        """Return what was found, once the capture has it, or its verdict without it."""
        ends = asyncio.get_running_loop().time() + order.budget
        key = (order.press_id, self.name)
        while key not in self._then.answers and order.press_id not in self._then.verdicts:
            if asyncio.get_running_loop().time() > ends:
                break
            await asyncio.sleep(_TICK)
        told = self._then.answers.get(key)
        outcome = Outcome(told["Outcome"]) if told else Outcome.NOTHING_TO_STOP
        return RecorderResult(self.name, self.kind, outcome, Evidence.NONE, "as it was found then")


@dataclass(slots=True)
class CapturedResults:
    """The results in the capture: verdicts by press id, answers by press id and recorder.

    `seen`: ids of the presses that were found in the stream, by way, in order.
    """

    verdicts: dict[str, Mapping[str, str]] = field(default_factory=dict)
    answers: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    seen: dict[str, list[str]] = field(default_factory=dict)

    def take(self, told: Mapping[str, str]) -> None:
        """Add one block with the mark `!`."""
        press, what = told.get("Press", ""), told.get("What")
        if what == "pressed" and told.get("Way") in _SEEN_IN_STREAM:
            self.seen.setdefault(told["Way"], []).append(press)
        elif what == "verdict":
            self.verdicts[press] = told
        elif what == "answered" and told.get("Outcome") in set(Outcome):
            self.answers[press, told.get("Recorder", "")] = told


class Playback:
    """One replay. Create it on a `clock.ReplayLoop`, then `play`.

    `calls`: the calls in the stream. `memory`: the journal records of the replay's presses. `then`:
    their results in the capture.
    """

    def __init__(self, head: Head) -> None:
        loop = asyncio.get_running_loop()
        loaded = _loaded(head.configuration)
        config, self.then = loaded.config, CapturedResults()
        self.pbx = ReplayPbx(
            CallGraph(name_rules(config)),
            head.info.get("Asterisk", ""),
            answered=head.info.get("Heard-by") != BY_LOGIN,
        )
        self.memory = MemoryJournal()
        self._components = Components(
            loaded,
            pbx=cast("Pbx", self.pbx),  # it has all that the components use
            journal=self.memory,
            recorders=self._recorders,
            clock=Clock(monotonic=loop.time, now=lambda: round(loop.time() * 1000)),
            ids=PressIds(lambda _bits: 0),
        )
        site = self._components.site
        if site.settings.pbx is not None:
            look = ReplayLook(site.settings.pbx, self.then)
            site.settings = replace(site.settings, pbx=look)
        self.recorders = self._components.recorders
        self.elsewhere = sorted(
            name for name, one in self.recorders.items() if not one.capabilities.on_pbx
        )
        self.calls = CallsSeen(self.pbx.graph)
        self._pressed: set[str] = set()

    def _recorders(self, loaded: Loaded, _pbx: Pbx) -> dict[str, Recorder]:
        made: dict[str, Recorder] = {}
        clock = asyncio.get_running_loop().time
        for name, given in loaded.config.recorders.items():
            if not given.enabled:
                continue
            if given.kind == AsteriskRecorder.kind:
                made[name] = AsteriskRecorder(name, AsteriskSettings(), self.pbx, clock=clock)
            else:
                made[name] = ReplayRecorder(name, given.kind, self.then.answers)
        return made

    async def play(self, entries: Iterator[Entry], until: float | None = None) -> None:
        """Play the stream until its presses have ended; or stop at `until` seconds."""
        enforcing = asyncio.create_task(self._components.enforcer.run(), name="enforcer")
        try:
            for entry in entries:
                if until is not None and entry.at > until * 1000:
                    return
                await self.step(entry)
            await self.settle()
        finally:
            enforcing.cancel()
            await asyncio.gather(enforcing, return_exceptions=True)

    async def step(self, entry: Entry) -> Event | None:
        """Process one block at its time, and wait for what follows from it at once."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(INSTANT, entry.at / 1000 - loop.time()))
        if entry.mark == "!":
            self._press(dict(entry.fields))
            return None
        self.calls.before(entry)
        event = self.pbx.take(entry)
        self.calls.after(entry)
        return event

    async def settle(self) -> None:
        """Wait up to `LINGER` seconds for presses to end, then close."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._components.engine.idle()
        await asyncio.sleep(1.0)
        await self._components.engine.close(0.0)

    async def explained(
        self, entries: Iterator[Entry], target: str, until: float | None = None
    ) -> dict[str, object]:
        """Return what a stop on a channel, a uniqueid or an extension would do.

        That is at `until` seconds; without it just before the channel hangs up, else at the end.
        Raises `Unresolved`.
        """
        for entry in entries:
            if until is not None and entry.at > until * 1000:
                break
            told = dict(entry.fields)
            over = told.get("Event") == "Hangup" and (
                self.pbx.graph.channel(told.get("Uniqueid", "")),
            )
            if until is None and over and over[0] is not None and target in {
                over[0].name, over[0].uniqueid, over[0].extension
            }:  # fmt: skip
                break
            await self.step(entry)
        return await self._components.intake.explain(Verb.STOP, "cli", target)

    def body(self) -> dict[str, object]:
        """Return the calls and their presses as plain data.

        Presses stand with their calls; `presses` are those of no call that was seen.
        """
        seen: dict[int, list[dict[str, object]]] = {}
        for press, records in self.memory.records.items():
            ids = [one for record in records for one in _ids(record)]
            call = self.calls.of(ids)
            seen.setdefault(id(call), []).append(self._press_body(press, records))
        calls = [{**one.body(), "presses": seen.get(id(one), [])} for one in self.calls.all()]
        return {
            "unanswered": self.pbx.unanswered,
            "calls": calls,
            "presses": seen.get(id(None), []),
        }

    def _press_body(self, press: str, records: list[Record]) -> dict[str, object]:
        told = self.then.verdicts.get(self._as_captured(press, records), {})
        then = {"outcome": told["Outcome"], "evidence": told.get("Evidence", "-")} if told else None
        return {
            "press": press,
            "records": [{"at": r.at, "kind": r.kind, "body": dict(r.body)} for r in records],
            "then": then,
        }

    def _as_captured(self, press: str, records: list[Record]) -> str:
        """Return the name of a press in the capture: those seen in the stream come in order."""
        way = str(records[0].body.get("way"))
        if way not in _SEEN_IN_STREAM:
            return press
        alike = [
            name for name, each in self.memory.records.items()
            if each[0].kind == "pressed" and each[0].body.get("way") == way
        ]  # fmt: skip
        there = self.then.seen.get(way, [])
        place = alike.index(press) if press in alike else len(there)
        return there[place] if place < len(there) else press

    def _press(self, told: Mapping[str, str]) -> None:
        """Add a record of a press, and submit the press if it is not in the stream."""
        self.then.take(told)
        way, ident = told.get("Way"), told.get("Press", "")
        if told.get("What") not in {"pressed", "joined"} or way in _SEEN_IN_STREAM:
            return
        if ident in self._pressed:
            return  # it joined another press only once its call was known
        self._pressed.add(ident)
        try:
            press = self._made(told)
        except (KeyError, ValueError):
            raise UserError(
                f"the press {ident!r} of the capture lacks what a press has",
                "have it captured again by `offrecord record`",
                Exit.USAGE,
            ) from None
        self._components.engine.press(press)

    def _made(self, told: Mapping[str, str]) -> Press:
        loop = asyncio.get_running_loop()
        ends = {END_OBJECTION: "yes"} if told.get("EndObjection") == "yes" else {}
        return Press(
            told["Press"], Verb(told["Verb"]), cast("Way", told["Way"]),
            told.get("Target") or told["Uniqueid"], round(loop.time() * 1000), loop.time(),
            told.get("Uniqueid"), told.get("Channel"), told.get("Agent"), told.get("Recorder"),
            ends,
        )  # fmt: skip


def _loaded(configuration: str) -> Loaded:
    """Return the configuration of a capture, checked like any other. Raises `UserError`."""
    secret = {"env": "OFFRECORD_REPLAY"}
    given: dict[str, Any] = {
        "ami": {"username": "replay", "secret": secret}, **settings.tables(configuration)
    }  # fmt: skip
    for one in given.get("recorders", {}).values():
        if one.get("kind") != AsteriskRecorder.kind:
            one["role"] = "may"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture.toml"
        path.write_text(dumps(given))
        try:
            return load(path, {"OFFRECORD_REPLAY": "none"})
        except ConfigError as problem:
            what = str(problem.problems[0]).replace(str(path), "the capture")
            raise UserError(what, "have it captured again", Exit.USAGE) from problem


def _ids(record: Record) -> Iterator[str]:
    """Yield every id of a call that a record of a press names."""
    body = record.body
    yield from (str(body[key]) for key in ("uniqueid", "call") if body.get(key))
    yield from map(str, body.get("lineage", ()))
