# SPDX-License-Identifier: Apache-2.0
"""A VoipNow server as 4PSA's documents describe its UnifiedAPI, every open point a switch.

Paths, fields and codes are the vendor's. Messages are invented and begin with `SIM:`:
nothing may depend on them.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bridges.simulators.harness import Reply, Seen, SimClock, Simulator, html
from bridges.simulators.voipnow.calls import (
    SimCall,
    SimExtension,
    SimSite,
    SimView,
    shown_call,
    stub,
)
from bridges.simulators.voipnow.events import DIAL_IN, HANGUP, Events
from bridges.simulators.voipnow.lists import Refusal, listed, page
from bridges.simulators.voipnow.oauth import Apps
from bridges.simulators.voipnow.switches import CODES, VOIPNOW_FAULTS, VoipNowSwitches

DEMO_ID = "5~2wKMPg9h~GExN3s01-7wX2XmLI_Xbz"
"""The App key printed in the vendor's own pages."""
DEMO_SECRET = "simulated-app-secret"  # noqa: S105 - printed in the guide
OPENAPI = Path(__file__).parent / "openapi.json"

_CALLS = re.compile(r"/+uapi/phoneCalls/([^/]+)/([^/]+)(?:/([^/]*))?/?")
_EVENTS = re.compile(
    r"/+uapi/extensions/([^/]+)/([^/]+)/phoneCallEvents(?:/([^/]+))?(?:/([^/]+))?/?"
)
_ACTIONS = {"StopRecording": "stop", "StartRecording": "start"}
_ID = re.compile(r"[A-Za-z0-9:_-]{1,64}")


class VoipNowSimulator(Simulator):
    """The simulated server, an ASGI app.

    `site` holds its users, extensions and calls, `apps` its App and tokens, `events` its
    subscriptions; `switches`, `faults`, `log` and `clock` are as with every simulator.
    """

    kind = "voipnow"
    faults_known = VOIPNOW_FAULTS
    switches: VoipNowSwitches

    def __init__(
        self,
        client_id: str = DEMO_ID,
        client_secret: str = DEMO_SECRET,
        *,
        switches: VoipNowSwitches | None = None,
        clock: SimClock | None = None,
    ) -> None:
        super().__init__(switches or VoipNowSwitches(), clock)
        self.apps = Apps(client_id, client_secret, self.switches, self.clock.now)
        self.site = SimSite(self.clock.now)
        self.events = Events()

    @classmethod
    def ready(cls, secret: str | None) -> Self:
        """Return one where every extension has a live, recorded call; `secret` is the App's."""
        return cls(client_secret=secret or DEMO_SECRET, switches=VoipNowSwitches(auto=True))

    def controls(self) -> list[BaseRoute]:
        """Return the endpoints for calls, extensions, tokens and the API's own description."""
        return [
            Route("/calls", self._control_calls, methods=["GET", "POST"]),
            Route("/calls/{call_id}", self._control_call, methods=["POST", "DELETE"]),
            Route("/extensions", self._control_extensions, methods=["GET", "POST"]),
            Route("/tokens", self._control_tokens, methods=["DELETE"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
        ]

    def operation(self, seen: Seen) -> str:
        """Return what is asked: token, list, look, stop, start, action, events, or other."""
        if seen.path == "/oauth/token.php" and seen.method == "POST":
            return "token"
        if _EVENTS.fullmatch(seen.path):
            return "events"
        if (found := _CALLS.fullmatch(seen.path)) is None:
            return "other"
        if seen.method == "GET":
            return "look" if found[3] else "list"
        if seen.method == "PUT":
            return _ACTIONS.get(str(_object(seen.body).get("action")), "action")
        return "other"

    def masked(self, seen: Seen) -> tuple[Mapping[str, str], str]:
        """Return the query; secrets are never part of it but for a token in the old way."""
        if "accessRequestToken" in seen.query:
            return {**seen.query, "accessRequestToken": "***"}, "***"
        return seen.query, seen.raw_query

    def shown_body(self, seen: Seen) -> str:
        """Return a body without the App's secret."""
        if self.operation(seen) == "token":
            pairs = parse_qsl(seen.body.decode("utf-8", "replace"))
            return "&".join(f"{k}={'***' if 'secret' in k else v}" for k, v in pairs)
        return super().shown_body(seen)

    def shown_answer(self, seen: Seen, reply: Reply) -> str:
        """Return an answer without the token."""
        if self.operation(seen) == "token":
            return re.sub(r'("access_token": ?")[^"]*', r"\1***", super().shown_answer(seen, reply))
        return super().shown_answer(seen, reply)

    async def answer(self, seen: Seen) -> Reply:
        """Check token, path and method, then do it."""
        if self.switches.latency:
            await asyncio.sleep(self.switches.latency)
        operation = self.operation(seen)
        if (instead := self._instead(seen)) is not None:
            return instead
        if operation == "token":
            status, told = self.apps.grant(seen.body)
            return _json(status, told)
        if operation == "other":
            return html(404, "Not Found")
        authorization = seen.headers.get("authorization", "")
        if seen.hit_by("expire_token"):
            self.apps.expire(authorization)
        try:
            return self._allowed(operation, seen, authorization)
        except Refusal as refusal:
            seen.facts.setdefault("effect", "refused")
            return self._error(refusal.code)

    def _allowed(self, operation: str, seen: Seen, authorization: str) -> Reply:
        if not self.apps.allows(authorization):
            seen.facts["effect"] = "unauthorised"
            raise Refusal("access_denied")
        if operation == "events":
            return self._events(seen)
        if operation in {"list", "look"}:
            return self._look(seen)
        return self._action(operation, seen)

    def _instead(self, seen: Seen) -> Reply | None:
        """Return what a fault answers in place of the API."""
        fault = seen.fault
        if fault is None:
            return None
        status = int(fault.value or 400)
        if fault.kind in CODES:
            return self._error(fault.kind)
        replies = {
            "coded": _json(status, _error_body("sim_unknown", "SIM: an unknown code")),
            "oauth_error": _json(status, {"error": "invalid_client"}),
            "too_many": Reply(429, b"", "text/plain", {"Retry-After": f"{fault.value or 0:g}"}),
            "empty_200": Reply(200, b"", "text/plain"),
            "junk": _json(200, {"sim": "nothing anyone documents"}),
            "unreadable": _json(200, {"entry": [{"id": ""}]}),
        }
        return replies.get(fault.kind)

    def _error(self, code: str) -> Reply:
        status, message = CODES[code]
        printed = self.switches.denied_code if code == "access_denied" else code
        return _json(status, _error_body(printed, message))

    def _look(self, seen: Seen) -> Reply:
        path = _parts(_CALLS, seen.path)
        place, call_id = f"{path[0]}/{path[1]}", path[2]
        calls = self._visible(path[0], path[1])
        if call_id:
            calls = [call for call in calls if call.id == call_id]
            if not calls:
                raise Refusal("pc_phonecall_invalid")
            shown = [self._shown(call, place) for call in calls]
            return _json(200, listed(shown, self.switches.call_envelope, {}))
        return page(
            calls, seen.query, place, self.switches, show=self._shown, after=self._between_pages
        )

    def _shown(self, call: SimCall, place: str) -> dict[str, Any]:
        return shown_call(call, self.clock.now(), self.switches, place)

    def _between_pages(self, calls: list[SimCall]) -> None:
        for _ in range(self.switches.churn):
            self.site.add_call(calls[0].extension.number, recording=False, front=True)

    def _action(self, operation: str, seen: Seen) -> Reply:
        if operation == "action":
            raise Refusal("request_not_implemented")
        path = _parts(_CALLS, seen.path)
        if path[1] == "@self" and not self.switches.self_actions:
            raise Refusal("extension_invalid")
        calls = [call for call in self._visible(path[0], path[1]) if call.id == path[2]]
        if not calls or not _ID.fullmatch(path[2]):
            raise Refusal("pc_phonecall_invalid")
        call = calls[0]
        view = call.view(str(_object(seen.body).get("phoneCallViewId", "")))
        if view is None:
            raise Refusal("pc_phonecallview_invalid")
        answer = self._carry_out(operation, call, view, seen)
        place = f"{path[0]}/{path[1]}"
        if answer == "204":
            return Reply(204, b"", None)
        told = self._shown(call, place) if answer == "200" else stub(call, self.switches, place)
        return _json(int(answer), told)

    def _carry_out(self, operation: str, call: SimCall, view: SimView, seen: Seen) -> str:
        """Do an action, or not, and return the status that is answered."""
        switches = self.switches
        recorded = call.recorded(self.clock.now())
        if operation == "stop" and view not in recorded:
            seen.facts["effect"] = "not recorded"
            refuses = (
                switches.wrong_view == "error" if recorded else switches.not_recording == "400"
            )
            if refuses:
                raise Refusal("pc_phonecallview_invalid")
            return switches.action_answer if recorded else switches.not_recording
        if seen.hit_by("swallow") or (switches.sticky and operation == "stop"):
            seen.facts["effect"] = "none"
        else:
            start, delay = operation == "start", switches.effect_delay
            seen.facts["effect"] = self.site.act(view, call.extension, start=start, delay=delay)
        return switches.action_answer

    def _visible(self, user: str, extension: str) -> list[SimCall]:
        """Return the calls that a user and an extension mean. Raises `Refusal`."""
        site = self.site
        number = str(int(user)) if user.isdecimal() else ""
        if user not in {"@me", "@viewer", "@owner"} and number not in site.users:
            raise Refusal("user_invalid")
        owner = site.me if user in {"@me", "@viewer"} else number
        everyone = user == "@owner" or self.switches.me_sees == "all"
        if extension == "@self":
            mine = [one for one in site.extensions.values() if everyone or one.user == owner]
        else:
            mine = [self._extension(extension, owner, everyone=everyone)]
        numbers = {one.number for one in mine}
        return [call for call in site.calls if numbers & call.parties()]

    def _extension(self, text: str, owner: str, *, everyone: bool) -> SimExtension:
        if not re.fullmatch(r"[0-9*]+", text):
            raise Refusal("extension_invalid")
        one = self.site.find(text)
        if one is None and self.switches.auto:
            one = self.site.add_extension(text if "*" in text else f"0003*{text}")
            self.site.add_call(one.number)
        if one is None or not (everyone or one.user == owner):
            raise Refusal("extension_invalid")
        return one

    def _events(self, seen: Seen) -> Reply:
        user, text, kind, event_id = _parts(_EVENTS, seen.path)
        if text == "@self":
            raise Refusal("extension_invalid")
        self._visible(user, text)
        extension = self.site.find(text)
        assert extension is not None
        try:
            wanted = int(kind) if kind else None
            if seen.method == "POST":
                told = {key: str(value) for key, value in _object(seen.body).items()}
                return _json(200, self.events.add(extension.number, told).as_dict())
        except (ValueError, KeyError):
            raise Refusal("pce_id_invalid") from None
        found = self.events.of(extension.number, wanted, event_id or None)
        if event_id and not found:
            raise Refusal("pce_id_invalid")
        if seen.method == "DELETE":
            for one in found:
                self.events.subscriptions.remove(one)
            return Reply(200 if found else 204, b"", None)
        if not found:
            return Reply(204, b"", None)
        return _json(200, {"entry": [one.as_dict() for one in found]})

    async def _control_calls(self, request: Request) -> Response:
        if request.method == "POST":
            asked = await request.json()
            try:
                call = self.site.add_call(**asked)
            except (TypeError, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
            if self.switches.events:
                await self.events.send(call, DIAL_IN)
        return JSONResponse([self._told(call) for call in self.site.calls])

    async def _control_call(self, request: Request) -> Response:
        call = self.site.call(request.path_params["call_id"])
        if call is None:
            return JSONResponse({"error": "no such live call"}, 404)
        if request.method == "DELETE":
            self.site.hang_up(call)
            if self.switches.events:
                await self.events.send(call, HANGUP)
        else:
            now = self.clock.now()
            recording = bool((await request.json())["recording"])
            for view in call.views[1:]:
                view.recording, view.at = (now if recording else None), None
        return JSONResponse(self._told(call))

    async def _control_extensions(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self.site.add_extension(**await request.json())
            except TypeError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(
            [
                {"number": one.number, "user": one.user, "trigger": one.trigger}
                for one in self.site.extensions.values()
            ]
        )

    async def _control_tokens(self, _request: Request) -> Response:
        self.apps.expire()
        return JSONResponse({"issued": len(self.apps.issued)})

    async def _openapi(self, _request: Request) -> Response:
        return Response(OPENAPI.read_bytes(), media_type="application/json")

    def _told(self, call: SimCall) -> dict[str, Any]:
        recorded = call.recorded(self.clock.now())
        return {
            "call_id": call.id,
            "asterisk_id": call.asterisk_id,
            "extension": call.extension.number,
            "recorded_views": [view.id for view in recorded],
        }


def _parts(pattern: re.Pattern[str], path: str) -> list[str]:
    found = pattern.fullmatch(path)
    assert found is not None
    return [part or "" for part in found.groups()]


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _json(status: int, body: object) -> Reply:
    return Reply(status, json.dumps(body).encode())


def _error_body(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
