# SPDX-License-Identifier: Apache-2.0
"""The paths of a simulated Imagicle node, and those by which a test arranges its state."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bridges.simulators.harness import Seen, SimClock, Simulator
from bridges.simulators.imagicle.state import ImagicleState, Level, Method, active, complete
from bridges.simulators.imagicle.switches import IMAGICLE_FAULTS, ImagicleSwitches

OPENAPI: Final = Path(__file__).parent / "openapi.json"
_API: Final = "/fw/Apps/Recorder/WebAPI"
_PLACES: Final = (
    ("live", "LiveRecordings"),
    ("mine", "LiveRecordings/Mine"),
    ("line", "LiveRecordings/(Pause|Resume)"),
    ("id", "LiveRecordings/([^/]+)"),
    ("change", "LiveRecordings/([^/]+)/(Pause|Resume)"),
    ("recordings", "Recordings"),
    ("recording", "Recordings/([^/]+)"),
)
_VERBS: Final = {
    ("live", "GET"): "list",
    ("live", "POST"): "start",
    ("live", "DELETE"): "stop_line",
    ("mine", "DELETE"): "stop_mine",
    ("id", "DELETE"): "stop",
    ("recordings", "GET"): "recordings",
    ("recording", "GET"): "recording",
}


class ImagicleRoutes(Simulator):
    """The operations of a node by path and method, and the control paths."""

    kind = "imagicle"
    faults_known = IMAGICLE_FAULTS
    switches: ImagicleSwitches

    def __init__(
        self,
        *,
        switches: ImagicleSwitches | None = None,
        clock: SimClock | None = None,
        state: ImagicleState | None = None,
    ) -> None:
        super().__init__(switches or ImagicleSwitches(), clock)
        self.state = state or ImagicleState(self.clock.now)

    def controls(self) -> list[BaseRoute]:
        """Return the endpoints for lines, recordings, accounts and the OpenAPI document."""
        return [
            Route("/lines", self._lines, methods=["GET", "POST"]),
            Route("/recordings", self._recordings, methods=["GET", "POST"]),
            Route("/recordings/{id}", self._recording, methods=["DELETE"]),
            Route("/accounts", self._accounts, methods=["POST"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
        ]

    # what is asked

    def operation(self, seen: Seen) -> str:
        """Return the operation by method and path, `other` for none."""
        return self.place(seen)[0]

    def place(self, seen: Seen) -> tuple[str, str]:
        """Return the operation and the id in the path."""
        flags = re.IGNORECASE if self.switches.path_case == "any" else 0
        for place, pattern in _PLACES:
            if place in {"mine", "line"} and not self._literals:
                continue
            found = re.fullmatch(f"{_API}/{pattern}/?", seen.path, flags)
            if found is None:
                continue
            groups = found.groups()
            if place in {"line", "change"} and seen.method == "PUT":
                verb = groups[-1].lower()
                return (f"{verb}_line", "") if place == "line" else (verb, groups[0])
            if (place, seen.method) in _VERBS:
                return _VERBS[place, seen.method], groups[0] if groups else ""
        return "other", ""

    @property
    def _literals(self) -> bool:
        return self.switches.literal_first and self.switches.profile == "2025"

    def masked(self, seen: Seen) -> tuple[Mapping[str, str], str]:
        """Return query and raw query, which hold no secret."""
        return seen.query, seen.raw_query

    # the control surface

    async def _lines(self, request: Request) -> Response:
        if request.method == "POST":
            asked = await request.json()
            asked["method"] = Method(asked.get("method", "built_in_bridge"))
            self.state.add_line(**asked)
        return JSONResponse([line.number for line in self.state.lines])

    async def _recordings(self, request: Request) -> Response:
        if request.method == "POST":
            self.state.record(**await request.json())
        now = self.clock.now()
        shown = [{**active(o, now, "zulu", 0), "line": o.line.number} for o in self.state.live]
        return JSONResponse(shown)

    async def _recording(self, request: Request) -> Response:
        wanted = request.path_params["id"].lower()
        for one in self.state.live:
            if one.id.lower() == wanted:
                self.state.stop(one)
                return JSONResponse(complete(one))
        return JSONResponse({"error": f"no live recording {wanted}"}, 404)

    async def _accounts(self, request: Request) -> Response:
        asked = await request.json()
        asked["level"] = Level[str(asked.get("level", "complete")).upper()]
        self.state.add_account(**asked)
        return JSONResponse(sorted(self.state.accounts))

    async def _openapi(self, _request: Request) -> Response:
        return Response(OPENAPI.read_bytes(), media_type="application/json")
