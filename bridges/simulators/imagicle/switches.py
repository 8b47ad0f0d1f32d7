# SPDX-License-Identifier: Apache-2.0
"""Switches for the points that the Imagicle documents leave open, and the simulator's faults.

The default of a switch is the reading we think likeliest, not a fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridges.simulators.faults import COMMON_FAULTS


@dataclass(slots=True)
class ImagicleSwitches:
    """The open points, and how the simulated server behaves at each."""

    profile: Literal["2022", "2025"] = "2022"
    """The pages it goes by. 2022 has no `Mine`, no pause and no start without a body."""
    number_key: Literal["correct", "misspelt", "both"] = "correct"
    """The spelling that a stop by line knows: `directoryNumber`, `directoryNumberr`, either."""
    reason_form: Literal["number", "text", "name", "missing"] = "number"
    """Form of the reason of a 400; its names are invented."""
    unknown_id: Literal[409, 404] = 409
    """Status of a stop of an id that is not live, be it ended or never seen."""
    dial_in_by_device: bool = False
    """A dial-in recording that was started by hand is found by its device too."""
    several_on_line: Literal["oldest", "all", "conflict"] = "oldest"
    """Effect of a stop by number when the line has several recordings."""
    pause_refuses: bool = False
    """A pause is refused for the reasons for which a stop is."""
    literal_first: bool = True
    """`/Mine` and `/Pause` win over `/{id}`."""
    id_case: Literal["any", "exact"] = "any"
    """A GUID is found in any case of its letters, or only in the exact one."""
    started_at: Literal["zulu", "offset", "naive"] = "zulu"
    """Format of `startedAt`; naive is the local time of `utc_offset`."""
    utc_offset: float = 1.0
    """Hours that the server's local time is ahead of UTC."""
    linger: float = 0.0
    """Seconds that a recording stays in the list after it was stopped."""
    empty_value: Literal["absent", "literal"] = "absent"
    """Meaning of `directoryNumber=`: as if not given, or the number that is empty."""
    path_case: Literal["any", "exact"] = "any"
    """Paths are known in any case of their letters, or only in the exact one."""
    www_authenticate: bool = True
    """A 401 names the scheme."""
    allow_sso: bool = False
    """Accounts of single sign-on may use Basic: `AllowBasicAuthForSsoUsersViaWebApi`."""
    lock_after: int = 0
    """Wrong passwords after which an account is locked; 0 for never."""
    has_list: bool = True
    """False for a server older than 2019.Winter.1, which has no list of live recordings."""
    list_level: Literal["complete", "base"] = "complete"
    """The level that a list of live recordings needs."""
    auto: bool = False
    """Any line that is asked for exists and has a live recording; 10 s after a stop a new one."""


IMAGICLE_FAULTS: Mapping[str, str] = {
    **COMMON_FAULTS,
    "swallow": "answer success and do nothing",
    "contradiction": "answer 409 and do nothing, whatever is live",
    "not_monitorable": "answer 400 with reason 1",
    "automatic": "answer 400 with reason 2",
    "reason": "answer 400 with the given reason",
    "bare_400": "answer 400 without a body",
    "unauthorized": "answer 401",
    "forbidden": "answer 403",
    "state": "answer 429",
    "fault": "answer 500",
    "licence": "answer 501",
    "shortage": "answer 503, as without a free channel",
    "service_away": "answer 504, as without the recording service",
    "late_fault": "do it, then answer 500",
    "late_504": "do it, then answer 504",
    "empty": "answer a list, or a start, with nothing in it",
    "junk": "do nothing and answer success with a JSON text that is nothing",
}
"""The faults of the Imagicle simulator."""
