# SPDX-License-Identifier: Apache-2.0
"""Switches of the simulator for the points that the Noojee documents leave open.

The default of a switch is the reading we think likeliest, not a fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridges.simulators.faults import COMMON_FAULTS


@dataclass(slots=True)
class NoojeeSwitches:
    """The open points, and how the simulated server behaves at each."""

    allow_get: bool = False
    """GET works too; the pages say POST only, the vendor's own client uses GET for start/stop."""
    accept_form: bool = False
    """Parameters are read from a form body too."""
    error_status: int = 200
    """The HTTP status of an error that carries a `Code`."""
    success_body: Literal["json", "empty", "text"] = "json"
    """Body of the 200 to a stop or start that succeeds."""
    success_code: int = 0
    """The `Code` of a success; positive ones are notices by the house rule."""
    key_case: Literal["capital", "lower"] = "capital"
    """`Code` and `Message`, or `code` and `message` as other areas of the API write them."""
    code_as_text: bool = False
    """The code is written as a text."""
    stop_profile: Literal["v3", "v1"] = "v3"
    """v3 asks for `agentLoginName` on a stop and decides by it; v1 ignores it when missing."""
    accept_tech_prefix: bool = True
    """`SIP/410` is taken for start and stop, as the vendor's own client sends it."""
    two_calls: Literal["oldest", "newest", "error"] = "oldest"
    """The one of several live calls that an extension means, or an error."""
    nothing_to_stop: Literal["error", "ok"] = "error"
    """Answer to a stop on a call that is not recorded."""
    hour_from: Literal["first_use", "timestamp", "sliding", "single_use"] = "first_use"
    """Begin of a pair's hour; `single_use` is the deprecated API, without any reuse."""
    concurrency: Literal["first_uses", "unused_pairs", "in_flight"] = "first_uses"
    """The things that the limit of concurrent authentications counts."""
    concurrency_limit: int = 5
    """The limit of concurrent authentications."""
    both_schemes: Literal["refuse", "api_key"] = "refuse"
    """Answer to a request with both `apiKey` and `hash`: refused, or `apiKey` counts."""
    time_suffix: Literal["none", "crlf"] = "none"
    """A line end after the digits of `Time`."""
    alias_rest: bool = False
    """`/rest/...` works without `/servicemanager`, as one printed example has it."""
    store_tag_on_stop: bool = False
    """A `tag` on a stop is kept with the recording; otherwise it is taken and ignored."""
    restart_after_transition: bool = False
    """A transition of a stopped call begins a new leg, as route and account rules may do."""
    auto: bool = False
    """Any extension or id is a live, recorded call, and any agent may stop it."""
    latency: float = 0.0
    """Seconds each request takes, by the host's clock."""


NOOJEE_FAULTS: Mapping[str, str] = {
    **COMMON_FAULTS,
    "expired": "call every pair expired",
    "forbidden": "answer 403, as to an address that is not whitelisted",
    "swallow": "answer success and do nothing",
    "empty_200": "do nothing and answer 200 with an empty body",
    "junk": "do nothing and answer 200 with a text that is nothing",
}
"""The faults of the Noojee simulator."""
