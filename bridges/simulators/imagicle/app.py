# SPDX-License-Identifier: Apache-2.0
"""An Imagicle Call Recording node as its documents describe it, with open points as switches.

Paths, parameters, statuses, reasons and the fields of the list are the vendor's. What its pages
leave out is invented here.
"""

import binascii
import json
import uuid
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from bridges.simulators.harness import Reply, Seen, html
from bridges.simulators.imagicle.completed import page
from bridges.simulators.imagicle.routes import ImagicleRoutes
from bridges.simulators.imagicle.state import (
    Account,
    Level,
    Method,
    Recording,
    active,
    complete,
)
from bridges.simulators.imagicle.switches import ImagicleSwitches

DEMO_USER: Final = "myuser"
DEMO_PASSWORD: Final = "mypassword"  # noqa: S105 - both as the vendor's page prints them


_NEW: Final = {"stop_mine", "pause", "resume", "pause_line", "resume_line"}
_STATUS_FAULTS: Final = {
    "contradiction": 409, "unauthorized": 401, "forbidden": 403, "state": 429, "fault": 500,
    "licence": 501, "shortage": 503, "service_away": 504,
}  # fmt: skip
_REASON_FAULTS: Final = {"not_monitorable": 1, "automatic": 2}
_NAMES: Final = {
    "stop": ("InvalidGuid", "LineNotTapiMonitored", "AutomaticRecording"),
    "stop_line": ("MissingParameters", "LineNotTapiMonitored", "AutomaticRecording"),
    "start": (
        "MissingParameters", "LineNotTapiMonitored", "InvalidMode", "NoUserExtension",
        "AutomaticRecording",
    ),
}  # fmt: skip


class _RefusalError(Exception):
    """A status other than success, with the reason of a 400."""

    def __init__(self, status: int, reason: int | None = None, device: str = "") -> None:
        super().__init__(f"refused {status}" + ("" if reason is None else f", reason {reason}"))
        self.status = status
        self.reason = reason
        self.device = device


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was let in."""

    operation: str
    account: Account
    query: Mapping[str, str]
    id: str
    body: bytes


class ImagicleSimulator(ImagicleRoutes):
    """One simulated node, an ASGI app.

    `state` holds its lines, recordings and accounts, `switches` its open points, `faults` what
    goes wrong, `log` every request, `clock` its own time.
    """

    @classmethod
    def ready(cls, secret: str | None) -> Self:
        """Return one with a user of level 10, where any line has a live recording."""
        made = cls(switches=ImagicleSwitches(profile="2025", auto=True))
        made.state.add_account(DEMO_USER, secret or DEMO_PASSWORD)
        return made

    def other_node(self, *, shared: bool) -> "ImagicleSimulator":
        """Return the other node of the same suite, which shares live recordings or does not."""
        return ImagicleSimulator(
            switches=self.switches, clock=self.clock, state=self.state.other_node(shared=shared)
        )

    # what is answered

    async def answer(self, seen: Seen) -> Reply:
        """Check address, credentials and level, then do it."""
        operation, found = self.place(seen)
        missing = operation == "list" and not self.switches.has_list
        too_new = operation in _NEW and self.switches.profile == "2022"
        if operation == "other" or missing or too_new:
            return html(404, "Not Found")
        try:
            account = self._account(seen)
            self._level(operation, account, seen)
            self._fault_before(seen)
            query = {k: v for k, v in seen.query.items() if v or self._takes_empty}
            reply = self._do(_Asked(operation, account, query, found, seen.body), seen)
        except _RefusalError as refusal:
            seen.facts["effect"] = str(refusal)
            return self._refused(operation, refusal)
        late = {"late_fault": 500, "late_504": 504}.get(seen.fault.kind if seen.fault else "")
        return Reply(late, b"", None) if late else reply

    @property
    def _takes_empty(self) -> bool:
        return self.switches.empty_value == "literal"

    def _account(self, seen: Seen) -> Account:
        try:
            scheme, _, coded = seen.headers.get("authorization", "").partition(" ")
            name, _, password = b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _RefusalError(401) from None
        account = self.state.accounts.get(name)
        if scheme.lower() != "basic" or account is None:
            raise _RefusalError(401)
        seen.facts["account"] = name
        locked = 0 < self.switches.lock_after <= account.wrong
        if locked or account.password != password:
            account.wrong += 1
            seen.facts["locked"] = locked
            raise _RefusalError(401)
        if account.sso and not self.switches.allow_sso:
            raise _RefusalError(401)
        return account

    def _level(self, operation: str, account: Account, seen: Seen) -> None:
        needed = Level.COMPLETE
        easy_list = operation == "list" and self.switches.list_level == "base"
        if easy_list or operation in {"recordings", "recording"}:
            needed = Level.BASE
        elif operation == "stop_mine" or (operation == "start" and not seen.body):
            needed = Level.RECORD_ONLY
        if account.level < needed:
            raise _RefusalError(403)

    def _fault_before(self, seen: Seen) -> None:
        kind = seen.fault.kind if seen.fault else ""
        if kind in _STATUS_FAULTS:
            raise _RefusalError(_STATUS_FAULTS[kind])
        if kind in _REASON_FAULTS:
            raise _RefusalError(400, _REASON_FAULTS[kind], "SEP123456789ABC")
        if kind == "reason":
            raise _RefusalError(400, int((seen.fault and seen.fault.value) or 0))
        if kind == "bare_400":
            raise _RefusalError(400)

    def _refused(self, operation: str, refusal: _RefusalError) -> Reply:
        if refusal.status == 401:
            named = {"WWW-Authenticate": 'Basic realm="SIM"'}
            return Reply(401, b"", None, named if self.switches.www_authenticate else {})
        if refusal.status != 400 or refusal.reason is None:
            return Reply(refusal.status, b"", None)
        body: dict[str, Any] = {"reason": self._reason(operation, refusal.reason)}
        if self.switches.reason_form == "missing":
            body = {}
        if refusal.reason == 1:
            body["deviceName"] = refusal.device
        return Reply(400, json.dumps(body).encode())

    def _reason(self, operation: str, number: int) -> int | str:
        names = _NAMES.get(operation, _NAMES["stop"])
        match self.switches.reason_form:
            case "text":
                return str(number)
            case "name" if number < len(names):
                return names[number]
        return number

    def _do(self, asked: _Asked, seen: Seen) -> Reply:
        if seen.hit_by("junk"):
            return Reply(_success(asked.operation), b'"SIM: nothing anyone documents"')
        if seen.hit_by("empty"):
            return Reply(_success(asked.operation), b"[]" if asked.operation == "list" else b"")
        if seen.hit_by("swallow"):
            seen.facts["effect"] = "swallowed"
            made = {"id": str(uuid.uuid4())}
            return _json(made, 201) if asked.operation == "start" else Reply(204, b"", None)
        operations: Mapping[str, Callable[[_Asked], Reply | str]] = {
            "list": self._list,
            "start": self._start,
            "stop": self._stop,
            "stop_line": self._stop_line,
            "stop_mine": self._stop_mine,
            "recordings": self._completed,
            "recording": self._detail,
        }
        done = operations.get(asked.operation, self._change)(asked)
        if isinstance(done, Reply):
            seen.facts["effect"] = "started" if asked.operation == "start" else "read"
            return done
        seen.facts["effect"] = done
        return Reply(204, b"", None)

    # the live ones

    def _list(self, asked: _Asked) -> Reply:
        query, now = asked.query, self.clock.now()
        self._play(query.get("directoryNumber", ""))
        found = [
            one
            for one in self.state.listed(self.switches.linger)
            if query.get("directoryNumber", one.line.number) == one.line.number
            and ("deviceName" not in query or self._on(one, query["deviceName"]))
            and query.get("username", one.username) == one.username
            and query.get("numericUserId", one.numeric_id) == one.numeric_id
        ]
        form, hours = self.switches.started_at, self.switches.utc_offset
        return _json([active(one, now, form, hours) for one in found])

    def _play(self, number: str) -> None:
        """Begin a recording of a line, where every line is recorded."""
        if not self.switches.auto or not number:
            return
        now = self.clock.now()
        of_line = [one for one in self.state.recordings if one.line.number == number]
        if not any(one.stopped is None or now < one.stopped + 10 for one in of_line):
            self.state.record(number)

    def _on(self, one: Recording, device: str) -> bool:
        by_device = self.switches.dial_in_by_device or not one.manual_dial_in
        return by_device and one.line.device == device

    def _by_id(self, text: str) -> Recording:
        try:
            wanted = str(uuid.UUID(text))
        except ValueError:
            raise _RefusalError(400, 0) from None
        any_case = self.switches.id_case == "any"
        for one in self.state.live:
            if one.id == text or (any_case and one.id.lower() == wanted):
                return one
        raise _RefusalError(self.switches.unknown_id)

    def _end(self, recordings: list[Recording]) -> str:
        for one in recordings:
            if one.refusal is not None:
                raise _RefusalError(400, one.refusal, one.line.device)
        for one in recordings:
            self.state.stop(one)
        return f"stopped {', '.join(one.id for one in recordings)}"

    def _stop(self, asked: _Asked) -> str:
        return self._end([self._by_id(asked.id)])

    def _stop_line(self, asked: _Asked) -> str:
        keys = {"correct": ["directoryNumber"], "misspelt": ["directoryNumberr"]}
        known = keys.get(self.switches.number_key, ["directoryNumber", "directoryNumberr"])
        number = next((asked.query[key] for key in known if key in asked.query), None)
        device = asked.query.get("deviceName")
        if number is None and device is None:
            raise _RefusalError(400, 0)
        self._play(number or "")
        found = [
            one
            for one in self.state.live
            if (number is None or one.line.number == number)
            and (device is None or self._on(one, device))
        ]
        return self._end(self._meant(found))

    def _meant(self, found: list[Recording]) -> list[Recording]:
        several = self.switches.several_on_line
        if not found or (len(found) > 1 and several == "conflict"):
            raise _RefusalError(409)
        return found if several == "all" else found[:1]

    def _stop_mine(self, asked: _Asked) -> str:
        own = [one for one in self.state.live if one.line.number == asked.account.number]
        return self._end(self._meant(own))

    def _change(self, asked: _Asked) -> str:
        """Pause or resume."""
        verb, _, by_line = asked.operation.partition("_")
        pausing = verb == "pause"
        if by_line:
            number = asked.query.get("directoryNumber")
            if number is None:
                raise _RefusalError(400, 0)
            self._play(number)
            found = [one for one in self.state.live if one.line.number == number]
            if not found:
                raise _RefusalError(409)
        else:
            found = [self._by_id(asked.id)]
        if all(one.paused is pausing for one in found):
            raise _RefusalError(429)
        for one in found:
            if self.switches.pause_refuses and one.refusal is not None:
                raise _RefusalError(400, one.refusal, one.line.device)
            one.paused = pausing
        return f"{verb}d {', '.join(one.id for one in found)}"

    def _start(self, asked: _Asked) -> Reply:
        given = _document(asked.body)
        number, device = str(given.get("directoryNumber", "")), str(given.get("deviceName", ""))
        if not asked.body.strip() and self.switches.profile == "2025":
            number = asked.account.number
            if not number:
                raise _RefusalError(400, 3)
        if not number and not device:
            raise _RefusalError(400, 0)
        mode = given.get("mode", 0)
        if mode not in {0, 1}:
            raise _RefusalError(400, 2)
        line = self.state.line(number, device)
        if line is None and self.switches.auto:
            line = self.state.add_line(number, device)
        dial_in = mode == 1
        if line is None or not (line.monitorable or dial_in):
            raise _RefusalError(400, 1, device)
        if line.automatic or line.method is Method.SIPREC:
            raise _RefusalError(400, 4)
        if any(one.line is line for one in self.state.live):
            raise _RefusalError(429 if self.switches.profile == "2025" else 409)
        made = self.state.record(line.number, username=asked.account.name)
        return _json({"id": made.id}, 201)

    # the completed ones

    def _completed(self, asked: _Asked) -> Reply:
        try:
            return _json(page(self.state.completed, asked.query))
        except ValueError:
            raise _RefusalError(400) from None

    def _detail(self, asked: _Asked) -> Reply:
        found = (one for one in self.state.completed if one.id.lower() == asked.id.lower())
        one = next(found, None)
        return html(404, "Not Found") if one is None else _json(complete(one, detail=True))


def _document(body: bytes) -> Mapping[str, Any]:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        raise _RefusalError(400, 0) from None
    return found if isinstance(found, dict) else {}


def _success(operation: str) -> int:
    return {"list": 200, "recordings": 200, "recording": 200, "start": 201}.get(operation, 204)


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode())
