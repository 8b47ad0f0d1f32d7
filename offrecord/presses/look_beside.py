# SPDX-License-Identifier: Apache-2.0
"""Look at the PBX beside the recorders of a press, when none of them is the PBX itself.

A call whose route names another system alone may still be recorded by Asterisk. What is found makes
the press `failed`, with the line that gives the route a recorder for it; what is not there changes
nothing.
"""

import json
from dataclasses import replace

from bridges.model import Outcome, RecorderResult
from offrecord.presses.ask_recorders import guarded
from offrecord.presses.plan import Plan
from offrecord.presses.site_settings import SiteSettings

_HARMLESS = frozenset({Outcome.NOTHING_TO_STOP, Outcome.CALL_ENDED})


async def look_beside(plan: Plan, site: SiteSettings) -> RecorderResult | None:
    """Return what was found, or cannot be told; None when the plan looks at nothing or all is well.

    Never raises, and ends within the order's budget.
    """
    if not plan.looks or site.pbx is None:
        return None
    found = await guarded(site.pbx, site.pbx.look_at, plan.order, site.overrun)
    if found.outcome in _HARMLESS:
        return None
    detail = f"{found.detail}; {route_line(plan, site, found.recorder)}"
    # It was no order: there is nothing to give again.
    return replace(found, outcome=Outcome.FAILED, detail=detail, retryable=False)


def route_line(plan: Plan, site: SiteSettings, name: str) -> str:
    """Return what to write where, to have the route of a plan ask the PBX as well."""
    missing = "" if name in site.recorders else f"[recorders.{name}] kind = {_kind(site)}, and "
    names = json.dumps([*plan.recorders, name])
    taken = [trial.route for trial in plan.trials if trial.matched]
    if not taken or taken == ["default"]:
        return f"write {missing}default = {names} in [routes]"
    places = " and ".join(taken)
    return f"write {missing}{json.dumps(name)} into the recorders of {places}"


def _kind(site: SiteSettings) -> str:
    return json.dumps(site.pbx.kind) if site.pbx is not None else ""
