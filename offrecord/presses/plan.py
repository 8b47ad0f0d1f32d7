# SPDX-License-Identifier: Apache-2.0
"""Decide about one press: whether it may go on, which recorders to ask, and their order.

A press that is carried out and one that is only explained get the same `Plan`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ami.calls import channel_names
from bridges.model import Order
from bridges.routing import Trial
from bridges.shared.call_parties import trunks
from offrecord.model.intents import Intent, Intents
from offrecord.model.press import Press
from offrecord.policy import freepbx
from offrecord.policy.policy import Ruling
from offrecord.policy.rule_matching import Facts, Person
from offrecord.presses.find_call import Resolved
from offrecord.presses.site_settings import SiteSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole decision about one press. Nothing has been sent to a recorder.

    `resolved` is the call, with the channel variables that policy and recorders asked for.
    `recorders` are the names to ask: those of the route, or the one that the press names.
    `unknown` are those among them that are not configured. `trials` are the routes that were
    tried, `facts` what the policy went by, `intents` what is in force on the call already.
    `looks`: the PBX is looked at beside them, because none of the recorders is the PBX itself.
    """

    press: Press
    resolved: Resolved
    rules: channel_names.Rules
    trials: tuple[Trial, ...]
    recorders: tuple[str, ...]
    unknown: tuple[str, ...]
    facts: Facts
    ruling: Ruling
    intents: tuple[Intent, ...]
    order: Order
    looks: bool = False

    def body(self) -> dict[str, object]:
        """Return the plan as the journal's record `resolved` holds it."""
        return {
            **self.resolved.body(self.rules),
            "policy": self.ruling.why,
            "recorders": list(self.recorders),
        }


async def plan(press: Press, resolved: Resolved, site: SiteSettings, intents: Intents) -> Plan:
    """Return the decision about a press on a call. Reads channel variables from the PBX."""
    routed = site.router.route(
        resolved.call, resolved.recorders, queues=resolved.queues, agent=resolved.who.login
    )
    recorders = routed.recorders if press.recorder is None else (press.recorder,)
    known = [site.recorders[name] for name in recorders if name in site.recorders]
    variables = [*site.policy.variables]
    variables += [name for one in known for name in one.capabilities.variables]
    resolved = await site.resolver.with_facts(resolved, variables)
    rules = site.resolver.rules
    # Only now: what others pressed while the variables were read counts as well.
    live = tuple(intents.all_of(resolved.call.ids))
    facts = facts_of(resolved, [Person(one.agent, one.extension) for one in live])
    return Plan(
        press=press,
        resolved=resolved,
        rules=rules,
        trials=routed.trials,
        recorders=recorders,
        unknown=tuple(name for name in recorders if name not in site.recorders),
        facts=facts,
        ruling=site.policy.rule(press, facts, rules),
        intents=live,
        order=Order(
            press.id, press.verb.order, resolved.call, resolved.presser, resolved.who.login,
            resolved.tag, site.budget, resolved.facts,
        ),
        looks=(
            press.verb.silences
            and press.recorder is None
            and site.pbx is not None
            and not any(one.capabilities.on_pbx for one in known)
        ),
    )  # fmt: skip


def facts_of(resolved: Resolved, silenced_by: Iterable[Person] = ()) -> Facts:
    """Return what the policy needs to know of a call and of the presser."""
    call = resolved.call
    return Facts(
        call.ids,
        resolved.presser,
        resolved.who.login,
        call.extensions,
        tuple(dict.fromkeys(channel.endpoint for channel in trunks(call))),
        resolved.queues,
        resolved.facts.get(freepbx.VARIABLE),
        tuple(silenced_by),
        resolved.seen,
    )
