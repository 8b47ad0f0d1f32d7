# SPDX-License-Identifier: Apache-2.0
"""From a press to the call it means: legs, presser, agent, and the recorders named for it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ami import names
from ami.calls import Call, CallGraph, Channel
from ami.errors import AmiError
from bridges.model import Outcome
from bridges.routing import VARIABLE as RECORDERS_VARIABLE
from offrecord.press import Press

AGENT_VARIABLE = "OFFRECORD_AGENT"
"""Channel variable that names the person to the recorders."""

TAG_VARIABLE = "OFFRECORD_TAG"
"""Channel variable with the label a recording gets when it is started (again)."""


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

    `seen` is False when the PBX could not be asked and the call is only what the press itself
    told: its own channel. `notes` are sentences for the journal about what could not be read.
    """

    call: Call
    presser: Channel | None
    agent: str | None
    recorders: str
    tag: str | None
    seen: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves presses against the live calls of one PBX.

    `rules` say whose a channel is; `agents` maps extensions to the recorders' name for the
    person; `variable` is the channel variable that holds a channel's extension, where a site sets
    one. `wait_known` is how many seconds a press may wait for the calls to be known.
    """

    pbx: PbxView
    rules: names.Rules
    agents: Mapping[str, str]
    variable: str | None = None
    wait_known: float = 3.0

    async def resolve(self, press: Press) -> Resolved:
        """Return the call `press` means; raises `Unresolved`."""
        graph = self.pbx.graph
        if not graph.known and not await self.pbx.wait_known(self.wait_known):
            return self._unseen(press)
        call, presser = self._find(press)
        return await self._with_variables(press, call, presser)

    def lineage(self, press: Press) -> frozenset[str]:
        """Return what tells this press's call from others, from what is known right now."""
        graph = self.pbx.graph
        if press.uniqueid is not None:
            call = graph.call_of(press.uniqueid)
            return call.lineage if call else frozenset({press.uniqueid})
        found = graph.find(press.target)
        return found[0].lineage if len(found) == 1 else frozenset({press.target})

    def _find(self, press: Press) -> tuple[Call, Channel | None]:
        graph = self.pbx.graph
        if press.uniqueid is not None:
            call = graph.call_of(press.uniqueid)
            if call is None:
                raise Unresolved(
                    Outcome.CALL_ENDED,
                    f"no channel with uniqueid {press.uniqueid} is up any more",
                )
            return call, call.channel(press.uniqueid)
        found = graph.find(press.target)
        if not found:
            raise Unresolved(Outcome.CALL_ENDED, f"no live call matches {press.target}")
        if len(found) > 1:
            raise Unresolved(Outcome.FAILED, _ambiguous(press.target, found))
        return found[0], _meant(press.target, found[0])

    def _unseen(self, press: Press) -> Resolved:
        """Make do with what the press itself told: a recorder elsewhere can still be stopped."""
        why = f"the PBX could not be asked for {self.wait_known:g} s"
        if press.uniqueid is None:
            raise Unresolved(Outcome.FAILED, f"{why}, so nobody knows which call {press.target} is")
        parts = names.parse(press.channel or "")
        alone = Channel(
            parts.raw,
            press.uniqueid,
            press.uniqueid,
            parts.technology,
            parts.endpoint,
            names.extension(parts, self.rules),
            monitors=None,
        )
        return Resolved(
            Call(press.uniqueid, frozenset({press.uniqueid}), (alone,)),
            alone,
            press.agent or self.agents.get(alone.extension or ""),
            "",
            None,
            seen=False,
            notes=(why,),
        )

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
