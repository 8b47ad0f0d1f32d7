# SPDX-License-Identifier: Apache-2.0
"""List PhoneCalls of a simulated VoipNow: filters, order, pages and what is around them."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bridges.simulators.harness import Reply
from bridges.simulators.voipnow.calls import SimCall, link
from bridges.simulators.voipnow.switches import Envelope, VoipNowSwitches

MOST = 5000
"""The highest `count` and `startIndex`."""

_OPERATORS = frozenset(
    {"contains", "equals", "greaterThan", "inArray", "lessThan", "present", "startsWith"}
)
_FIELDS = frozenset(
    {"id", "extension", "ownerId", "ownerName", "published", "answered", "nonce", "phoneCallView",
     "link", "links"}
)  # fmt: skip


class Refusal(Exception):
    """An error that the API answers with one of its codes."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def page(
    calls: list[SimCall],
    query: Mapping[str, str],
    place: str,
    switches: VoipNowSwitches,
    *,
    show: Callable[[SimCall, str], dict[str, Any]],
    after: Callable[[list[SimCall]], None],
) -> Reply:
    """Answer a list. `after` is called once it is made, when there is another page."""
    count = _index(query, "count", 20)
    start = _index(query, "startIndex", 0)
    order = query.get("sortOrder", "ascending")
    if order not in {"ascending", "descending"}:
        raise Refusal("sortorder_invalid")
    found = _filtered(calls, query)
    found.sort(key=lambda call: call.published, reverse=order == "descending")
    part = found[start : start + count]
    if not found and switches.empty_list == "204":
        return Reply(204, b"", None)
    around: dict[str, Any] = {
        "totalResults": str(len(found)),
        "itemsPerPage": str(count),
        "startIndex": str(start),
    }
    more = start + count < len(found)
    if more and switches.paging_links:
        around["paging"] = {
            "next": f"{link(place, switches)}?count={count}&startIndex={start + count}"
        }
    shown = [_only(show(call, place), query) for call in part]
    reply = Reply(200, json.dumps(listed(shown, switches.list_envelope, around)).encode())
    if more:
        after(found)
    return reply


def listed(shown: list[dict[str, Any]], envelope: Envelope, around: dict[str, Any]) -> object:
    """Return calls in an envelope."""
    match envelope:
        case "bare":
            return shown[0]
        case "array":
            return shown
        case "entry_dict":
            return {**around, "entry": {call["id"]: call for call in shown}}
    return {**around, "entry": shown}


def _index(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) > MOST or (name == "count" and int(text) < 1):
        raise Refusal("count_invalid")
    return int(text)


def _only(call: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    if "fields" not in query:
        return call
    wanted = set(query["fields"].split(","))
    if not wanted <= _FIELDS:
        raise Refusal("fields_invalid")
    return {key: value for key, value in call.items() if key in wanted}


def _filtered(calls: list[SimCall], query: Mapping[str, str]) -> list[SimCall]:
    if "filterBy" not in query:
        return list(calls)
    by, operator, value = (query.get(f"filter{part}", "") for part in ("By", "Op", "Value"))
    if by not in {"id", "published"}:
        raise Refusal("filterby_invalid")
    if operator not in _OPERATORS:
        raise Refusal("filterop_invalid")
    if by == "id":
        if not value.isalnum():
            raise Refusal("filtervalue_invalid")
        return [call for call in calls if call.id == value]
    try:
        limit = datetime.fromisoformat(value).timestamp()
    except ValueError:
        raise Refusal("filtervalue_invalid") from None
    if operator == "lessThan":
        return [call for call in calls if call.published < limit]
    return [call for call in calls if call.published > limit]
