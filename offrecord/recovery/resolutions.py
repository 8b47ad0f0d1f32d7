# SPDX-License-Identifier: Apache-2.0
"""Decide what to do with each unfinished press and intent after a crash. No I/O.

A press is continued only while the same call is still up, and only where that repeats nothing a
recorder may have done already. Everything else is closed, with the truth about it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from offrecord.model.press import Press
from offrecord.recovery.no_repeat import INTERRUPTED
from offrecord.recovery.unfinished import OpenIntent, OpenPress, OpenWork


class Resolution(StrEnum):
    """Resolution of one unfinished press."""

    FINISH = "finish"
    """It is carried out now."""
    RETRY = "retry"
    """It had failed, and is retried until its call ends."""
    FAIL = "fail"
    """It is closed as `failed`."""
    CALL_ENDED = "call_ended"
    """It is closed as `call_ended`."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The resolution of one press, and why."""

    unfinished: OpenPress
    resolution: Resolution
    why: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """The resolutions of all presses, and the intents to restore and to end."""

    presses: tuple[Decision, ...]
    restore: tuple[OpenIntent, ...]
    end: tuple[OpenIntent, ...]


def decide(work: OpenWork, live: frozenset[str] | None, unknown: str = "") -> Decisions:
    """Return what to do with everything that was left unfinished.

    `live` holds every id by which a live call is known, None where the PBX could not say; then
    `unknown` is why, and intents are neither restored nor ended.
    """
    presses = tuple(_resolve(one, live, unknown) for one in work.presses)
    if live is None:
        return Decisions(presses, (), ())
    up = [bool(one.ids & live) for one in work.intents]
    restore = tuple(one for one, is_up in zip(work.intents, up, strict=True) if is_up)
    end = tuple(one for one, is_up in zip(work.intents, up, strict=True) if not is_up)
    return Decisions(presses, restore, end)


def _resolve(unfinished: OpenPress, live: frozenset[str] | None, unknown: str) -> Decision:
    press, resolution = unfinished.press, Resolution.FAIL
    nameless = unfinished.call is None and press.uniqueid is None
    if not unfinished.ours:
        why = f"{INTERRUPTED}, and its record cannot be read"
    elif live is None:
        why = f"{INTERRUPTED}, and {unknown}"
    elif not unfinished.ids & live and nameless:
        why = f"{INTERRUPTED}, and nobody knows which call {press.target} was"
    elif not unfinished.ids & live:
        resolution, why = Resolution.CALL_ENDED, "the call had ended when the daemon was back"
    elif unfinished.verdict is not None:
        resolution, why = Resolution.RETRY, "the call is still up"
    elif unfinished.overridden:
        why = f"{INTERRUPTED}, and recording was turned on again by a later press"
    elif not press.verb.silences:
        # Silence harms nobody; a second start would make a second recording.
        why = f"{INTERRUPTED}, and a {press.verb.value} is not repeated"
    else:
        resolution, why = Resolution.FINISH, "the call is still up"
    return Decision(unfinished, resolution, why)


def retarget(unfinished: OpenPress, live: frozenset[str]) -> Press:
    """Return the press with a target that means the call it meant, and no other one.

    An extension may be on another call by now, and the channel that pressed may have left its
    call, which goes on.
    """
    press = unfinished.press
    if press.uniqueid in live or (press.uniqueid is not None and not unfinished.allowed):
        return press
    there = sorted(unfinished.ids & live)
    if not there:
        return press
    target = unfinished.call if unfinished.call in there else there[0]
    return replace(press, way="cli", target=str(target), uniqueid=None)
