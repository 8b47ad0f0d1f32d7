# SPDX-License-Identifier: Apache-2.0
"""Builds the app from a running daemon: tokens, counters, metrics, health, the page."""

from collections.abc import Callable

import structlog
from starlette.types import ASGIApp

from offrecord.assembly.service import DaemonService
from offrecord.config.sections.http import ApiConfig
from offrecord.journal.journal import Record
from offrecord.status.health import Health
from offrecord.status.metrics import Metrics
from offrecord.web.api.app import create_app
from offrecord.web.api.rate_limits import Rates
from offrecord.web.token_guessing import WrongTokens
from offrecord.web.tokens import Tokens

_log = structlog.stdlib.get_logger(__name__)


def attach(
    service: DaemonService, settings: ApiConfig, ending: Callable[[], bool], *, secure: bool
) -> ASGIApp:
    """Return the app of a daemon whose `service` is open. `secure`: it is served over TLS.

    Call it before the first press is taken: earlier presses are not counted.
    """
    tokens, rates = Tokens(settings.tokens), Rates(settings)
    wrong_tokens = WrongTokens(settings.failed_logins_per_minute)
    metrics, health = Metrics(service.parts, service.feed), Health(service.parts)
    hear(service, metrics.heard, health.heard)
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


def hear(service: DaemonService, *others: Callable[[Record], None]) -> None:
    """Call `others` with every record of the journal, after the subscribers there are.

    An exception in one of them is logged and otherwise ignored.
    """
    engine = service.parts.engine
    first = engine.heard

    def heard(record: Record) -> None:
        first(record)
        for other in others:
            try:
                other(record)
            except Exception:  # noqa: BLE001 - a figure that is wrong must not fail a press
                _log.exception("metrics_broke", kind=record.kind)

    engine.heard = heard
