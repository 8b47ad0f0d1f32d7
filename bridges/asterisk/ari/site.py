# SPDX-License-Identifier: Apache-2.0
"""What a recorder on the PBX is given of the site's ARI."""

from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from bridges.asterisk.ari.recordings import AriRecordings


@dataclass(frozen=True, slots=True)
class Ari:
    """The site's ARI.

    `recordings` is None where no account is configured. `hang_up_recorders`: the site allows that
    the recording of a bridge is ended by hanging up its channel, by AMI.
    """

    recordings: AriRecordings | None = None
    hang_up_recorders: bool = False


NO_ARI: Final = Ari()
"""A site without an ARI account."""


@runtime_checkable
class UsesAri(Protocol):
    """A recorder that works with the site's ARI where there is an account."""

    def use_ari(self, ari: Ari) -> None:
        """Use this from now on."""
