# SPDX-License-Identifier: Apache-2.0
"""The settings of one site that presses go by, and the holder of those in force now."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bridges.model import Looking, Recorder
from bridges.routing import Router
from offrecord.policy.policy import Policy
from offrecord.presses.find_call import Resolver


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Settings of the site that a press goes by; a reload replaces them as a whole.

    `resolver` finds the call of a press, `router` the recorders of a call. `optional` names the
    recorders of role `may`. Each recorder has `budget` seconds for one order; one that overruns
    them by `overrun` seconds is abandoned. `policy` decides who may press. `pbx` looks at the
    PBX's own recordings where no asked recorder does; None where there is nothing to look with.
    """

    resolver: Resolver
    recorders: Mapping[str, Recorder]
    router: Router
    optional: Collection[str] = ()
    budget: float = 5.0
    overrun: float = 0.5
    policy: Policy = field(default_factory=Policy)
    pbx: Looking | None = None


@dataclass(slots=True)
class CurrentSite:
    """Holds the settings in force. A press keeps those it began with."""

    settings: SiteSettings
