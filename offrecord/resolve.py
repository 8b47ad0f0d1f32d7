# SPDX-License-Identifier: Apache-2.0
"""From a press to the call it means: legs, presser, agent, and the recorders named for it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ami import names
from ami.calls import Call, CallGraph, Channel
from ami.errors import AmiDenied, AmiError
from ami.monitors import NO_CHANNEL
from bridges.model import Outcome
from bridges.routing import VARIABLE as RECORDERS_VARIABLE
from offrecord.press import Press

AGENT_VARIABLE = "OFFRECORD_AGENT"
"""Channel variable that names the person to the recorders."""

TAG_VARIABLE = "OFFRECORD_TAG"
"""Channel variable with the label a recording gets when it is started (again)."""

_TICK, _TICKS = 0.02, 25
"""Seconds between two looks for a channel that the PBX knows and we do not yet, and how many."""


class Unresolved(Exception):
    """A press that means no call, or not one for sure; `outcome` is what it then ends with."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why


class PbxView(Protocol):
    """What resolving needs of the PBX."""

    @property
    def graph(self) -> CallGraph:
        """The live calls."""

    async def wait_known(self, timeout: float) -> bool:
        """Wait until the live calls are known; False when they are not in time."""

    async def getvar(self, uniqueid: str, name: str) -> str:
        """Return a channel variable, empty when it is not set."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The call a press means.

    `seen` is False when the PBX could not be asked: the call is then as it was last seen, or only
    what the press itself told, its own channel. `notes` are sentences for the journal about what
    could not be read.
    """

    call: Call
    presser: Channel | None
    agent: str | None
    recorders: str
    tag: str | None
    seen: bool = True
    notes: tuple[str, ...] = ()

    def body(self, rules: names.Rules) -> dict[str, object]:
        """Return the call as the journal and `explain` show it."""
        return {
            "call": self.call.linkedid,
            "lineage": sorted(self.call.lineage),
            "seen": self.seen,
            "presser": self.presser.name if self.presser else None,
            "agent": self.agent,
            "notes": list(self.notes),
            "channels": [
                {
                    "channel": channel.name,
                    "uniqueid": channel.uniqueid,
                    "extension": channel.extension,
                    "why": names.resolve(channel.name, rules).reason,
                    "monitors": channel.monitors,
                    "bridge": channel.bridge_id,
                }
                for channel in self.call.channels
            ],
        }


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves presses against the live calls of one PBX.

    `agents` maps extensions to the recorders' name for the person; `variable` is the channel
    variable that holds a channel's extension, where a site sets one. `wait_known` is how many
    seconds a press may wait for the calls to be known. `sleep` is a seam.
    """

    pbx: PbxView
    agents: Mapping[str, str]
    variable: str | None = None
    wait_known: float = 3.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def rules(self) -> names.Rules:
        """The rules that say whose a channel is, as the live calls go by them now."""
        return self.pbx.graph.rules

    async def resolve(self, press: Press) -> Resolved:
        """Return the call `press` means; raises `Unresolved`."""
        graph = self.pbx.graph
        if not graph.known and not await self.pbx.wait_known(self.wait_known):
            return self._unseen(press, f"the PBX could not be asked for {self.wait_known:g} s")
        if press.uniqueid is None:
            call, presser = self._named(press.target)
            return await self._with_variables(press, call, presser)
        pressed_on = graph.call_of(press.uniqueid)
        if pressed_on is None:
            try:
                pressed_on = await self._late(press.uniqueid)
            except AmiError as error:
                return self._unseen(press, f"the PBX could not be asked: {error}")
        if pressed_on is None:
            why = "the PBX has its channel, and it is not among the calls known here"
            return self._unseen(press, why)
        presser = pressed_on.channel(press.uniqueid)
        return await self._with_variables(press, pressed_on, presser)

    def lineage(self, press: Press) -> frozenset[str]:
        """Return what tells this press's call from others, from what is known right now."""
        call = self._now(press)
        return everything(call) if call else frozenset({press.uniqueid or press.target})

    def recorded(self, press: Press) -> bool:
        """Say whether a MixMonitor is known to run on the press's call right now."""
        call = self._now(press)
        return bool(call and call.monitored)

    def _now(self, press: Press) -> Call | None:
        graph = self.pbx.graph
        if press.uniqueid is not None:
            return graph.call_of(press.uniqueid)
        found = graph.find(press.target)
        return found[0] if len(found) == 1 else None

    def _named(self, target: str) -> tuple[Call, Channel | None]:
        found = self.pbx.graph.find(target)
        if not found:
            raise Unresolved(Outcome.CALL_ENDED, f"no live call matches {target}")
        if len(found) > 1:
            raise Unresolved(Outcome.FAILED, _ambiguous(target, found))
        return found[0], _meant(target, found[0])

    async def _late(self, uniqueid: str) -> Call | None:
        """Ask the PBX itself for a channel not known here, and wait a moment for its events.

        Only the PBX's own word ends the press: a view that is behind must not pass for a call
        that has ended.
        """
        try:
            await self.pbx.getvar(uniqueid, "CHANNEL(linkedid)")
        except AmiDenied as error:
            if error.answer == NO_CHANNEL:
                why = f"no channel with uniqueid {uniqueid} is up any more"
                raise Unresolved(Outcome.CALL_ENDED, why) from error
            raise
        for _ in range(_TICKS):
            call = self.pbx.graph.call_of(uniqueid)
            if call is not None:
                return call
            await self.sleep(_TICK)
        return None

    def _unseen(self, press: Press, why: str) -> Resolved:
        """Make do with what is known: a recorder elsewhere can still be stopped.

        That is the call as it was last seen, else what the press itself told.
        """
        if press.uniqueid is None:
            raise Unresolved(Outcome.FAILED, f"{why}, so nobody knows which call {press.target} is")
        call = self.pbx.graph.call_of(press.uniqueid) or self._alone(press.uniqueid, press.channel)
        presser = call.channel(press.uniqueid)
        extension = presser.extension if presser else None
        agent = press.agent or self.agents.get(extension or "")
        return Resolved(call, presser, agent, "", None, seen=False, notes=(why,))

    def _alone(self, uniqueid: str, name: str | None) -> Call:
        parts = names.parse(name or "")
        channel = Channel(
            parts.raw,
            uniqueid,
            uniqueid,
            parts.technology,
            parts.endpoint,
            names.extension(parts, self.rules),
            monitors=None,
        )
        return Call(uniqueid, frozenset({uniqueid}), (channel,))

    async def _with_variables(self, press: Press, call: Call, presser: Channel | None) -> Resolved:
        first = presser or call.channels[0]
        asked = [
            (first, AGENT_VARIABLE),
            (first, TAG_VARIABLE),
            (first, self.variable or ""),
            *((channel, RECORDERS_VARIABLE) for channel in _presser_first(call, first)),
        ]
        answers = await asyncio.gather(*(self._read(channel, name) for channel, name in asked))
        (agent, tag, exten, *named), notes = zip(*answers, strict=True)
        told = names.resolve(first.name, self.rules, variable=exten).extension
        if exten and told == exten:
            first = replace(first, extension=exten)
            call = replace(call, channels=tuple(_swap(call.channels, first)))
            presser = first if presser is not None else None
        return Resolved(
            call,
            presser,
            press.agent or agent or self.agents.get(first.extension or ""),
            next(filter(None, named), ""),
            tag or None,
            notes=tuple(dict.fromkeys(filter(None, notes))),
        )

    async def _read(self, channel: Channel, name: str) -> tuple[str, str]:
        """Return a channel variable and, when it could not be read, why."""
        if not name:
            return "", ""
        try:
            return await self.pbx.getvar(channel.uniqueid, name), ""
        except AmiError as error:
            return "", f"{name} of {channel.name} could not be read: {error}"


def everything(call: Call) -> frozenset[str]:
    """Return every id that means this call: its linkedids, and the uniqueid of each channel."""
    return call.lineage.union(channel.uniqueid for channel in call.channels)


def _presser_first(call: Call, presser: Channel) -> list[Channel]:
    return [presser, *(c for c in call.channels if c.uniqueid != presser.uniqueid)]


def _swap(channels: Sequence[Channel], new: Channel) -> list[Channel]:
    return [new if channel.uniqueid == new.uniqueid else channel for channel in channels]


def _meant(target: str, call: Call) -> Channel | None:
    """Return the channel of the call that a command line's target names, if it names one."""
    for channel in call.channels:
        if target in (channel.uniqueid, channel.name, channel.extension):
            return channel
    return None


def _ambiguous(target: str, calls: Sequence[Call]) -> str:
    candidates = ", ".join(
        f"{call.linkedid} ({' with '.join(call.extensions) or call.channels[0].name})"
        for call in calls
    )
    return f"{target} is ambiguous: it is on the calls {candidates}; name one by its uniqueid"
