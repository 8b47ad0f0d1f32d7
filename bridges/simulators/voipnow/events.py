# SPDX-License-Identifier: Apache-2.0
"""PhoneCallEvents of a simulated VoipNow: it posts to subscribed URLs, on this machine only."""

import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from bridges.simulators.voipnow.calls import SimCall
from noojee.wire import is_loopback

DIAL_IN, DIAL_OUT, HANGUP, ANSWERED_IN, ANSWERED_OUT = range(5)
_STATUS: Final = {DIAL_IN: "CALLING", DIAL_OUT: "CALLING", HANGUP: "ANSWER"}


@dataclass(slots=True)
class Subscription:
    """One URL subscribed to one type of event of one extension. `post` sends a form."""

    id: str
    extension: str
    type: int
    post: bool
    url: str
    on: bool = True
    note: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return it as the API writes it; all values are texts."""
        return {
            "id": self.id,
            "type": str(self.type),
            "method": "1" if self.post else "0",
            "url": self.url,
            "status": "1" if self.on else "0",
            "note": self.note,
        }


class Events:
    """The subscriptions, and what is sent for them."""

    def __init__(self) -> None:
        self.subscriptions: list[Subscription] = []

    def add(self, extension: str, told: dict[str, str]) -> Subscription:
        """Add a subscription. Raises `ValueError` for fields that make none."""
        kind = int(told["type"])
        if kind not in range(5) or not told.get("url"):
            raise ValueError("type and url are needed")
        made = Subscription(
            secrets.token_hex(15), extension, kind, told.get("method", "0") == "1", told["url"],
            told.get("status", "1") == "1", told.get("note", ""),
        )  # fmt: skip
        self.subscriptions.append(made)
        return made

    def of(self, extension: str, kind: int | None, event_id: str | None) -> list[Subscription]:
        """Return subscriptions of an extension, of one type and id where told."""
        return [
            one
            for one in self.subscriptions
            if one.extension == extension
            and kind in {None, one.type}
            and event_id in {None, one.id}
        ]

    async def send(self, call: SimCall, kind: int) -> list[int]:
        """Post a call to its subscribers; return the status of each answer, 0 for none."""
        told = parameters(call, kind)
        asked = self.of(call.extension.number, kind, None)
        return [await _tell(one, told) for one in asked if one.on and _here(one.url)]


def parameters(call: SimCall, kind: int) -> dict[str, str]:
    """Return the form that is posted about a call."""
    remote = next((view.source for view in call.views if view.id == "01"), "")
    return {
        "CallID": call.asterisk_id,
        "CallAPIID": call.id,
        "CallerIDNum": remote,
        "CallerIDName": "SIM",
        "CalledExtension": call.extension.number,
        "CalledNumber": call.extension.short,
        "CallStatus": _STATUS.get(kind, "CALLING"),
        "CallFlow": "OUT" if kind in {DIAL_OUT, ANSWERED_OUT} else "IN",
    }


async def _tell(one: Subscription, told: dict[str, str]) -> int:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            if one.post:
                answer = await client.post(one.url, data=told)
            else:
                answer = await client.get(one.url, params=told)
    except httpx.HTTPError:
        return 0
    return answer.status_code


def _here(url: str) -> bool:
    """Return whether a URL is one of this machine: the simulator sends nothing anywhere else."""
    return is_loopback(urlsplit(url).hostname or "")
