# SPDX-License-Identifier: Apache-2.0
"""Find the call that a press means: its legs, presser, agent, and the recorders named for it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ami.calls import channel_names
from ami.calls.snapshots import Call, Channel
from ami.errors import AmiDenied, AmiError
from ami.ports import PbxPort
from ami.recording_actions import NO_CHANNEL
from bridges.model import Outcome
from bridges.routing import VARIABLE as RECORDERS_VARIABLE
from offrecord.model.press import Press
from offrecord.presses.agent_lookup import Agents, Who

AGENT_VARIABLE = "OFFRECORD_AGENT"
"""Channel variable that names the person to the recorders."""

TAG_VARIABLE = "OFFRECORD_TAG"
"""Channel variable with the label a recording gets when it is started (again)."""

APPLICATION, DATA = "CHANNEL(appname)", "CHANNEL(appdata)"
"""Application of a channel and its arguments: `Queue` with `name,options` for a queue's caller."""

_TICK, _TICKS = 0.02, 25
"""Seconds between two looks for a channel that the PBX knows and we do not yet, and how many."""


class Unresolved(Exception):
    """A press whose call cannot be found, or is ambiguous; it ends with `outcome`."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why


@dataclass(frozen=True, slots=True)
class Resolved:
    """The call a press means.

    `seen` is False when the PBX could not be asked: the call is then as it was last seen, or only
    what the press itself told, its own channel. `recorders` are those that channel variables name.
    `facts` are the channel variables that recorders asked for, each with its different values.
    `notes` are sentences for the journal about what could not be read.
    """

    call: Call
    presser: Channel | None
    who: Who
    recorders: str
    tag: str | None
    seen: bool = True
    notes: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def body(self, rules: channel_names.Rules) -> dict[str, object]:
        """Return the call as the journal and `explain` show it."""
        return {
            "call": self.call.linkedid,
            "lineage": sorted(self.call.lineage),
            "seen": self.seen,
            "presser": self.presser.name if self.presser else None,
            "agent": self.who.login,
            "agent_from": self.who.source,
            "queues": list(self.queues),
            "facts": {name: list(values) for name, values in self.facts.items()},
            "notes": list(self.notes),
            "channels": [
                {
                    "channel": channel.name,
                    "uniqueid": channel.uniqueid,
                    "extension": channel.extension,
                    "why": channel_names.resolve(channel.name, rules).reason,
                    "monitors": channel.monitors,
                    "bridge": channel.bridge_id,
                }
                for channel in self.call.channels
            ],
        }


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds the calls of presses among the live calls of one PBX.

    `agents` knows the logins of people; `variable` is the channel variable that holds a
    channel's extension, where a site sets one. `wait_known` is how many seconds a press may wait
    for the calls to be known. `queues` says that the queue of a call is asked for. `sleep` is a
    seam.
    """

    pbx: PbxPort
    agents: Agents
    variable: str | None = None
    wait_known: float = 3.0
    queues: bool = False
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    @property
    def rules(self) -> channel_names.Rules:
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
        presser, notes = self._presser(press.uniqueid, pressed_on)
        found = await self._with_variables(press, pressed_on, presser)
        return replace(found, notes=(*notes, *found.notes))

    def _presser(self, uniqueid: str, call: Call) -> tuple[Channel | None, tuple[str, ...]]:
        """Return the channel that pressed, and what to say of it where another one was named.

        In a consultation the code fires on the Local channel to the third party, although it is
        the agent who pressed it.
        """
        named, heard = call.channel(uniqueid), self.pbx.graph.speaker(uniqueid)
        speaks = call.channel(heard.uniqueid) if heard else None
        if named is None or speaks is None or speaks == named:
            return named, ()
        return speaks, (f"pressed on {named.name}, through which only {speaks.name} speaks",)

    def lineage(self, press: Press) -> frozenset[str]:
        """Return the ids of this press's call, as far as they are known right now."""
        call = self._now(press)
        return call.ids if call else frozenset({press.uniqueid or press.target})

    def recorded(self, press: Press) -> bool:
        """Return whether a MixMonitor is known to run on the press's call right now."""
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
        """Return the call as far as it is known: a recorder elsewhere can still be stopped.

        That is the call as it was last seen, else what the press itself told.
        """
        if press.uniqueid is None:
            raise Unresolved(Outcome.FAILED, f"{why}, so nobody knows which call {press.target} is")
        call = self.pbx.graph.call_of(press.uniqueid) or self._alone(press.uniqueid, press.channel)
        presser = call.channel(press.uniqueid)
        who = _told(press) or self.agents.known(presser.extension if presser else None)
        return Resolved(call, presser, who, "", None, seen=False, notes=(why,))

    def _alone(self, uniqueid: str, name: str | None) -> Call:
        parts = channel_names.parse(name or "")
        channel = Channel(
            parts.raw,
            uniqueid,
            uniqueid,
            parts.technology,
            parts.endpoint,
            channel_names.extension(parts, self.rules),
            monitors=None,
        )
        return Call(uniqueid, frozenset({uniqueid}), (channel,))

    async def _with_variables(self, press: Press, call: Call, presser: Channel | None) -> Resolved:
        first = presser or call.channels[0]
        everyone = _presser_first(call, first)
        own = [AGENT_VARIABLE, TAG_VARIABLE, *filter(None, [self.variable])]
        each = [RECORDERS_VARIABLE, *((APPLICATION, DATA) if self.queues else ())]
        read = await self._read_all(
            [*((first, name) for name in own), *((c, name) for c in everyone for name in each)]
        )
        exten = read.value(first, self.variable or "")
        told = channel_names.resolve(first.name, self.rules, variable=exten).extension
        if exten and told == exten:
            first = replace(first, extension=exten)
            call = replace(call, channels=tuple(_swap(call.channels, first)))
            presser = first if presser is not None else None
        agent = read.value(first, AGENT_VARIABLE)
        variable = Who(agent, f"channel variable {AGENT_VARIABLE}") if agent else None
        who = _told(press) or variable or self.agents.known(first.extension)
        notes: tuple[str, ...] = ()
        if who.login is None:
            who, notes = await self.agents.ask(self.pbx, first)
        return Resolved(
            call,
            presser,
            who,
            ",".join(read.values(everyone, RECORDERS_VARIABLE)),
            read.value(first, TAG_VARIABLE) or None,
            notes=(*read.notes, *notes),
            queues=_queues(read, everyone) if self.queues else (),
        )

    async def with_facts(self, found: Resolved, wanted: Iterable[str]) -> Resolved:
        """Return `found` with the channel variables that the recorders of its call asked for."""
        variables = tuple(dict.fromkeys(wanted))
        if not variables or not found.seen:
            return found
        everyone = _presser_first(found.call, found.presser or found.call.channels[0])
        read = await self._read_all([(one, name) for one in everyone for name in variables])
        facts = {name: read.values(everyone, name) for name in variables}
        return replace(found, facts=facts, notes=(*found.notes, *read.notes))

    async def _read_all(self, asked: Sequence[tuple[Channel, str]]) -> "_Read":
        answers = await asyncio.gather(*(self._read(channel, name) for channel, name in asked))
        values = {
            (channel.uniqueid, name): value
            for (channel, name), (value, _) in zip(asked, answers, strict=True)
        }
        return _Read(values, tuple(dict.fromkeys(note for _, note in answers if note)))

    async def _read(self, channel: Channel, name: str) -> tuple[str, str]:
        """Return a channel variable and, when it could not be read, why."""
        try:
            return await self.pbx.getvar(channel.uniqueid, name), ""
        except AmiError as error:
            return "", f"{name} of {channel.name} could not be read: {error}"


@dataclass(frozen=True, slots=True)
class _Read:
    """Channel variables as they were answered, and sentences about those that were not."""

    answers: Mapping[tuple[str, str], str]
    notes: tuple[str, ...]

    def value(self, channel: Channel, name: str) -> str:
        return self.answers.get((channel.uniqueid, name), "")

    def values(self, channels: Iterable[Channel], name: str) -> tuple[str, ...]:
        """Return the different values of a variable, in the order of the channels."""
        found = (self.value(channel, name) for channel in channels)
        return tuple(dict.fromkeys(value for value in found if value))


def _queues(read: _Read, channels: Iterable[Channel]) -> tuple[str, ...]:
    data = (read.value(c, DATA) for c in channels if read.value(c, APPLICATION) == "Queue")
    return tuple(dict.fromkeys(name for one in data if (name := one.partition(",")[0].strip())))


def _told(press: Press) -> Who | None:
    return Who(press.agent, "the press itself") if press.agent else None


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
