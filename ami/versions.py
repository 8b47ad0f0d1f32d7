# SPDX-License-Identifier: Apache-2.0
"""What an Asterisk has by its version: the lowest supported one, the events of MixMonitors.

A version is a tuple of numbers, such as (22, 10, 1). A build from git may give the series alone,
(22,), or nothing; the version of AMI then tells the series.
"""

import re
from typing import Final

Version = tuple[int, ...]

LOWEST: Final = (13, 5)
"""The lowest supported version: only since then every event carries the channel's Linkedid."""

MIXMONITOR_EVENTS: Final = ((16, 17), (18, 3))
"""The versions from which on their series raise MixMonitorStart, -Stop and -Mute; 17 never did."""

_SERIES: Final = {
    "1.0": (1, 4), "1.1": (1, 8), "1.2": (10,), "1.3": (11,), "1.4": (12,), "3": (14,), "4": (15,),
    "5": (16,), "6": (17,), "7": (18,), "8": (19,), "9": (20,), "10": (21,), "11": (22,),
    "12": (23,),
}  # fmt: skip
"""The series by the version of AMI; 2.x is both 12 and 13."""

_VERSION: Final = re.compile(
    r"(?:certified[/-]|GIT-(?:certified[/-])?|SVN-branch-)?(?P<major>\d{1,3})"
    r"(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?(?![0-9A-Za-z])"
)


def parse_version(text: str, ami: str = "") -> Version:
    """Return the numbers of an `AsteriskVersion`, such as (22, 10, 1); empty if it has none.

    The commit in `GIT-master-8a7f3c1` is no number of a version. `ami` is the version of AMI, which
    tells the series where the text does not.
    """
    found = _VERSION.match(text)
    if found is not None:
        return tuple(int(part) for part in found.groups() if part is not None)
    return _SERIES.get(ami) or _SERIES.get(ami.partition(".")[0], ())


def unsupported(version: Version, ami: str = "") -> str | None:
    """Return the sentence for a version below `LOWEST`; None for any other, or an unknown one."""
    if not version or version >= LOWEST[: len(version)]:
        return None
    name = ".".join(str(part) for part in version[:2])
    told = f" (AMI {ami})" if ami else ""
    lowest = ".".join(map(str, LOWEST))
    return f"Asterisk {name}{told} is not supported: {lowest} or newer is needed"


def raises_mixmonitor_events(version: Version) -> bool:
    """Return whether a version raises events of MixMonitors; True where that is not known."""
    if not version or version[0] > MIXMONITOR_EVENTS[-1][0]:
        return True
    for since in MIXMONITOR_EVENTS:
        if version[0] == since[0]:
            return len(version) == 1 or version >= since
    return False
