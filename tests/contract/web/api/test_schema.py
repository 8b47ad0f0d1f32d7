# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document keeps its word: schemathesis asks what it allows, and what it does not."""

import asyncio
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS, load_all_checks

from bridges.model import Evidence, Outcome
from offrecord.web.api.schemas import STATUS
from tests.kits.api_kit import Api, api
from tests.kits.lifecycle_kit import FakeRecorder
from tests.kits.waiting import patience

load_all_checks()
TRIED = CHECKS.get_by_names(
    ["status_code_conformance", "content_type_conformance", "response_headers_conformance",
     "response_schema_conformance", "negative_data_rejection", "positive_data_acceptance",
     "missing_required_header", "unsupported_method", "ignored_auth"]
)  # fmt: skip
"""All that are about one request but `not_a_server_error`: a press that failed is answered 502."""

ALLOWED = {
    ("GET", "/v1/calls"), ("GET", "/v1/explain"), ("GET", "/v1/status"), ("GET", "/v1/presses"),
    ("GET", "/v1/presses/{press}"), ("POST", "/v1/presses"), ("POST", "/v1/presses/{press}/ack"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"),
}  # fmt: skip
"""What is tried. `/v1/events` never ends: its tests are in test_api_events."""


def attack(here: Api) -> set[tuple[str, str]]:
    """Try every operation; return those that were tried."""
    document = schemathesis.openapi.from_url(f"{here.url}/openapi.json")
    tried = set()
    for found in document.exclude(path="/v1/events").get_all_operations():
        operation = found.ok()
        tried.add((operation.method.upper(), operation.path))
        for mode in schemathesis.GenerationMode:
            case_of = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=6,
                derandomize=True,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=case_of)
            def check(case: Any) -> None:
                answer = case.call(headers=here.bearer("everything"), timeout=patience())
                case.validate_response(answer, checks=TRIED, headers=here.bearer("everything"))
                if answer.status_code >= 500 and case.path != "/readyz":
                    assert answer.json()["outcome"] == Outcome.FAILED.value

            try:
                check()
            except Unsatisfiable:  # it takes nothing that could be wrong
                assert mode.is_negative
                assert not operation.body
                assert not operation.query
                assert not operation.path_parameters
    return tried


async def test_what_the_document_allows_is_answered_as_it_says(tmp_path: Path) -> None:
    plenty = [(f"{what}_per_minute", 100_000) for what in ("requests", "presses", "failed_logins")]
    recorder = FakeRecorder("cloud", Outcome.FAILED, Evidence.SENT)
    async with api(tmp_path, recorder, settings=plenty) as here:
        assert await asyncio.to_thread(attack, here) == ALLOWED


async def test_the_document_tells_every_status_of_a_press_and_describes_itself(
    tmp_path: Path,
) -> None:
    async with api(tmp_path) as here:
        document = (await here.get("/openapi.json", None)).json()
        told = {int(code) for code in document["paths"]["/v1/presses"]["post"]["responses"]}

        assert {*STATUS.values()} < told
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                assert operation["summary"], (method, path)
                assert operation["description"], (method, path)
                for parameter in operation.get("parameters", ()):
                    assert parameter["description"], (method, path, parameter["name"])
        assert "examples" in document["components"]["schemas"]["PressRequest"]
        assert "://" not in str(document["paths"])
