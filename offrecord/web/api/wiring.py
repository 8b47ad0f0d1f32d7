# SPDX-License-Identifier: Apache-2.0
"""Builds the app from a running daemon: tokens, counters, metrics, health, the page."""

from collections.abc import Callable

from starlette.types import ASGIApp

from offrecord.assembly.service import DaemonService
from offrecord.config.sections.http import ApiConfig
from offrecord.status.health import Health
from offrecord.status.metrics import Metrics
from offrecord.web.api.app import create_app
from offrecord.web.api.rate_limits import Rates
from offrecord.web.token_guessing import WrongTokens
from offrecord.web.tokens import Tokens


def attach(
    service: DaemonService, settings: ApiConfig, ending: Callable[[], bool], *, secure: bool
) -> ASGIApp:
    """Return the app of a daemon. `secure`: it is served over TLS.

    Call it before the first press is taken: earlier presses are not counted.
    """
    tokens, rates = Tokens(settings.tokens), Rates(settings)
    wrong_tokens = WrongTokens(settings.failed_logins_per_minute)
    metrics, health = Metrics(service.components), Health(service.components)
    page = None
    if settings.page:
        from offrecord.web.page import router

        page = router(
            service, tokens, wrong_tokens, secure=secure, ending=ending, often=rates.press
        )
    return create_app(
        service, tokens, settings, metrics=metrics, healths=health, rates=rates,
        wrong_tokens=wrong_tokens, ending=ending, page=page,
    )  # fmt: skip
