# SPDX-License-Identifier: Apache-2.0
"""The fixture that a recorder's author supplies to the conformance checks."""

from enum import StrEnum
from typing import Protocol

from bridges.model import Order, Recorder, Verb


class Situation(StrEnum):
    """State of the vendor before a check gives its orders."""

    RECORDING = "recording"
    """The call is live and being recorded, and everything works. Every fixture begins so."""
    ALREADY_STOPPED = "already_stopped"
    """The call is live and its recording has been stopped by someone else."""
    NOT_RECORDED = "not_recorded"
    """The call is live and no recording of it was ever begun."""
    WRONG_AGENT = "wrong_agent"
    """The person of the order may not touch this recording, or is not known to the vendor."""
    CALL_GONE = "call_gone"
    """The call has ended at the vendor."""
    SLOW = "slow"
    """Every answer takes longer than the order's budget; nothing is carried out before it."""
    DEAD = "dead"
    """Nobody listens at the vendor's address."""
    GARBAGE = "garbage"
    """Every answer is 200 with the HTML page of a proxy, and nothing is carried out."""
    CONTRADICTION = "contradiction"
    """A stop is answered with success and the recording goes on, which can be read back."""
    LOST_ANSWER = "lost_answer"
    """The next stop is carried out, and its connection cut before the answer."""


class NotApplicable(Exception):
    """Raised by `RecorderFixture.arrange` for a situation that this vendor does not know.

    The text says why.
    """


class RecorderFixture(Protocol):
    """One recorder, opened, with one live call that its vendor records.

    The caller closes the recorder after the check, which may have closed it already.
    """

    @property
    def recorder(self) -> Recorder:
        """The recorder, opened; a plain attribute will do."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that the recorder was given, or that its vendor issued to it so far."""

    def order(self, verb: Verb = Verb.STOP, *, press_id: str = "press-1") -> Order:
        """Return an order for the call, with a budget of about one second."""

    async def arrange(self, situation: Situation) -> None:
        """Put the vendor into a situation. Raises `NotApplicable`."""

    def recording(self) -> bool:
        """Return whether the call's sound is being recorded now, by the vendor's own state."""

    def commands(self) -> int:
        """Return how many commands (stops, pauses, starts) the vendor has received so far."""

    def carried_out(self) -> int:
        """Return how many of them it has carried out."""
