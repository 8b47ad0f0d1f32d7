# SPDX-License-Identifier: Apache-2.0
"""Intents: what a stop, pause or objection demands of the rest of a call. Pure.

An intent belongs to a call by its ids: every linkedid the call has had, and the uniqueids of its
channels, which a PBX never uses twice. It grows with the call, because a transfer brings new ids.
It does not grow through a conference, whose participants stay separate calls: those who were in it
when the intent was made are its guests, and are removed once they have left the conference. The
presser's own call is the intent's `home`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from ami.calls.snapshots import Call
from bridges.model import Verb
from offrecord.model.policy_terms import AtEnd

EndedBy = Literal["resumed", "superseded", "expired", "call_ended"]

_STRENGTH: Final[Mapping[Verb, int]] = {Verb.PAUSE: 1, Verb.STOP: 2, Verb.OBJECTION: 3}


@dataclass(frozen=True, slots=True)
class Intent:
    """A standing order: the listed recorders must not record this call.

    It also covers the calls that this one turns into by transfer.

    `id` is the id of the press that made it. Times are milliseconds since the epoch, UTC. It ends
    by itself at `until` (None: never), which an extension moves to `maximum` at most. `lineage`
    holds the ids of the call, `home` those of the presser's own call: all of `lineage` except in a
    conference. `presser` is the uniqueid of the channel that pressed, `facts` the channel
    variables that recorders asked for. `recorded` are the uniqueids of channels on which a
    MixMonitor was seen.
    """

    id: str
    verb: Verb
    call: str
    lineage: frozenset[str]
    recorders: tuple[str, ...]
    since: int
    agent: str | None = None
    until: int | None = None
    maximum: int | None = None
    at_end: AtEnd = "resume"
    home: frozenset[str] = frozenset()
    presser: str | None = None
    extension: str | None = None
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extended: bool = False
    recorded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Set `home` to the whole call where none is given."""
        if not self.home:
            object.__setattr__(self, "home", self.lineage)

    def body(self) -> dict[str, object]:
        """Return the intent as the body of its journal record."""
        return {
            "intent": self.id,
            "verb": self.verb.value,
            "call": self.call,
            "lineage": sorted(self.lineage),
            "recorders": list(self.recorders),
            "agent": self.agent,
            "since": self.since,
            "until": self.until,
            "maximum": self.maximum,
            "at_end": self.at_end,
            "home": sorted(self.home),
            "presser": self.presser,
            "extension": self.extension,
            "facts": {name: list(values) for name, values in self.facts.items()},
            "extended": self.extended,
            "recorded": sorted(self.recorded),
        }


def read(body: Mapping[str, Any]) -> Intent:
    """Return the intent in the body of a journal record. Raises KeyError or ValueError."""
    return Intent(
        id=body["intent"],
        verb=Verb(body["verb"]),
        call=body["call"],
        lineage=frozenset(body["lineage"]),
        recorders=tuple(body["recorders"]),
        since=body["since"],
        agent=body.get("agent"),
        until=body.get("until"),
        maximum=body.get("maximum"),
        at_end=body.get("at_end") or "resume",
        home=frozenset(body.get("home") or ()),
        presser=body.get("presser"),
        extension=body.get("extension"),
        facts={name: tuple(values) for name, values in (body.get("facts") or {}).items()},
        extended=bool(body.get("extended")),
        recorded=frozenset(body.get("recorded") or ()),
    )


def kin(call: Call, ids: frozenset[str]) -> frozenset[str]:
    """Return `ids` and the ids of the channels tied to them by linkedid or as Local halves.

    In a conference that is less than the whole call: Asterisk gives its participants no common
    linkedid.
    """
    found, left = set(ids), list(call.channels)
    while near := [
        one for one in left
        if not found.isdisjoint((one.uniqueid, one.linkedid, one.local_peer))
    ]:  # fmt: skip
        for channel in near:
            found |= {channel.uniqueid, channel.linkedid}
            left.remove(channel)
    return frozenset(found) if left else call.ids | found


class Intents:
    """The live intents of one PBX, indexed by the ids of their calls."""

    def __init__(self) -> None:
        self._all: dict[str, Intent] = {}
        self._by_id: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Return the number of live intents."""
        return len(self._all)

    def __iter__(self) -> Iterator[Intent]:
        """Iterate over a copy of the live intents, oldest first."""
        return iter([*self._all.values()])

    def get(self, intent: str) -> Intent | None:
        """Return a live intent by its id."""
        return self._all.get(intent)

    def all_of(self, lineage: Iterable[str]) -> list[Intent]:
        """Return every intent of a call, strongest and then latest first."""
        found = {name for one in lineage for name in self._by_id.get(one, ())}
        live = (self._all[name] for name in found)
        return sorted(live, key=lambda i: (_STRENGTH[i.verb], i.since, i.id), reverse=True)

    def add(self, new: Intent) -> tuple[Intent, list[Intent]]:
        """Add an intent; return the one in force from now on, and those that it ended.

        An older intent with the same verb stays in force and takes over the ids and recorders of
        the new one. A stronger one stays in force unchanged if it covers all recorders of the new
        one. Weaker ones that cover no other recorders end.
        """
        ended: list[Intent] = []
        for old in self.all_of(new.lineage):
            if old.verb is new.verb:
                return self.put(
                    replace(
                        old,
                        lineage=old.lineage | new.lineage,
                        home=old.home | new.home,
                        recorded=old.recorded | new.recorded,
                        recorders=tuple(dict.fromkeys((*old.recorders, *new.recorders))),
                    )
                ), ended
            stronger = _STRENGTH[old.verb] > _STRENGTH[new.verb]
            if stronger and set(new.recorders) <= set(old.recorders):
                return old, []
            if not stronger and set(old.recorders) <= set(new.recorders):
                self.end(old.id)
                ended.append(old)
        return self.put(new), ended

    def put(self, intent: Intent) -> Intent:
        """Store an intent, replacing the earlier state with the same id."""
        old = self._all.get(intent.id)
        self._unindex(old)
        self._all[intent.id] = intent
        for one in intent.lineage:
            self._by_id.setdefault(one, set()).add(intent.id)
        return intent

    def end(self, intent: str) -> Intent | None:
        """Remove an intent; return it if it was live."""
        old = self._all.pop(intent, None)
        self._unindex(old)
        return old

    def touches(self, one: str) -> bool:
        """Return whether a linkedid or uniqueid belongs to the call of a live intent."""
        return one in self._by_id

    def widen(self, call: Call) -> list[Intent]:
        """Add a call's new ids to its intents; return those that changed, in their new state."""
        grown = []
        for intent in self.all_of(call.ids):
            lineage, home = kin(call, intent.lineage), kin(call, intent.home)
            if lineage != intent.lineage or home != intent.home:
                grown.append(self.put(replace(intent, lineage=lineage, home=home)))
        return grown

    def part(self, call: Call) -> list[Intent]:
        """Remove a conference guest from the intents once they have left the conference.

        `call` is the call that the guest is on now. Returns the changed intents in their new
        state. An intent that covers nobody any more has an empty `lineage`; the caller ends it.
        """
        here = call.ids
        changed = []
        for intent in self.all_of(here):
            covered = here & intent.lineage
            guest = next((c for c in call.channels if {c.uniqueid, c.linkedid} & covered), None)
            if guest is None or not here.isdisjoint(intent.home):
                continue
            party = kin(call, frozenset({guest.uniqueid}))
            if covered <= party:  # with nobody else whom the intent is about
                changed.append(self.put(replace(intent, lineage=intent.lineage - party)))
        return changed

    def _unindex(self, old: Intent | None) -> None:
        for one in old.lineage if old else ():
            names = self._by_id[one]
            names.discard(old.id if old else "")
            if not names:
                del self._by_id[one]
