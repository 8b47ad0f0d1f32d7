# SPDX-License-Identifier: Apache-2.0
"""The few words that the dialplan side and the daemon share.

Plain code on purpose: `dataclasses` and `typing` cost the one-shot script 10 ms each, and those
are heard as a gap in the call.
"""

from agi.wire import printable

VERBS = ("stop", "pause", "resume", "start", "objection")
"""The verbs a press may ask for. None of them toggles."""

PENDING = "pending"
"""What OFFRECORD_OUTCOME says when the press is taken and its verdict is not known yet."""

FAILED = "failed"
"""What OFFRECORD_OUTCOME says when nobody took the press, or its verdict was an error."""

FAILURE_SOUND = "beeperr"
"""The tone for failure. It is part of Asterisk's core sounds."""


class AgiVerdict:
    """What became of a press, as far as the presser is to hear it.

    `outcome` goes to the channel variable OFFRECORD_OUTCOME, `sounds` are played in this order,
    `text` is one line for the Asterisk console.
    """

    __slots__ = ("outcome", "sounds", "text")

    def __init__(self, outcome: str, sounds: tuple[str, ...] = (), text: str = "") -> None:
        self.outcome = outcome
        self.sounds = sounds
        self.text = text

    @property
    def unplayable(self) -> list[str]:
        """The sounds whose names cannot be given to Asterisk; they are left out."""
        return [sound for sound in self.sounds if not _is_sound(sound)]

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        if not isinstance(other, AgiVerdict):
            return NotImplemented
        return (self.outcome, self.sounds, self.text) == (other.outcome, other.sounds, other.text)

    def __hash__(self) -> int:
        """Hash by value."""
        return hash((self.outcome, self.sounds, self.text))

    def __repr__(self) -> str:
        """Show all three parts."""
        return f"AgiVerdict({self.outcome!r}, sounds={self.sounds!r}, text={self.text!r})"


NOT_PLAYED = "FAILED"
"""What PLAYBACKSTATUS says when a sound of the last `Playback` has no file."""


def telling(press_id: str, verdict: AgiVerdict) -> list[tuple[str, ...]]:
    """Return the AGI commands that tell a verdict, each a name and its arguments.

    Variables first, sounds last: a hang-up during a sound still leaves the outcome. An empty
    `press_id` means that nobody took the press.

    Sounds go through `Playback`, which leaves an unanswered channel as it is when told so. The
    AGI command STREAM FILE would do, but a file that is not there makes the whole AGI a failure
    to Asterisk (AGISTATUS, seen on 16 and 22), and a press always leaves with success. The last
    command asks whether there was a file: its answer's data is then `NOT_PLAYED`.
    """
    commands: list[tuple[str, ...]] = []
    if press_id:
        commands.append(("SET VARIABLE", "OFFRECORD_PRESS", press_id))
    commands.append(("SET VARIABLE", "OFFRECORD_OUTCOME", verdict.outcome))
    text = f"offrecord: {verdict.text or verdict.outcome}"
    commands.append(("VERBOSE", printable(text), "1"))
    sounds = [sound for sound in verdict.sounds if _is_sound(sound)]
    if sounds:
        commands.append(("EXEC", "Playback", f"{'&'.join(sounds)},noanswer"))
        commands.append(("GET VARIABLE", "PLAYBACKSTATUS"))
    return commands


def _is_sound(name: str) -> bool:
    """Return whether a name can stand in Playback's arguments without ending or adding one.

    The daemon has a stricter check of its own, `offrecord.model.outcome_codes.is_sound`; this one
    stays here because the one-shot script must load nothing of the daemon.
    """
    return bool(name) and name.isprintable() and not any(char in name for char in ',&|()"\\')
