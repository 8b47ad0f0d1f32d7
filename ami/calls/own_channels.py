# SPDX-License-Identifier: Apache-2.0
"""Uniqueids of the channels that this daemon originated itself: late tones, hold music.

Both are ChanSpys, and are told from other listeners by the uniqueids that their channels were
given (`ChannelId` and `OtherChannelId` of Originate): never by a channel's name, which others
choose. The ids cannot be guessed: an Originate with an id that is in use makes no channel, and
another's channel with our id would pass for ours.
"""

import secrets
from collections.abc import Iterator
from typing import Final

KEPT: Final = 1024
"""Ids kept; the oldest is dropped beyond it. Whispers last 5 seconds, music `hold_longest`."""


class OwnChannels:
    """The uniqueids of the channels originated by this daemon process, newest last."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __contains__(self, uniqueid: object) -> bool:
        """Return whether a channel was originated by this process."""
        return uniqueid in self._ids

    def __iter__(self) -> Iterator[str]:
        """Return the ids, oldest first."""
        return iter(self._ids)

    def add(self, *uniqueids: str) -> None:
        """Add ids, before the Originate that uses them is sent."""
        for uniqueid in uniqueids:
            self._ids.pop(uniqueid, None)
            self._ids[uniqueid] = None
        while len(self._ids) > KEPT:
            del self._ids[next(iter(self._ids))]

    def pair(self, purpose: str) -> tuple[str, str]:
        """Add and return new ids for the two halves of a Local channel; `purpose` is a word."""
        near = f"offrecord-{purpose}-{secrets.token_hex(16)}"
        self.add(near, far := f"{near}-far")
        return near, far
