# SPDX-License-Identifier: Apache-2.0
"""Show a plan as plain data: what a press would do, and why."""

from bridges.model import RecorderResult
from offrecord.presses.plan import Plan
from offrecord.presses.site_settings import SiteSettings


def explain(
    plan: Plan, site: SiteSettings, refusal: str | None, found: RecorderResult | None = None
) -> dict[str, object]:
    """Return the decision about a press as `offrecord explain` shows it.

    `refusal` is why an objection in force forbids the press, None when none does. `found` is what
    was found on the PBX beside the recorders that would be asked.
    """
    ruling = site.policy.explain(plan.press, plan.facts, plan.rules)
    sheets = [site.recorders[n].plan(plan.order) for n in plan.recorders if n in site.recorders]
    return {
        **plan.resolved.body(plan.rules),
        "policy": {
            **ruling,
            "allowed": ruling["allowed"] and refusal is None,
            "why": ruling["why"] if refusal is None or not ruling["allowed"] else refusal,
        },
        "intents": [intent.body() for intent in plan.intents],
        "routes": [{"route": t.route, "matched": t.matched, "why": t.why} for t in plan.trials],
        "beside": found.detail if found is not None else "",
        "recorders": [
            {
                "recorder": sheet.recorder,
                "kind": sheet.kind,
                "role": "may" if sheet.recorder in site.optional else "must",
                "target": sheet.target,
                "requests": list(sheet.requests),
                "refusal": sheet.refusal,
            }
            for sheet in sheets
        ],
    }
