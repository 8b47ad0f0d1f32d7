# SPDX-License-Identifier: Apache-2.0
"""Which recorders a press is for, and the whole decision for one, with nothing sent."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from bridges.model import Order, RecorderResult
from bridges.routing import Routed
from bridges.shared.call_parties import trunks
from offrecord.model.intents import Intent, Intents
from offrecord.model.press import Press
from offrecord.model.verdict import Verdict
from offrecord.policy import freepbx
from offrecord.policy.rule_matching import Facts, Person
from offrecord.presses.ask_recorders import SiteSettings
from offrecord.presses.find_call import Resolved, Resolver


class Promises(Protocol):
    """What the engine asks and tells of what holds beyond a press; `Keeper` is one."""

    intents: Intents

    def refusal(self, press: Press, resolved: Resolved) -> str | None:
        """Return why an earlier promise forbids the press, None when none does."""

    def begin(self, press: Press, resolved: Resolved, recorders: Sequence[str]) -> Intent:
        """Take up and journal what a silencing press promises, before anybody is asked."""

    async def release(self, press: Press, resolved: Resolved) -> None:
        """End the promises that a press takes back."""

    def asked(  # noqa: PLR0917 - a press, and all that became of it
        self, press: Press, resolved: Resolved, order: Order, recorders: Sequence[str],
        results: Sequence[RecorderResult], verdict: Verdict,
    ) -> None:  # fmt: skip
        """Hear what became of a press."""

    def ack(self, press_id: str) -> bool:
        """End the repeated tone of an unsolved press; False when there is no such press."""

    async def close(self) -> None:
        """Stop whatever is still being done, and leave it open."""


async def route(
    press: Press, found: Resolved, resolver: Resolver, site: SiteSettings
) -> tuple[Resolved, Routed]:
    """Return the recorders of a call, and the call with what they have to be told of it."""
    routed = site.router.route(
        found.call, found.recorders, queues=found.queues, agent=found.who.login
    )
    asked = (site.recorders.get(name) for name in wanted(press, routed))
    variables = [*site.policy.variables]
    variables += [name for one in asked if one for name in one.capabilities.variables]
    return await resolver.with_facts(found, variables), routed


def facts_of(resolved: Resolved, silenced_by: Iterable[Person] = ()) -> Facts:
    """Return what the policy's ruling needs to know of a resolved call.

    `silenced_by`: those whose stops and pauses are in force on it.
    """
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


def facts_for(resolved: Resolved, promises: Promises | None) -> Facts:
    """Return what the policy needs of a call, with whoever silenced it."""
    live = promises.intents.all_of(resolved.call.ids) if promises else []
    return facts_of(resolved, [Person(one.agent, one.extension) for one in live])


def wanted(press: Press, routed: Routed) -> tuple[str, ...]:
    """Return the recorders to ask: those of the route, or the one the press names."""
    return routed.recorders if press.recorder is None else (press.recorder,)


def order_of(press: Press, resolved: Resolved, site: SiteSettings) -> Order:
    """Return what the recorders are told to do for a press."""
    return Order(
        press.id, press.verb.order, resolved.call, resolved.presser, resolved.who.login,
        resolved.tag, site.budget, resolved.facts,
    )  # fmt: skip


async def explain(
    press: Press, resolver: Resolver, site: SiteSettings, promises: Promises | None
) -> dict[str, object]:
    """Return the whole decision for a press as plain data. Raises `Unresolved`."""
    resolved = await resolver.resolve(press)
    resolved, routed = await route(press, resolved, resolver, site)
    ruling = site.policy.explain(press, facts_for(resolved, promises), resolver.rules)
    order = order_of(press, resolved, site)
    plans = [
        site.recorders[name].plan(order)
        for name in wanted(press, routed)
        if name in site.recorders
    ]  # fmt: skip
    live = promises.intents.all_of(resolved.call.ids) if promises else []
    refusal = promises.refusal(press, resolved) if promises else None
    return {
        **resolved.body(resolver.rules),
        "policy": {
            **ruling,
            "allowed": ruling["allowed"] and refusal is None,
            "why": ruling["why"] if refusal is None or not ruling["allowed"] else refusal,
        },
        "intents": [intent.body() for intent in live],
        "routes": [{"route": t.route, "matched": t.matched, "why": t.why} for t in routed.trials],
        "recorders": [
            {
                "recorder": plan.recorder,
                "kind": plan.kind,
                "role": "may" if plan.recorder in site.optional else "must",
                "target": plan.target,
                "requests": list(plan.requests),
                "refusal": plan.refusal,
            }
            for plan in plans
        ],
    }
