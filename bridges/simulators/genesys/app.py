# SPDX-License-Identifier: Apache-2.0
"""Genesys Web Services as its documents describe them, with every open point as a switch.

Paths, codes, shapes and events are the vendor's; what the documents leave out is chosen here, and
texts of our own begin with `SIM:`: nothing may depend on them.
"""

import asyncio
import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from bridges.simulators.genesys.bayeux import COOKIE as BROWSER
from bridges.simulators.genesys.bayeux import Asked, Bayeux
from bridges.simulators.genesys.calls import (
    OPERATIONS,
    Agent,
    ContactCentre,
    SimCall,
    device,
    features,
    shown,
    user,
)
from bridges.simulators.genesys.switches import GENESYS_FAULTS, GenesysSwitches
from bridges.simulators.genesys.web import CSRF_TEXT, Admitted, Front, RefusedError, cookies
from bridges.simulators.harness import ABORT, Reply, Seen, SimClock, Simulator, html

API: Final = "/api/v2"
_CALL: Final = re.compile(rf"{API}/me/calls/([^/]+)")
_DEVICE: Final = re.compile(rf"{API}/me/devices/([^/]+)")
_VERBS: Final = ("stop", "start", "pause", "resume")
_NAMES: Final = {f"{verb.title()}CallRecording": verb for verb in _VERBS}
_READS: Final = {f"{API}/me": "me", f"{API}/me/calls": "calls", f"{API}/me/devices": "devices",
                 f"{API}/diagnostics/version": "version"}  # fmt: skip
OPENAPI: Final = Path(__file__).parent / "openapi.json"
"""The document of what is served here."""


class GenesysSimulator(Simulator):
    """The simulated server, an ASGI app.

    `centre` holds its agents and calls, `front` its HTTP sessions, `bayeux` its subscriptions,
    `switches` its open points, `faults` what goes wrong, `log` every request, `clock` its time.
    """

    kind = "genesys"
    faults_known = GENESYS_FAULTS
    switches: GenesysSwitches

    def __init__(
        self, *, switches: GenesysSwitches | None = None, clock: SimClock | None = None
    ) -> None:
        super().__init__(switches or GenesysSwitches(), clock)
        self.bayeux = Bayeux(self.switches, lambda: asyncio.get_running_loop().time())
        self.centre = ContactCentre(self.clock.now, self.switches, self.bayeux.publish)
        self.front = Front(self.switches, self.centre, self.clock.now)
        self._idle: dict[Any, asyncio.TimerHandle] = {}

    @classmethod
    def ready(cls, secret: str | None) -> Self:
        """Return one where every user is an agent and every id a recorded call of theirs."""
        made = cls(switches=GenesysSwitches(auto=True))
        made.front.password = secret
        return made

    @property
    def given(self) -> tuple[str, ...]:
        """Every cookie, token and client id that was given out."""
        return (*self.front.given, *self.bayeux.given)

    def controls(self) -> list[BaseRoute]:
        """Return the endpoints for agents and calls, and the document of the API."""
        return [
            Route("/calls", self._calls, methods=["GET", "POST"]),
            Route("/calls/{uuid}", self._move, methods=["POST", "DELETE"]),
            Route("/users", self._users, methods=["POST"]),
            Route("/openapi.json", self._openapi),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; its connection is closed when it is idle for too long."""
        peer = scope.get("client")
        waiting = self._idle.pop(peer, None)
        if waiting is not None:
            waiting.cancel()
        await super().__call__(scope, receive, send)
        abort = scope.get("extensions", {}).get(ABORT)
        if abort is not None and self.switches.idle_timeout:
            loop = asyncio.get_running_loop()
            self._idle[peer] = loop.call_later(self.switches.idle_timeout, self._close, peer, abort)

    def _close(self, peer: Any, abort: Any) -> None:
        self._idle.pop(peer, None)
        abort()

    def operation(self, seen: Seen) -> str:
        """Return what is asked: `stop`, `call`, `me`, `handshake` and so on; `other` for none."""
        if self._is_bayeux(seen.path):
            messages = _json(seen.body)
            first = messages[0] if isinstance(messages, list) and messages else None
            channel = first.get("channel", "") if isinstance(first, dict) else ""
            return str(channel).removeprefix("/meta/") or "bayeux"
        if seen.method == "GET":
            return "call" if _CALL.fullmatch(seen.path) else _READS.get(seen.path, "other")
        if _CALL.fullmatch(seen.path) or _DEVICE.fullmatch(seen.path):
            body = _json(seen.body)
            name = body.get("operationName") if isinstance(body, dict) else None
            return _NAMES.get(str(name), "operation")
        return "other"

    def masked(self, seen: Seen) -> tuple[Mapping[str, str], str]:
        """Return the query unmasked: nothing in it is secret."""
        return seen.query, seen.raw_query

    def shown_body(self, seen: Seen) -> str:
        """Return a body without client ids."""
        return self._hidden(super().shown_body(seen))

    def shown_answer(self, seen: Seen, reply: Reply) -> str:
        """Return an answer without client ids."""
        return self._hidden(super().shown_answer(seen, reply))

    def _hidden(self, text: str) -> str:
        for secret in self.given:
            text = text.replace(secret, "***")
        return text

    async def answer(self, seen: Seen) -> Reply:
        """Admit the request, then do it."""
        await asyncio.sleep(self.switches.latency)
        operation = self.operation(seen)
        if (instead := self._instead(seen)) is not None:
            return instead
        if operation == "version":
            return self.front.coded(0, version="8.5.202.96")
        if operation == "other":
            return html(404, "Not Found")
        try:
            admitted = self.front.admit(seen)
            if self._is_bayeux(seen.path):
                reply = await self._notifications(seen, admitted)
            elif seen.method == "GET":
                reply = self._read(operation, seen, admitted.session.agent)
            else:
                self.front.check_origin(seen)
                self.front.check_token(seen, admitted.session)
                reply = self._operate(seen, admitted.session.agent)
        except RefusedError as refusal:
            seen.facts["effect"] = "refused"
            return refusal.reply
        headers = {**admitted.headers, **reply.headers}
        return Reply(reply.status, reply.body, reply.content_type, headers)

    def _instead(self, seen: Seen) -> Reply | None:
        """Return what a fault answers in place of the API."""
        value = seen.fault.value if seen.fault else None
        coded, down = self.front.coded, "Voice service is not available at this time"
        made = {
            "code": lambda: coded(int(value or 0), "SIM: as asked"),
            "code_200": lambda: coded(int(value or 0), "SIM: as asked", 200),
            "voice_down": lambda: coded(4, down, 503),
            "not_registered": lambda: coded(4, "Device '15000' is not registered."),
            "csrf_text": lambda: Reply(403, CSRF_TEXT.encode(), "text/plain"),
            "empty_403": lambda: Reply(403, b"", None),
            "unauthorized": lambda: html(401, "Unauthorized"),
            "throttle": lambda: Reply(429, b"", None, {"Retry-After": f"{value or 1:g}"}),
        }.get(seen.fault.kind if seen.fault else "")
        return made() if made else None

    def _read(self, operation: str, seen: Seen, agent: Agent) -> Reply:
        found = _CALL.fullmatch(seen.path)
        if found is not None:
            call = self._call(agent, found[1])
            if call is None:
                return self._unknown()
            told = self.centre.resource(call)
            if seen.hit_by("no_state"):
                told = {**told, "capabilities": ["Hangup"], "userData": {}}
                told.pop("recordingState", None)
            return self.front.coded(0, call=told)
        if self.switches.auto and not self.centre.of(agent):
            self.centre.add_call(agent)
        whole = seen.query.get("fields") == "*"
        calls = [self.centre.resource(call) for call in self.centre.of(agent)]
        if operation == "calls":
            uris = [call["uri"] for call in calls]
            return self.front.coded(0, **({"calls": calls} if whole else {"uris": uris}))
        if operation == "devices":
            return self.front.coded(0, devices=[device(agent)])
        told = user(agent)
        parts = {"calls": calls, "devices": [device(agent)], "features": features(agent)}
        wanted = seen.query.get("subresources", "").split(",")
        told |= {name: part for name, part in parts.items() if name in wanted}
        return self.front.coded(0, user=told)

    def _call(self, agent: Agent, ident: str) -> SimCall | None:
        call = self.centre.find(agent, ident)
        if call is None and self.switches.auto and len(ident) == 32:
            call = self.centre.add_call(agent, uuid=ident)
        return call

    def _unknown(self) -> Reply:
        if self.switches.unknown_call == "500-4":
            return self.front.coded(4, "SIM: no such call")
        return self.front.coded(6, "SIM: no such call")

    def _operate(self, seen: Seen, agent: Agent) -> Reply:
        body = _json(seen.body)
        if not isinstance(body, dict):
            return html(400, "Bad Request")
        name = str(body.get("operationName") or "")
        if name not in OPERATIONS:
            said = "no such operation" if name else "operationName is missing"
            return self.front.coded(2 if name else 1, f"SIM: {said}")
        if not agent.recording:
            code = 3 if self.switches.no_feature == "403-3" else 5
            return self.front.coded(code, "SIM: api-voice-recording is missing")
        if (on := _DEVICE.fullmatch(seen.path)) is not None:
            return self._operate_device(on[1], name, agent)
        found = _CALL.fullmatch(seen.path)
        call = self._call(agent, found[1]) if found else None
        return self._command(seen, call, name) if call else self._unknown()

    def _operate_device(self, ident: str, name: str, agent: Agent) -> Reply:
        if not self.switches.device_stop or ident != agent.device:
            return self._unknown()
        for call in self.centre.of(agent):
            if call.recording in OPERATIONS[name][0]:
                self.centre.record(call, OPERATIONS[name][1])
        return self.front.coded(0)

    def _command(self, seen: Seen, call: SimCall, name: str) -> Reply:
        allowed, becomes = OPERATIONS[name]
        if call.recording not in allowed:
            seen.facts["effect"] = "nothing to do"
            return self._nothing(call)
        kind = seen.fault.kind if seen.fault else ""
        seen.facts["effect"] = kind or becomes
        if kind == "swallow":
            return self.front.coded(0)

        def carry_out() -> None:
            if kind == "async_error":
                self.centre.error(call)
            elif kind == "hangup_race":
                self.centre.hang_up(call)
            elif kind == "contradiction":
                self.centre.tell(call, "CallRecordingStateChange", becomes)
                self.centre.tell(call, "CallRecordingStateChange")
            elif call in self.centre.calls:
                self._noise(call)
                self.centre.record(call, becomes, noise=self.switches.noise)

        order = self.switches.event_order
        before = random.random() < 0.5 if order == "random" else order == "event_first"  # noqa: S311
        if before:
            carry_out()
        else:
            asyncio.get_running_loop().call_later(self.switches.delay, carry_out)
        return self.front.coded(0)

    def _noise(self, call: SimCall) -> None:
        if self.switches.noise:
            self.centre.tell(call, "StatusChange")
            for other in self.centre.of(call.agent):
                if other is not call:
                    self.centre.tell(other, "CallRecordingStateChange")

    def _nothing(self, call: SimCall) -> Reply:
        match self.switches.stop_when_not:
            case "400-2":
                return self.front.coded(2, "SIM: not in this state")
            case "500-4":
                return self.front.coded(4, "SIM: not in this state")
            case "event":
                self.centre.tell(call, "CallRecordingStateChange")
            case "error_message":
                self.centre.error(call)
        return self.front.coded(0)

    def _is_bayeux(self, path: str) -> bool:
        own = self.switches.notifications_path
        return path == own or path.startswith(f"{own}/")

    async def _notifications(self, seen: Seen, admitted: Admitted) -> Reply:
        if self.switches.csrf_bayeux == "required":
            self.front.check_token(seen, admitted.session)
        messages = _json(seen.body)
        if isinstance(messages, dict):
            messages = [messages]
        if not isinstance(messages, list):
            return html(400, "Bad Request")
        browser = cookies(seen.headers).get(BROWSER)
        asked = Asked(admitted.session.agent, admitted.session.node, browser)
        replies, cookie = await self.bayeux.answer(asked, messages)
        # Another spelling than that of the session's cookie: a reply may carry both.
        headers = {"set-cookie": f"{BROWSER}={cookie}; Path=/; HttpOnly"} if cookie else {}
        return Reply(200, json.dumps(replies).encode(), headers=headers)

    async def _openapi(self, _request: Request) -> Response:
        return Response(OPENAPI.read_bytes(), media_type="application/json")

    async def _users(self, request: Request) -> Response:
        self.centre.add_agent(**(await request.json()))
        return JSONResponse(sorted(self.centre.agents))

    async def _calls(self, request: Request) -> Response:
        if request.method == "POST":
            asked = await request.json()
            agent = self.centre.agents.get(asked.pop("agent", ""))
            if agent is None:
                return JSONResponse({"error": "agent: nobody of that name"}, 400)
            self.centre.add_call(agent, *asked.pop("parties", ()), **asked)
        return JSONResponse([shown(call) for call in self.centre.calls])

    async def _move(self, request: Request) -> Response:
        """Change a call: its state, its recording state, or its agent by a transfer."""
        wanted = request.path_params["uuid"]
        call = next((call for call in self.centre.calls if call.uuid == wanted), None)
        if call is None:
            return JSONResponse({"error": f"no live call {wanted}"}, 404)
        asked = {} if request.method == "DELETE" else await request.json()
        if request.method == "DELETE":
            self.centre.hang_up(call)
        if "state" in asked:
            self.centre.change(call, asked["state"])
        if "recording" in asked:
            self.centre.record(call, asked["recording"])
        if asked.get("transfer") in self.centre.agents:
            call = self.centre.transfer(call, self.centre.agents[asked["transfer"]])
        return JSONResponse(shown(call))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
