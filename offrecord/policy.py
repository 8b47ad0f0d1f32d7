# SPDX-License-Identifier: Apache-2.0
"""Who may press: a pure decision about one person, one verb and one call."""

from dataclasses import dataclass

from ami import names
from ami.calls import Channel
from offrecord.press import Press

PHONE_WAYS = frozenset({"fastagi", "agi", "keypad", "userevent"})
"""Ways that anyone with a telephone on the call can use; the others have rights of their own."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a press may go on, and why."""

    allowed: bool
    why: str


def may(press: Press, presser: Channel | None, rules: names.Rules) -> Ruling:
    """Say whether `presser` may do what `press` asks for.

    A press from a phone needs a channel that is known to belong to an extension of this PBX: the
    other end of a trunk is a stranger, and must not be able to stop a recording by playing
    digits into the call.
    """
    if press.way not in PHONE_WAYS:
        return Ruling(allowed=True, why=f"{press.way} has rights of its own")
    if presser is None:
        return Ruling(allowed=False, why="it is not known which channel pressed")
    if presser.extension is None:
        why = names.resolve(presser.name, rules).reason
        return Ruling(
            allowed=False,
            why=f"{presser.name} is no extension here: {why}; a phone can be named in"
            " extensions.map",
        )
    return Ruling(allowed=True, why=f"extension {presser.extension}")
