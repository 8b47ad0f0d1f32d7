# SPDX-License-Identifier: Apache-2.0
"""The app that `[api]` serves: the API, health, metrics and, where wanted, the page.

Each group of routes has its own module; who may use which is in `auth`.
"""

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from offrecord import __version__
from offrecord.assembly.service import DaemonService
from offrecord.config.sections.http import ApiConfig
from offrecord.status.health import Health
from offrecord.status.metrics import Metrics
from offrecord.web.api import calls, events, health, presses
from offrecord.web.api.auth import TokenAuth
from offrecord.web.api.body_limits import BodyLimits
from offrecord.web.api.problems import ProblemBody, handle
from offrecord.web.api.rate_limits import Rates
from offrecord.web.token_guessing import WrongTokens
from offrecord.web.tokens import Tokens

ABOUT: Final = """Stop, pause and resume call recordings, with proof.

Every answer about a press carries its `outcome`: go by it, and not by the HTTP status alone.
Errors are `application/problem+json` (RFC 9457) with a `fix` that says what to do.
"""


def create_app(
    service: DaemonService,
    tokens: Tokens,
    settings: ApiConfig,
    *,
    metrics: Metrics,
    healths: Health,
    rates: Rates | None = None,
    wrong_tokens: WrongTokens | None = None,
    ending: Callable[[], bool] = lambda: False,
    page: APIRouter | None = None,
) -> FastAPI:
    """Return the app.

    `rates` and `wrong_tokens` are given where the page counts with them, too. Event streams end
    when `ending` returns True: the daemon is about to end. `page` answers at `/`.
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
    auth = TokenAuth(
        tokens, rates or Rates(settings),
        wrong_tokens or WrongTokens(settings.failed_logins_per_minute), metrics.refused,
    )  # fmt: skip
    app.include_router(presses.router(service, auth))
    app.include_router(calls.router(service, auth))
    app.include_router(events.router(service, auth, settings.streams, ending))
    app.include_router(health.router(auth, healths, metrics, open_metrics=settings.open_metrics))
    if page is not None:
        app.include_router(page, include_in_schema=False)
    handle(app)
    app.add_middleware(BodyLimits, answered=metrics.answered)

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
