# SPDX-License-Identifier: Apache-2.0
"""Giving an order for a call later than the press that stands behind it.

The call is taken as it is now: after a transfer it has other channels than those that were asked
about at first.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from bridges.model import Order, Recorder, RecorderResult, Verb
from offrecord.model.intents import Intent
from offrecord.presses.agent_lookup import Who
from offrecord.presses.ask_recorders import SiteSettings, ask
from offrecord.presses.find_call import Resolved, Resolver


class Engine(Protocol):
    """What is needed of the engine; `offrecord.presses.lifecycle.Engine` is one."""

    @property
    def site(self) -> SiteSettings:
        """The recorders, as configured now."""

    @property
    def resolver(self) -> Resolver:
        """What finds calls."""


def _unheard(_result: RecorderResult) -> None:
    """Hear nothing of single answers: whoever gives an order again journals them together."""


@dataclass(frozen=True, slots=True)
class OrderSender:
    """Gives the orders of an intent anew. `graph` returns the live calls."""

    engine: Engine
    graph: Callable[[], CallGraph]

    def call(self, intent: Intent) -> Call | None:
        """Return the intent's call as it is now, the presser's own first; None once it is over."""
        graph = self.graph()
        for one in (*intent.home, *(intent.lineage - intent.home)):
            found = graph.call_of(one) or _by_linkedid(graph, one)
            if found is not None:
                return found
        return None

    def presser(self, intent: Intent) -> Channel | None:
        """Return the channel that pressed, while it is up."""
        return self.graph().channel(intent.presser) if intent.presser else None

    def local(self, names: Iterable[str]) -> list[str]:
        """Return which of these recorders are the PBX's own."""
        known = self.engine.site.recorders
        return [name for name in names if name in known and known[name].capabilities.on_pbx]

    def remote(self, names: Iterable[str]) -> list[str]:
        """Return which of these recorders are elsewhere."""
        known = self.engine.site.recorders
        return [name for name in names if name in known and not known[name].capabilities.on_pbx]

    def needed(self, result: RecorderResult) -> bool:
        """Say whether a result is of a recorder that must obey."""
        return result.recorder not in self.engine.site.optional

    async def give(
        self, intent: Intent, verb: Verb, names: Iterable[str], call: Call | None = None
    ) -> list[RecorderResult]:
        """Give an order to recorders and return what they made of it.

        `call` stands in for one that is over; without either nobody is asked.
        """
        site = self.engine.site
        asked = [site.recorders[name] for name in names if name in site.recorders]
        call = self.call(intent) or call
        if call is None or not asked:
            return []
        presser = self.presser(intent)
        facts = await self._facts(intent, call, presser, asked)
        order = Order(
            intent.id, verb.order, call, presser, intent.agent, None, site.budget, facts
        )  # fmt: skip
        return await ask(asked, order, _unheard, overrun=site.overrun)

    async def _facts(
        self, intent: Intent, call: Call, presser: Channel | None, asked: Iterable[Recorder]
    ) -> Mapping[str, tuple[str, ...]]:
        """Return the channel variables that the recorders want, as they are now where they are."""
        wanted = [name for one in asked for name in one.capabilities.variables]
        if not wanted:
            return intent.facts
        who = Who(intent.agent, "the press")
        found = await self.engine.resolver.with_facts(
            Resolved(call, presser, who, "", None), wanted
        )
        return {**intent.facts, **{name: told for name, told in found.facts.items() if told}}


def _by_linkedid(graph: CallGraph, one: str) -> Call | None:
    """Return the call that goes or went by a linkedid, though its oldest channel has gone."""
    found = graph.find(one)
    return found[0] if found and one in found[0].lineage else None
