# SPDX-License-Identifier: Apache-2.0
"""The verdict as the dialplan gets it: outcome, sounds and a line of text, and the AGI commands.

What goes over the wire, to Asterisk and from daemon to script; the daemon's own verdict is
`offrecord.model.verdict`. Without `dataclasses` and `typing`, which cost the one-shot script 10 ms
each: dead air on the call.
"""

from agi.wire import printable

VERBS = ("stop", "pause", "resume", "start", "objection")
"""The verbs of a press. None of them toggles."""

PENDING = "pending"
"""OFFRECORD_OUTCOME while the press is accepted and its verdict is not known yet."""

FAILED = "failed"
"""OFFRECORD_OUTCOME when the press was not accepted, or its verdict was an error."""

FAILURE_SOUND = "beeperr"
"""The tone for failure. It is part of Asterisk's core sounds."""


class AgiVerdict:
    """The verdict on a press, as it is told to the presser.

    `outcome`: for the channel variable OFFRECORD_OUTCOME. `sounds`: played in this order. `text`:
    one line for the Asterisk console.
    """

    __slots__ = ("outcome", "sounds", "text")

    def __init__(self, outcome: str, sounds: tuple[str, ...] = (), text: str = "") -> None:
        self.outcome = outcome
        self.sounds = sounds
        self.text = text

    @property
    def unplayable(self) -> list[str]:
        """The sounds whose names cannot be sent to Asterisk; they are not played."""
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
        """Return all three parts."""
        return f"AgiVerdict({self.outcome!r}, sounds={self.sounds!r}, text={self.text!r})"


NOT_PLAYED = "FAILED"
"""PLAYBACKSTATUS when a sound of the last `Playback` has no file."""


def telling(press_id: str, verdict: AgiVerdict) -> list[tuple[str, ...]]:
    """Return the AGI commands that tell a verdict, each a name and its arguments.

    Variables first, sounds last: after a hang-up during a sound the outcome is still set. An empty
    `press_id` means that the press was not accepted.

    Sounds go through `Playback`, which with `noanswer` does not answer the channel. With the AGI
    command STREAM FILE a missing file would make the whole AGI a failure to Asterisk (AGISTATUS,
    seen on 16 and 22), and a press must always end with success. The last command asks whether
    there was a file: the data of its answer is `NOT_PLAYED` if not.
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
