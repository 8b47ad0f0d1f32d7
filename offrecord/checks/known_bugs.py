# SPDX-License-Identifier: Apache-2.0
"""Known bugs of versions of Asterisk that matter to offrecord: a table and its lookup."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ami.versions import MIXMONITOR_EVENTS, Version


@dataclass(frozen=True, slots=True)
class KnownBug:
    """A bug of some versions: `spans` are from (included) to (excluded).

    `needs` is a write class of the AMI account without which it does not matter. `source` is a
    link to its description.
    """

    spans: tuple[tuple[Version, Version], ...]
    what: str
    do: str
    source: str
    needs: str = ""

    def affects(self, version: Version, held: Collection[str] = ()) -> bool:
        """Return whether it matters to a version, with an account that has these write classes."""
        if self.needs and self.needs not in held:
            return False
        return bool(version) and any(start <= version < end for start, end in self.spans)


KNOWN_BUGS: Final = (
    KnownBug(
        (((18, 18), (18, 20)), ((20, 3), (20, 5))),
        "MixMonitorMute can block this Asterisk for good, so a pause stops the recording instead",
        "upgrade to 18.20, 20.5, 21 or newer, where a pause mutes it",
        "https://github.com/asterisk/asterisk/issues/233",
    ),
    KnownBug(
        (((0,), MIXMONITOR_EVENTS[0]), ((17,), MIXMONITOR_EVENTS[1])),
        "it raises no events of MixMonitors, so a pause stops the recording instead, and one that"
        " starts again after a stop, as with a transfer, is stopped a second later",
        "upgrade to 16.17, 18.3 or newer",
        "https://docs.asterisk.org/Asterisk_18_Documentation/API_Documentation/AMI_Events/"
        "MixMonitorStart/",
    ),
    KnownBug(
        (((0,), (18, 24, 2)), ((19,), (20, 9, 2)), ((21,), (21, 4, 2))),
        "whoever has the account's secret can run programs on the PBX by write = originate"
        " (CVE-2024-42365)",
        "upgrade to 18.24.2, 20.9.2, 21.4.2, 22 or newer, or do without write = originate",
        "https://github.com/asterisk/asterisk/security/advisories/GHSA-c4cg-9275-6w44",
        needs="originate",
    ),
)
"""Every known bug. Versions are those of Asterisk's own releases, not of certified ones."""


def known_bugs(version: Version, held: Collection[str] = ()) -> list[KnownBug]:
    """Return the known bugs of a version; none for an unknown, empty one."""
    return [bug for bug in KNOWN_BUGS if bug.affects(version, held)]
