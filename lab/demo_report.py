# SPDX-License-Identifier: Apache-2.0
"""The report of a demo: a time line counted from the last digit, and proofs that hold or not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridges.simulators.harness import Entry


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that must have been seen, and what was seen."""

    what: str
    holds: bool
    seen: str


@dataclass(slots=True)
class DemoReport:
    """One demonstrated press. Moments are seconds on one clock; `zero` is the last digit."""

    pbx: str
    zero: float = 0.0
    moments: list[tuple[float, str]] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """True when there are proofs and every one holds."""
        return bool(self.proofs) and all(proof.holds for proof in self.proofs)

    def at(self, moment: float, text: str) -> None:
        """Add one moment."""
        self.moments.append((moment, text))

    def prove(self, what: str, holds: bool, seen: str) -> None:
        """Add one proof."""
        self.proofs.append(Proof(what, holds, seen))

    def prove_stop(self, stops: Sequence[Entry], uniqueid: str, agent: str) -> None:
        """Add the proofs from the Noojee server's log: one signed POST, for the call and agent."""
        self.prove(
            "Noojee's log shows one stop, by POST",
            [stop.method for stop in stops] == ["POST"],
            ", ".join(f"{stop.method} {stop.path}" for stop in stops) or "no request",
        )
        for stop in stops[:1]:
            self.prove("its hash is right", stop.facts.get("hash_ok") is True,
                       f"hash_ok {stop.facts.get('hash_ok')}")  # fmt: skip
            given = stop.query.get("extenOrUniqueId", "")
            self.prove("it names the call by its unique id", given == uniqueid, given)
            login = stop.query.get("agentLoginName", "")
            self.prove("it names the agent", login == agent, f"agentLoginName {login}")

    def lines(self) -> list[str]:
        """Return the report as text, moments in order, then the proofs."""
        shown = [
            f"{(moment - self.zero) * 1000:>8.1f} ms  {text}"
            for moment, text in sorted(self.moments)
        ]
        return [
            f"One press on {self.pbx}, counted from the last digit:",
            *shown,
            "",
            *(f"  {'yes' if p.holds else 'NO '}  {p.what}: {p.seen}" for p in self.proofs),
        ]
