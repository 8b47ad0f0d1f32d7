# SPDX-License-Identifier: Apache-2.0
"""What is known to go wrong with some versions of Asterisk: a table, and who it is for."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Landmine:
    """Something that some versions do: `spans` are from (included) to (left out).

    `needs` is a write class of the AMI account without which it does not matter. `source` is where
    it is known from.
    """

    spans: tuple[tuple[Version, Version], ...]
    what: str
    do: str
    source: str
    needs: str = ""

    def hits(self, version: Version, held: Collection[str] = ()) -> bool:
        """Say whether a version, with an account that holds these classes, is meant."""
        if self.needs and self.needs not in held:
            return False
        return bool(version) and any(start <= version < end for start, end in self.spans)


LANDMINES: Final = (
    Landmine(
        (((18, 18), (18, 20)), ((20, 3), (20, 5))),
        "MixMonitorMute can block this Asterisk for good, so a pause stops the recording instead",
        "upgrade to 18.20, 20.5, 21 or newer, where a pause mutes it",
        "https://github.com/asterisk/asterisk/issues/233",
    ),
    Landmine(
        (((0,), (16, 17)), ((17,), (18, 3))),
        "it raises no events of MixMonitors, so a recording that starts again after a stop, as"
        " with a transfer, is not seen",
        "upgrade to 16.17, 18.3 or newer",
        "https://docs.asterisk.org/Asterisk_18_Documentation/API_Documentation/AMI_Events/"
        "MixMonitorStart/",
    ),
    Landmine(
        (((0,), (18, 24, 2)), ((19,), (20, 9, 2)), ((21,), (21, 4, 2))),
        "whoever has the account's secret can run programs on the PBX by write = originate"
        " (CVE-2024-42365)",
        "upgrade to 18.24.2, 20.9.2, 21.4.2, 22 or newer, or do without write = originate",
        "https://github.com/asterisk/asterisk/security/advisories/GHSA-c4cg-9275-6w44",
        needs="originate",
    ),
)
"""Every landmine. Versions are those of Asterisk's own releases, not of certified ones."""


def landmines(version: Version, held: Collection[str] = ()) -> list[Landmine]:
    """Return what is known of a version; nothing is known of an empty one."""
    return [mine for mine in LANDMINES if mine.hits(version, held)]
