# SPDX-License-Identifier: Apache-2.0
"""A vendor's recordings of a call that has ended: an optional part of a recorder.

A vendor's own list of recordings is the only witness of a recording that went on although its
stop was answered with success.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that is over. `ended` is seconds since the epoch, UTC.

    `uniqueids` are the known ones of its channels. `zone` is that of local times
    which vendors write; None is this machine's.
    """

    linkedid: str
    lineage: frozenset[str]
    uniqueids: frozenset[str]
    ended: float
    zone: dt.tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of recording. Times are seconds since the epoch, UTC; None where not told.

    `label` says for people which one it is, without secrets.
    """

    label: str
    began: float | None
    ended: float | None


@runtime_checkable
class Reconcilable(Protocol):
    """A recorder whose vendor lists afterwards what was recorded."""

    async def pieces(self, call: EndedCall) -> Sequence[Piece]:
        """Return what the vendor holds of a call, in the order it was recorded.

        Raises `bridges.model.RecorderUnavailable` when it cannot be had. May be asked again:
        vendors' lists lag behind.
        """
