# SPDX-License-Identifier: Apache-2.0
"""Decide who may press: pure decisions about one person, one verb and one call.

The first of these that applies decides: what can never be allowed; the first rule of the site
that matches; FreePBX's setting; the rights of the way by which the press came in. A press from a
phone that is allowed may still be refused because somebody else silenced the call, or by limits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ami.calls import channel_names
from ami.calls.snapshots import Channel
from bridges.model import Verb
from offrecord.model.policy_terms import Allow, ResumeBy, Rule
from offrecord.model.press import Press
from offrecord.policy import freepbx
from offrecord.policy.press_limits import Limits
from offrecord.policy.rule_matching import Facts, Trial, fits, kind_of

PHONE_WAYS = frozenset({"fastagi", "agi", "keypad", "userevent"})
"""Ways open to everyone with a phone on the call; the other ways have rights of their own."""

_PAUSES: Final = frozenset({Verb.PAUSE, Verb.RESUME})
"""The verbs that `pause_only` allows."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Decision on whether a press is allowed, and why.

    `report` is a sentence for the administrator when there is something to look into, else None.
    """

    allowed: bool
    why: str
    report: str | None = None
    trials: tuple[Trial, ...] = ()

    def body(self) -> dict[str, object]:
        """Return the ruling as plain data, for `explain`."""
        return {
            "allowed": self.allowed,
            "why": self.why,
            "report": self.report,
            "rules": [{"rule": t.rule, "matched": t.matched, "why": t.why} for t in self.trials],
        }


def may(press: Press, presser: Channel | None, rules: channel_names.Rules) -> Ruling:
    """Return whether `presser` may do what `press` asks for where no rule decides.

    A press from a phone needs a channel that is known to belong to an extension of this PBX: the
    other end of a trunk is a stranger, and must not be able to stop a recording by playing
    digits into the call.
    """
    if kind_of(press.way) != "phone":
        return Ruling(allowed=True, why=f"{press.way} has rights of its own")
    if presser is None:
        return Ruling(allowed=False, why="it is not known which channel pressed")
    if presser.extension is None:
        why = channel_names.resolve(presser.name, rules).reason
        return Ruling(
            allowed=False,
            why=f"{presser.name} is no extension here: {why}; a phone can be named in"
            " extensions.map",
        )
    return Ruling(allowed=True, why=f"extension {presser.extension}")


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one site.

    `freepbx` is True where FreePBX's setting counts. `limits` also holds the counts, and is
    passed on to the policy that replaces this one.
    """

    rules: Sequence[Rule] = ()
    freepbx: bool = False
    resume_by: ResumeBy = "anyone"
    limits: Limits = field(default_factory=Limits)

    @property
    def variables(self) -> tuple[str, ...]:
        """The channel variables to read on every leg before `rule` is called."""
        return (freepbx.VARIABLE,) if self.freepbx else ()

    def rule(self, press: Press, facts: Facts, rules: channel_names.Rules) -> Ruling:
        """Return whether a press is allowed. Changes nothing: see `count`."""
        if press.verb not in set(Verb):
            known = ", ".join(Verb)
            return Ruling(allowed=False, why=f"no verb is called {press.verb!r}, known: {known}")
        phone = kind_of(press.way) == "phone"
        if phone and facts.presser is None:
            return may(press, None, rules)
        trials = tuple(self._trials(press, facts))
        place = next((n for n, trial in enumerate(trials) if trial.matched), None)
        strange: tuple[str, ...] = ()
        if place is not None:
            ruling = _by_rule(press.verb, place, self.rules[place], trials[place])
        else:
            ruling = may(press, facts.presser, rules)
            if self.freepbx and phone and ruling.allowed:
                ruling, strange = _by_freepbx(press.verb, facts, ruling)
        if phone and ruling.allowed:
            ruling = self._held_up(press, facts, ruling)
        if phone and ruling.allowed:
            notes = [ruling.report, *strange, *self._unknown(facts)]
            ruling = replace(ruling, report="; ".join(filter(None, notes)) or None)
        return replace(ruling, trials=trials)

    def count(self, press: Press, facts: Facts) -> None:
        """Count an allowed press towards the limits. Call it once for each that is carried out."""
        if kind_of(press.way) == "phone":
            self.limits.count(facts.call, facts.person.name, press.received)

    def explain(self, press: Press, facts: Facts, rules: channel_names.Rules) -> dict[str, object]:
        """Return the ruling on a press, and on the same press from the phone, as plain data."""
        phone = self.rule(replace(press, way="fastagi"), facts, rules)
        return {**self.rule(press, facts, rules).body(), "phone": phone.body()}

    def _trials(self, press: Press, facts: Facts) -> Iterator[Trial]:
        """Yield a trial for each rule; at most one of them is marked as matched."""
        decided = None
        for place, rule in enumerate(self.rules):
            if decided is not None:
                yield Trial(f"{rule}", matched=False, why=f"policy.rule[{decided}] decided already")
                continue
            matched, why = fits(rule, press, facts)
            if matched:
                decided = place
            yield Trial(f"{rule}", matched, why)

    def _held_up(self, press: Press, facts: Facts, ruling: Ruling) -> Ruling:
        """Return the ruling after checking who silenced the call, and the limits."""
        resumes, me = not press.verb.silences, facts.person
        others = [one for one in facts.silenced_by if not one.is_same(me)]
        if resumes and others and self.resume_by == "same_person":
            who = others[0].name or "somebody else"
            return Ruling(
                allowed=False,
                why=f"{who} silenced this call, and nobody else may turn the recording on"
                " again: policy.resume_by = same_person",
            )
        over = self.limits.over(facts.call, me.name, press.received)
        if over and resumes:
            why = f"{' and '.join(over)}; a stop or pause is still carried out"
            return Ruling(allowed=False, why=why)
        if over:
            report = f"{' and '.join(over)}; this {press.verb} was let through all the same"
            return replace(ruling, report=report)
        return ruling

    def _unknown(self, facts: Facts) -> Iterator[str]:
        """Yield a sentence for each missing fact that might have changed the ruling."""
        if self.freepbx and facts.freepbx is None:
            yield f"ruled without FreePBX's word: {freepbx.VARIABLE} could not be read"
        if not facts.seen and any(rule.queue or rule.trunk for rule in self.rules):
            yield "ruled without the call's queues and trunks: the PBX could not be asked"


def _by_rule(verb: Verb, place: int, rule: Rule, trial: Trial) -> Ruling:
    where = f"policy.rule[{place}] ({rule})"
    if rule.allow is Allow.ALLOW or (rule.allow is Allow.PAUSE_ONLY and verb in _PAUSES):
        return Ruling(allowed=True, why=f"{where} allows it: {trial.why}")
    left = "only pause and resume are allowed here"
    said = [rule.why, left if rule.allow is Allow.PAUSE_ONLY else None]
    why = "; ".join(part for part in said if part) or f"{trial.why} is not allowed to"
    return Ruling(allowed=False, why=f"{why}; to change that, edit {where}")


def _by_freepbx(verb: Verb, facts: Facts, ruling: Ruling) -> tuple[Ruling, tuple[str, ...]]:
    """Return the ruling as FreePBX's word changes it, and a sentence for each unknown word."""
    said = freepbx.judge(facts.freepbx or (), verb)
    if said.denied is not None:
        fix = "change its recording setting in FreePBX, or let a rule of the policy allow it"
        return Ruling(allowed=False, why=f"{said.note} ({freepbx.VARIABLE}); {fix}"), ()
    strange = tuple(
        f"{freepbx.VARIABLE} is {word!r}, which is no word of FreePBX: it decided nothing"
        for word in said.strange
    )
    return replace(ruling, why="; ".join(filter(None, [ruling.why, said.note]))), strange
