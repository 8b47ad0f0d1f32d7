# SPDX-License-Identifier: Apache-2.0
"""Send a recorder order again later than its press, on the channels the call has then.

After a transfer a call has other channels than those that the first order was about.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ami.calls.graph import CallGraph
from ami.calls.snapshots import Call, Channel
from bridges.model import KnowsRecordings, Order, Recorder, RecorderResult, Verb
from offrecord.model.intents import Intent
from offrecord.presses.agent_lookup import Who
from offrecord.presses.ask_recorders import ask
from offrecord.presses.find_call import Resolved
from offrecord.presses.site_settings import CurrentSite, SiteSettings


def _ignore(_result: RecorderResult) -> None:
    """Do nothing: the sender of a repeated order journals its results together."""


@dataclass(frozen=True, slots=True)
class OrderSender:
    """Sends the orders of intents. `current` holds the site, `graph` returns the live calls."""

    current: CurrentSite
    graph: Callable[[], CallGraph]

    @property
    def site(self) -> SiteSettings:
        """The settings in force now."""
        return self.current.settings

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
        known = self.site.recorders
        return [name for name in names if name in known and known[name].capabilities.on_pbx]

    def remote(self, names: Iterable[str]) -> list[str]:
        """Return which of these recorders are elsewhere."""
        known = self.site.recorders
        return [name for name in names if name in known and not known[name].capabilities.on_pbx]

    def also_recorded(self, names: Iterable[str], call: Call, verb: Verb) -> list[Channel]:
        """Return the channels of a call that recorders know to be recorded against `verb`.

        The call graph does not tell of these.
        """
        several = [self.site.recorders[name] for name in self.local(names)]
        return [
            channel
            for one in several
            if isinstance(one, KnowsRecordings)
            for channel in one.recorded(call, verb.order)
        ]

    def needed(self, result: RecorderResult) -> bool:
        """Return whether a result is from a recorder that must obey."""
        return result.recorder not in self.site.optional

    async def send(
        self, intent: Intent, verb: Verb, names: Iterable[str], call: Call | None = None
    ) -> list[RecorderResult]:
        """Send an order to recorders and return their results.

        `call` is used when the intent's own call is over; without either no recorder is asked.
        """
        site = self.site
        asked = [site.recorders[name] for name in names if name in site.recorders]
        call = self.call(intent) or call
        if call is None or not asked:
            return []
        presser = self.presser(intent)
        facts = await self._facts(intent, call, presser, asked)
        order = Order(
            intent.id, verb.order, call, presser, intent.agent, None, site.budget, facts
        )  # fmt: skip
        return await ask(asked, order, _ignore, overrun=site.overrun)

    async def _facts(
        self, intent: Intent, call: Call, presser: Channel | None, asked: Iterable[Recorder]
    ) -> Mapping[str, tuple[str, ...]]:
        """Return the channel variables that the recorders need, with the values they have now."""
        wanted = [name for one in asked for name in one.capabilities.variables]
        if not wanted:
            return intent.facts
        who = Who(intent.agent, "the press")
        found = await self.site.resolver.with_facts(Resolved(call, presser, who, "", None), wanted)
        return {**intent.facts, **{name: told for name, told in found.facts.items() if told}}


def _by_linkedid(graph: CallGraph, one: str) -> Call | None:
    """Return the call that goes or went by a linkedid, though its oldest channel has gone."""
    found = graph.find(one)
    return found[0] if found and one in found[0].lineage else None
