# SPDX-License-Identifier: Apache-2.0
"""Switches of the simulator for what the VoipNow documents leave open or say twice.

The default of a switch is what the documents say first, or the reading we think likeliest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridges.simulators.faults import COMMON_FAULTS

Envelope = Literal["bare", "array", "entry", "entry_dict"]


@dataclass(slots=True)
class VoipNowSwitches:
    """The open points, and how the simulated server behaves at each."""

    action_answer: Literal["202", "200", "204"] = "202"
    """Status of the answer to an action: its page's table says 200 or 204, the sample shows 202."""
    effect_delay: float = 0.3
    """Seconds until an accepted action has its effect, by the server's clock."""
    other_id: bool = False
    """An action answers with another id than that of the path, as in the vendor's sample."""
    link_form: Literal["slash", "double_slash"] = "slash"
    """`/uapi` or `//uapi` in links: the two copies of the page differ. The host is an address."""
    link_key: Literal["documented", "link", "links"] = "documented"
    """`link` on answers to actions and `links` on resources, or one of them everywhere."""
    list_envelope: Literal["entry", "entry_dict", "array"] = "entry"
    """Envelope around a list of calls."""
    call_envelope: Envelope = "bare"
    """Envelope around one call that was asked for by its id."""
    empty_list: Literal["204", "200"] = "204"
    """Answer for an empty list: nothing, or an envelope around nothing."""
    paging_links: bool = True
    """Lists carry links to their neighbouring pages."""
    wrong_view: Literal["ignored", "error"] = "ignored"
    """Answer to a stop of an existing view that is not recorded while another view is."""
    not_recording: Literal["202", "204", "400"] = "202"
    """Answer to a stop on a call that is not recorded at all."""
    sticky: bool = False
    """`recording` stays in the view after a stop."""
    me_sees: Literal["own", "all"] = "own"
    """Extensions that `@me` may use."""
    self_actions: bool = True
    """An action may be addressed with `@self` in place of the extension."""
    number_form: Literal["extended", "short"] = "extended"
    """Form of extensions in answers."""
    value_types: Literal["text", "number"] = "text"
    """Flow and status as texts, as in the samples, or as numbers, as in the tables."""
    caller_id_key: Literal["callerId", "callerID"] = "callerId"
    """Spelling of the caller id's field: the table and the sample of the resource differ."""
    offsets: Literal["consistent", "mixed"] = "consistent"
    """UTC offsets of one call: +02:00 in `published` and +03:00 in `answered` when mixed."""
    token_life: int = 3600
    """Seconds that a token lives: the current page says one hour, its older revision two."""
    single_use: bool = False
    """Every token is good for one request, as older revisions let the user choose."""
    denied_code: Literal["access_denied", "access_denided"] = "access_denied"
    """The code of a denied request: one page misspells it."""
    churn: int = 0
    """Calls that begin between the pages of a list, and push the others on."""
    events: bool = True
    """Calls are posted to subscribed URLs, only to those of this machine."""
    auto: bool = False
    """Any extension is there and has a live, recorded call."""
    latency: float = 0.0
    """Seconds each request takes, by the host's clock."""


CODES: Mapping[str, tuple[int, str]] = {
    "pc_phonecall_invalid": (400, "SIM: the phoneCallId is invalid or names no live call"),
    "pc_phonecallview_invalid": (400, "SIM: the phoneCallViewId is missing or not in this call"),
    "user_invalid": (400, "SIM: the user is invalid"),
    "extension_invalid": (400, "SIM: the extension is invalid"),
    "fields_invalid": (400, "SIM: the fields are invalid"),
    "count_invalid": (400, "SIM: the count is invalid"),
    "filterby_invalid": (400, "SIM: filterBy is invalid"),
    "filterop_invalid": (400, "SIM: filterOp is invalid"),
    "filtervalue_invalid": (400, "SIM: filterValue is invalid"),
    "sortorder_invalid": (400, "SIM: sortOrder is invalid"),
    "pce_id_invalid": (400, "SIM: the id of the event is invalid"),
    "cdr_start_date_invalid": (400, "SIM: the start date is invalid"),
    "access_denied": (401, "SIM: the token is not valid or the request not allowed"),
    "internal_server_error": (500, "SIM: an internal error"),
    "request_not_implemented": (501, "SIM: this request is not implemented"),
}
"""Every code of an error, with its status and a message."""

VOIPNOW_FAULTS: Mapping[str, str] = {
    **COMMON_FAULTS,
    **{code: f"answer {status} with the code {code}" for code, (status, _) in CODES.items()},
    "coded": "do nothing and answer the given status with an error of an unknown code",
    "oauth_error": "answer the given status with an error as OAuth writes it, a string",
    "too_many": "answer 429 with the given seconds in Retry-After",
    "expire_token": "forget the token of this request, and so answer 401",
    "swallow": "answer an action with success and do nothing",
    "empty_200": "do nothing and answer 200 with an empty body",
    "junk": "do nothing and answer 200 with JSON that is nothing",
    "unreadable": "do nothing and answer a list with objects that are no calls",
}
"""The faults of the VoipNow simulator."""
