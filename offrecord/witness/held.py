# SPDX-License-Identifier: Apache-2.0
"""Which verdicts say at present that nothing of a call is recorded, from the journal's records."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridges.model import Outcome, Verb
from offrecord.journal.journal import Record

TOLD_WELL: Final = frozenset({
    Outcome.CONFIRMED.value, Outcome.NOTHING_TO_STOP.value, Outcome.ACCEPTED.value,
    Outcome.CONTAINED.value,
})  # fmt: skip
"""The outcomes after which nothing of the call is to be recorded."""

UNSOLVED_KEPT: Final = 500
"""Failed presses that are remembered until they are closed."""

_SILENCING: Final = frozenset(verb.value for verb in Verb if verb.silences)


@dataclass(slots=True)
class HeldVerdict:
    """A stop or pause of which somebody was told that it worked, while its call lasts.

    `call`: its linkedid then. `told`: the outcome. `since`: monotonic seconds of the verdict. `at`:
    milliseconds since the epoch, UTC, of the press. `ids`: those of the call, as far as known.
    """

    press: str
    verb: str
    call: str
    told: str
    since: float
    at: int
    ids: frozenset[str] = frozenset()

    @property
    def silent(self) -> bool:
        """Whether the call's own recordings may go on, with silence."""
        return self.verb == Verb.PAUSE.value or self.told == Outcome.CONTAINED.value


class HeldVerdicts:
    """The verdicts that hold, by press. Of one call only the newest does.

    `begun` is called with each. `clock` returns monotonic seconds.
    """

    def __init__(self, begun: Callable[[HeldVerdict], None], clock: Callable[[], float]) -> None:
        self._begun = begun
        self._clock = clock
        self._pressed: dict[str, tuple[str, bool, int]] = {}
        self._unsolved: dict[str, tuple[str, str, int]] = {}
        self._held: dict[str, HeldVerdict] = {}

    def __len__(self) -> int:
        """Return how many hold."""
        return len(self._held)

    def __iter__(self) -> Iterator[HeldVerdict]:
        """Iterate over those that hold."""
        return iter([*self._held.values()])

    def __contains__(self, one: HeldVerdict) -> bool:
        """Return whether a verdict still holds."""
        return self._held.get(one.press) is one

    def drop(self, press: str) -> None:
        """Forget a verdict: its call is over."""
        self._held.pop(press, None)

    def taken_back(self, one: HeldVerdict) -> None:
        """Forget a verdict until its press, which is retried like one that failed, is solved."""
        self.drop(one.press)
        self._remember(one.press, one.verb, one.call, one.at)

    def on_record(self, record: Record) -> None:
        """Take one record of the journal."""
        press, body = record.press, record.body
        match record.kind:
            case "pressed":
                only = body.get("recorder") is not None
                self._pressed[press] = (str(body.get("verb")), only, record.at)
            case "verdict":
                self._verdict(press, body, record.at)
            case "closed":
                verb, call, at = self._unsolved.pop(press, ("", "", 0))
                if verb and body.get("why") == "solved" and body.get("outcome") in TOLD_WELL:
                    self._hold(press, verb, call, str(body["outcome"]), at)
            case "intent" if self._from_before(press):
                verb, call = str(body.get("verb")), str(body.get("call"))
                self._hold(press, verb, call, Outcome.CONFIRMED.value, record.at)
            case "intent_ended":
                self.drop(str(body.get("intent", press)))
            case _:
                pass

    def _from_before(self, press: str) -> bool:
        """Return whether a press is one of before the daemon's last start."""
        return not any(press in kept for kept in (self._pressed, self._unsolved, self._held))

    def _verdict(self, press: str, body: Mapping[str, Any], at: int) -> None:
        verb, only, at = self._pressed.pop(press, (str(body.get("verb")), False, at))
        call, told = body.get("call"), str(body.get("outcome"))
        if call is None or only:
            return  # a press on one recorder says nothing of the others
        if verb not in _SILENCING:
            if told in TOLD_WELL:
                self._drop_call(str(call))
        elif told in TOLD_WELL:
            self._hold(press, verb, str(call), told, at)
        elif told == Outcome.FAILED.value:
            self._drop_call(str(call))
            self._remember(press, verb, str(call), at)

    def _remember(self, press: str, verb: str, call: str, at: int) -> None:
        """Remember a press that is retried."""
        self._unsolved[press] = (verb, call, at)
        while len(self._unsolved) > UNSOLVED_KEPT:
            del self._unsolved[next(iter(self._unsolved))]

    def _hold(self, press: str, verb: str, call: str, told: str, at: int) -> None:
        self._drop_call(call)
        one = HeldVerdict(press, verb, call, told, self._clock(), at)
        self._held[press] = one
        self._begun(one)

    def _drop_call(self, call: str) -> None:
        for one in self:
            if call == one.call or call in one.ids:
                self.drop(one.press)
