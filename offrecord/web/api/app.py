# SPDX-License-Identifier: Apache-2.0
"""The app that `[api]` has served: the API, health, metrics and, when it is wanted, the page."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from offrecord import __version__
from offrecord.assembly.service import DaemonService
from offrecord.config.sections.http import ApiConfig
from offrecord.status.health import Health
from offrecord.status.metrics import Metrics
from offrecord.web.api import calls as looking
from offrecord.web.api import health as watching
from offrecord.web.api import presses, request_limits
from offrecord.web.api.auth import TokenAuth
from offrecord.web.api.problems import ProblemBody, handle
from offrecord.web.api.rate_limits import Rates
from offrecord.web.tokens import Tokens

ABOUT: Final = """Stop, pause and resume call recordings, with proof.

Every answer about a press carries its `outcome`: go by it, and not by the HTTP status alone.
Errors are `application/problem+json` (RFC 9457) with a `fix` that says what to do.
"""


def create_app(
    inside: DaemonService,
    tokens: Tokens,
    settings: ApiConfig,
    *,
    metrics: Metrics,
    health: Health,
    rates: Rates | None = None,
    ending: Callable[[], bool] = lambda: False,
    page: APIRouter | None = None,
) -> FastAPI:
    """Return the app. `metrics` and `health` are to be told of every record of the journal.

    Event streams end once `ending` says that the daemon does. `page` answers at `/`, and may count
    by the same `rates`.
    """
    app = FastAPI(
        title="offrecord",
        version=__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        separate_input_output_schemas=False,
    )
    door = TokenAuth(tokens, rates or Rates(settings), metrics.refused)
    app.include_router(presses.router(inside, door))
    app.include_router(looking.router(inside, door, settings.streams, ending))
    app.include_router(watching.router(door, health, metrics, open_metrics=settings.open_metrics))
    if page is not None:
        app.include_router(page, include_in_schema=False)
    handle(app)
    app.add_middleware(request_limits.Guard, answered=metrics.answered)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description,
                routes=app.routes,
            )  # fmt: skip
            schema = ProblemBody.model_json_schema()
            made.setdefault("components", {}).setdefault("schemas", {})["ProblemBody"] = schema
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app
