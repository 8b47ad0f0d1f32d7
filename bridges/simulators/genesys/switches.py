# SPDX-License-Identifier: Apache-2.0
"""Switches of the simulator for the points that the Genesys documents leave open.

The default of a switch is the reading we think likeliest, not a fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridges.simulators.faults import COMMON_FAULTS


@dataclass(slots=True)
class GenesysSwitches:
    """The open points, and how the simulated server behaves at each."""

    stop_when_not: Literal["400-2", "silent", "event", "error_message", "500-4"] = "400-2"
    """Answer to a stop on a call that is not recorded; likewise for the other operations."""
    no_feature: Literal["403-3", "403-5"] = "403-3"
    """Answer to an operation by an agent without `api-voice-recording`."""
    unknown_call: Literal["404-6", "500-4"] = "404-6"
    """Answer to an unknown id, or to that of another agent's call."""
    ids: Literal["uuid", "conn_id"] = "uuid"
    """The `id` of a call: its UUID, or its connection id as the samples of 2014 have it."""
    origin: Literal["strict", "lenient"] = "strict"
    """strict: a recording POST without a listed Origin is 403 with an empty body."""
    allowed_origins: str = ""
    """Origins besides the server's own, parted by spaces; `*` stands within a host name."""
    csrf: bool = True
    """The server's option `enableCsrfProtection`."""
    csrf_bayeux: Literal["required", "exempt"] = "required"
    """Bayeux POSTs need the token too, or are exempt."""
    no_credentials: Literal["403", "401"] = "403"
    """The HTTP status of code 20, for a request without a login."""
    stale_session: Literal["refuse", "renew"] = "refuse"
    """Answer to a request with a cookie of a dead session: code 20, or a new session."""
    session_requests: int = 0
    """A session dies after so many requests; 0 for never."""
    session_idle: float = 1800.0
    """Seconds after which an unused session dies, by the simulated clock."""
    nodes: Literal[1, 2] = 1
    """Nodes behind the balancer; a session is known to its own alone."""
    notifications_path: str = "/api/v2/notifications"
    """Path of Bayeux, with and without `/handshake` and so on behind it."""
    bayeux_browser: Literal["enforced", "ignored"] = "enforced"
    """Messages need the cookie of their handshake, or it is ignored."""
    hold: float = 30.0
    """Seconds a connect is held at most, by the host's clock."""
    max_interval: float = 10.0
    """Seconds without a connect after which a Bayeux session is forgotten, by the host's clock."""
    event_order: Literal["answer_first", "event_first", "random"] = "answer_first"
    """Order of the answer to an operation and its effect and event."""
    delay: float = 0.05
    """Seconds from an operation to its effect and event, when the answer comes first."""
    noise: bool = True
    """Send other events too, before and after those of a recording."""
    shapes: Literal["8.5.2", "8.5.0"] = "8.5.2"
    """`participants` as objects, or as texts with `participantsInfo`; `duration` as a number."""
    code_as_text: bool = False
    """`statusCode` is printed as a text, as one sample has it."""
    device_stop: bool = False
    """`POST /me/devices/{id}` stops every recorded call of the device."""
    idle_timeout: float = 30.0
    """Seconds after which an idle connection is closed; 0 for never."""
    auto: bool = False
    """Any user is an agent with a device of that number and a recorded call; any id is one too."""
    latency: float = 0.0
    """Seconds each request takes, by the host's clock."""


GENESYS_FAULTS: Mapping[str, str] = {
    **COMMON_FAULTS,
    "code": "do nothing and answer this statusCode, with its HTTP status",
    "code_200": "do nothing and answer this statusCode with HTTP 200",
    "voice_down": "do nothing and answer 503 with code 4, Voice service is not available",
    "not_registered": "do nothing and answer 500 with code 4, the device is not registered",
    "csrf_text": "do nothing and answer 403 with the text about the CSRF token",
    "empty_403": "do nothing and answer 403 with nothing, as to an Origin that is not allowed",
    "unauthorized": "do nothing and answer 401 without JSON",
    "throttle": "do nothing and answer 429, asking to wait the given seconds",
    "swallow": "accept it and do nothing",
    "contradiction": "accept it, tell that it was done, and go on recording",
    "async_error": "accept it, do nothing, and send an ErrorMessage without a text",
    "hangup_race": "accept it, and let the call end instead",
    "expire_session": "forget the session of this request first",
    "other_node": "let this request meet the other node",
    "no_state": "answer a read of a call without recordingState and capabilities",
}
"""The faults of the Genesys simulator."""
