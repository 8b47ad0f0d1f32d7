# SPDX-License-Identifier: Apache-2.0
"""The list of completed recordings: filters with right-hand colons, and pages.

In a value `;` and a backslash are escaped with a backslash. The names of the filter for the remote
party differ between two of the vendor's pages; both are known here.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bridges.simulators.imagicle.state import Recording, complete

_TIMES = {"startTime", "endTime"}
_CONTAINS = {"remoteParty": "remoteParty", "remotePartyNumber": "remoteParty"}
_EQUALS = {"localPartyNumber", "ownerUsername", "direction"}


def page(recordings: Sequence[Recording], query: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer to a query. Raises `ValueError` for values that are none."""
    found = [complete(one) for one in recordings]
    for name, value in query.items():
        found = [one for one in found if _fits(one, name, value)]
    size = int(query.get("pageSize", "0"))
    first = int(query.get("page", "0")) * size
    return {"totalCount": len(found), "recordings": found[first : first + size] if size else found}


def _fits(one: Mapping[str, Any], name: str, value: str) -> bool:
    if name in _TIMES:
        return _in_time(datetime.fromisoformat(one[name]), value)
    if name in _CONTAINS:
        text = str(one[_CONTAINS[name]])
        if value.startswith("contains:"):
            return _plain(value.removeprefix("contains:")) in text
        return text == _plain(value)
    return name not in _EQUALS or str(one[name]) == _plain(value)


def _in_time(at: datetime, value: str) -> bool:
    operator, colon, rest = value.partition(":")
    if colon and operator == "before":
        return at < datetime.fromisoformat(rest)
    if colon and operator == "after":
        return at > datetime.fromisoformat(rest)
    if colon and operator == "between":
        low, high = (datetime.fromisoformat(limit) for limit in rest.split(";"))
        return low <= at < high
    return at == datetime.fromisoformat(value)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
