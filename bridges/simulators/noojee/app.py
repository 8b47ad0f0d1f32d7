# SPDX-License-Identifier: Apache-2.0
"""A Noojee server as its documents describe it, with every open point as a switch.

Paths, parameters, the signed pair, the shape of answers and the two documented texts
(`Channel Hungup`, `Expired TimeStamp`) are the vendor's. Everything the documents leave out is
invented here, and such texts begin with `SIM:`: nothing may depend on them.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from typing import Self
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bridges.simulators.harness import Reply, Seen, SimClock, Simulator, html
from bridges.simulators.noojee.auth import EXPIRED, Gate
from bridges.simulators.noojee.calls import (
    AmbiguousError,
    SimCall,
    SimPbx,
    call_data,
    metadata,
    moment,
    shown,
)
from bridges.simulators.noojee.switches import NOOJEE_FAULTS, NoojeeSwitches

API = "/servicemanager/rest/"
ADMIN = "/njadmin/rest/"
DEMO_KEY = "f863246a-973e-11e6-8784-08002718f5b5"
"""The key printed in the vendor's own pages."""

_OPERATIONS = {
    f"{API}Time": "Time",
    f"{API}CallManagementAPI/stop": "stop",
    f"{API}CallManagementAPI/start": "start",
    f"{API}CallManagementAPI/hangup": "hangup",
    f"{API}CallManagementAPI/subscribe": "subscribe",
    f"{ADMIN}RecordingAPI/retrieveMetaData": "recordings_by_tag",
    f"{ADMIN}RecordingAPI/retrieveMetaDataByUniqueId": "recordings_by_unique_id",
    f"{ADMIN}RecordingAPI/retrieveMetaDataByHour": "recordings_by_hour",
}
_REQUIRED = {
    "stop": ("extenOrUniqueId",),
    "start": ("extenOrUniqueId",),
    "hangup": ("extenOrUniqueId",),
    "subscribe": ("exten", "lastSequenceNumber"),
    "recordings_by_tag": ("tag",),
    "recordings_by_unique_id": ("uniqueId",),
    "recordings_by_hour": ("date", "hour"),
}
_SECRET = re.compile(r"(?<![^&])(apiKey|hash)=[^&]*")


class _RefusalError(Exception):
    """An error the API answers with a `Code`."""

    def __init__(self, message: str, code: int = -1) -> None:
        super().__init__(message)
        self.code = code


class NoojeeSimulator(Simulator):
    """The simulated server, an ASGI app.

    `pbx` holds its calls and users, `switches` its open points, `faults` what goes wrong,
    `log` every request, `clock` its own time.
    """

    kind = "noojee"
    faults_known = NOOJEE_FAULTS
    switches: NoojeeSwitches

    def __init__(
        self,
        api_key: str = DEMO_KEY,
        *,
        user_key: str | None = None,
        switches: NoojeeSwitches | None = None,
        clock: SimClock | None = None,
    ) -> None:
        super().__init__(switches or NoojeeSwitches(), clock)
        self.gate = Gate(api_key, user_key, self.switches)
        self.pbx = SimPbx(self.clock.now)
        self._asked_by_hour: float | None = None

    @classmethod
    def ready(cls, secret: str | None) -> Self:
        """Return one where every id and extension is a live, recorded call."""
        return cls(secret or DEMO_KEY, switches=NoojeeSwitches(auto=True))

    def controls(self) -> list[BaseRoute]:
        """Return the endpoints for calls and users."""
        return [
            Route("/calls", self._calls, methods=["GET", "POST"]),
            Route("/calls/{unique_id}", self._call, methods=["POST", "DELETE"]),
            Route("/users", self._users, methods=["POST"]),
        ]

    def operation(self, seen: Seen) -> str:
        """Return the operation by its path, `other` for none."""
        path = seen.path
        if self.switches.alias_rest and path.startswith("/rest/"):
            path = f"/servicemanager{path}"
        return _OPERATIONS.get(path, "other")

    def masked(self, seen: Seen) -> tuple[Mapping[str, str], str]:
        """Return the query with key and hash masked."""
        query = {k: "***" if k in {"apiKey", "hash"} else v for k, v in seen.query.items()}
        return query, _SECRET.sub(r"\1=***", seen.raw_query)

    async def answer(self, seen: Seen) -> Reply:
        """Check whitelist, path, method and credentials, then do it."""
        operation = self.operation(seen)
        if (page := self._before_the_api(operation, seen)) is not None:
            return page
        self.gate.in_flight += 1
        seen.facts["in_flight"] = self.gate.in_flight
        try:
            if operation == "Time":
                return await self._time()
            return await self._authenticated(operation, seen)
        except _RefusalError as refusal:
            seen.facts["effect"] = "refused"
            return self._coded(str(refusal), refusal.code, self.switches.error_status)
        finally:
            self.gate.in_flight -= 1

    def _before_the_api(self, operation: str, seen: Seen) -> Reply | None:
        """Return what the web server or something before it says in place of the API."""
        page = None
        if seen.hit_by("forbidden"):
            page = html(403, "Forbidden")
        elif operation == "other":
            page = html(404, "Not Found")
        elif seen.method != "POST" and not (seen.method == "GET" and self.switches.allow_get):
            page = html(405, "Method Not Allowed")
        elif seen.hit_by("empty_200"):
            page = Reply(200, b"", "text/plain")
        elif seen.hit_by("junk"):
            page = Reply(200, b"SIM: nothing anyone documents", "text/plain")
        return page

    async def _time(self) -> Reply:
        await asyncio.sleep(self.switches.latency)
        if self.gate.too_many_pairs(self.clock.now()):
            raise _RefusalError("SIM: too many authentications at the same time")
        stamp = self.clock.millis()
        self.gate.issue(stamp)
        suffix = "\r\n" if self.switches.time_suffix == "crlf" else ""
        return Reply(200, f"{stamp}{suffix}".encode(), "text/plain")

    async def _authenticated(self, operation: str, seen: Seen) -> Reply:
        query = dict(seen.query)
        if self.switches.accept_form:
            query |= dict(parse_qsl(seen.body.decode("utf-8", "replace")))
        verdict = self.gate.judge(query, self.clock.now(), seen.facts)
        if seen.hit_by("expired"):
            raise _RefusalError(EXPIRED)
        if verdict.error is not None:
            raise _RefusalError(verdict.error)
        self.gate.first_uses_in_flight += verdict.first_use
        try:
            await asyncio.sleep(self.switches.latency)
            missing = [name for name in _REQUIRED[operation] if not query.get(name)]
            if missing:
                raise _RefusalError(f"SIM: {missing[0]} is missing")
            return await self._do(operation, query, seen)
        finally:
            self.gate.first_uses_in_flight -= verdict.first_use

    async def _do(self, operation: str, query: Mapping[str, str], seen: Seen) -> Reply:
        if seen.hit_by("swallow"):
            seen.facts["effect"] = "swallowed"
            return self._success(operation)
        match operation:
            case "stop":
                seen.facts["effect"] = self._stop(query, seen)
            case "start":
                seen.facts["effect"] = self._start(query, seen)
            case "hangup":
                call = self._resolve(query["extenOrUniqueId"], seen)
                self.pbx.hang_up(call)
                seen.facts["effect"] = f"hung up {call.unique_id}"
            case "subscribe":
                return await self._subscribe(query)
            case _:
                return self._metadata(operation, query)
        return self._success(operation)

    def _stop(self, query: Mapping[str, str], seen: Seen) -> str:
        name = query.get("agentLoginName", "")
        if self.switches.stop_profile == "v3" and not name:
            raise _RefusalError("SIM: agentLoginName is missing")
        user = self.pbx.users.get(name)
        if name and user is None and not self.switches.auto:
            raise _RefusalError("SIM: unknown agent")
        call = self._resolve(query["extenOrUniqueId"], seen)
        if user is not None and not self.pbx.may_stop(user, call):
            raise _RefusalError("SIM: this agent may not stop this recording")
        tag = query.get("tag") if self.switches.store_tag_on_stop else None
        leg = self.pbx.stop(call, tag)
        if leg is None:
            if self.switches.nothing_to_stop == "error":
                raise _RefusalError("SIM: nothing is being recorded")
            return f"nothing to stop on {call.unique_id}"
        return f"stopped leg {leg.number} of {call.unique_id}"

    def _start(self, query: Mapping[str, str], seen: Seen) -> str:
        name = query.get("agentLoginName", "")
        if name and name not in self.pbx.users and not self.switches.auto:
            raise _RefusalError("SIM: unknown agent")
        call = self._resolve(query["extenOrUniqueId"], seen)
        leg = self.pbx.start(call, name, query.get("tag", ""))
        return f"started leg {leg.number} of {call.unique_id}"

    def _resolve(self, text: str, seen: Seen) -> SimCall:
        if "/" in text:
            seen.facts["tech_prefix"] = True
        prefix = self.switches.accept_tech_prefix
        try:
            call = self.pbx.resolve(text, tech_prefix=prefix, several=self.switches.two_calls)
        except AmbiguousError as error:
            raise _RefusalError(f"SIM: {error}") from None
        if call is None and self.switches.auto:
            by_id = "." in text
            channel = "PJSIP/auto-00000001" if by_id else f"PJSIP/{text}-00000001"
            call = self.pbx.add_call(channel, text if by_id else f"auto-{text}.1")
        if call is None:
            raise _RefusalError("SIM: no such call")
        return call

    async def _subscribe(self, query: Mapping[str, str]) -> Reply:
        extensions = query["exten"].split(",")
        try:
            last = int(query["lastSequenceNumber"])
            wait = float(query.get("timeOut", "10"))
        except ValueError:
            raise _RefusalError("SIM: not a number") from None
        if last and self.pbx.sequence <= last:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.pbx.next_change.wait(), wait)
        data = {
            extension: [
                {"CallData": call_data(call), "CallID": number, "Code": 0}
                for number, call in enumerate(self.pbx.live, 1)
                if call.extension == extension
            ]
            for extension in extensions
        }
        body = {"Data": data, "seq": max(self.pbx.sequence, 1), "Code": 0}
        return Reply(200, json.dumps(body).encode())

    def _metadata(self, operation: str, query: Mapping[str, str]) -> Reply:
        calls = [*self.pbx.ended, *self.pbx.live]
        legs = [(call, leg) for call in calls for leg in call.legs]
        match operation:
            case "recordings_by_tag":
                legs = [(call, leg) for call, leg in legs if leg.tag == query["tag"]]
            case "recordings_by_unique_id":
                wanted = query["uniqueId"]
                legs = [(call, leg) for call, leg in legs if call.unique_id == wanted]
            case _:
                now = self.clock.now()
                if self._asked_by_hour is not None and now - self._asked_by_hour < 60:
                    raise _RefusalError("SIM: once a minute")
                self._asked_by_hour = now
                hour = f"{query['date']} {int(query['hour']):02}"
                legs = [(c, leg) for c, leg in legs if moment(leg.ended, "%Y/%m/%d %H") == hour]
        return Reply(200, json.dumps([metadata(call, leg) for call, leg in legs]).encode())

    def _success(self, operation: str) -> Reply:
        if operation in {"stop", "start"}:
            if self.switches.success_body == "empty":
                return Reply(200, b"", "text/plain")
            if self.switches.success_body == "text":
                return Reply(200, b"SIM: done", "text/plain")
        said = "Channel Hungup" if operation == "hangup" else f"SIM: {operation} done"
        return self._coded(said, self.switches.success_code, 200)

    def _coded(self, message: str, code: int, status: int) -> Reply:
        printed: str | int = str(code) if self.switches.code_as_text else code
        body = {"Message": message, "Code": printed}
        if self.switches.key_case == "lower":
            body = {key.lower(): value for key, value in body.items()}
        return Reply(status, json.dumps(body).encode())

    async def _calls(self, request: Request) -> Response:
        if request.method == "POST":
            asked = await request.json()
            self.pbx.add_call(
                asked["channel"],
                asked["unique_id"],
                recording=bool(asked.get("recording", True)),
                owner=str(asked.get("owner", "")),
            )
        return JSONResponse([shown(call) for call in self.pbx.live])

    async def _call(self, request: Request) -> Response:
        wanted = request.path_params["unique_id"]
        call = next((call for call in self.pbx.live if call.unique_id == wanted), None)
        if call is None:
            return JSONResponse({"error": f"no live call {wanted}"}, 404)
        if request.method == "DELETE":
            self.pbx.hang_up(call)
        else:
            self.pbx.transition(call, restart=self.switches.restart_after_transition)
        return JSONResponse(shown(call))

    async def _users(self, request: Request) -> Response:
        asked = await request.json()
        self.pbx.add_user(**asked)
        return JSONResponse(sorted(self.pbx.users))
