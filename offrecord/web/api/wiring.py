# SPDX-License-Identifier: Apache-2.0
"""The API of one running daemon, tied to its parts: who hears what, and who is served what."""

from collections.abc import Callable

import structlog
from fastapi import APIRouter
from starlette.types import ASGIApp

from offrecord.assembly.service import DaemonService
from offrecord.config.sections.http import ApiConfig
from offrecord.journal.journal import Record
from offrecord.status.health import Health
from offrecord.status.metrics import Metrics
from offrecord.web.api.app import create_app
from offrecord.web.api.rate_limits import Rates
from offrecord.web.tokens import Tokens

_log = structlog.stdlib.get_logger(__name__)


def attach(
    inside: DaemonService, settings: ApiConfig, ending: Callable[[], bool], *, secure: bool
) -> ASGIApp:
    """Return the app of a daemon. `inside` must be open already; `secure` says that TLS is spoken.

    Call it before the first press is taken: what happened before is not counted.
    """
    tokens, rates = Tokens(settings.tokens), Rates(settings)
    metrics, health = Metrics(inside), Health(inside.parts)
    hear(inside, metrics.heard, health.heard)
    return create_app(
        inside, tokens, settings, metrics=metrics, health=health, rates=rates, ending=ending,
        page=_page(inside, tokens, rates, ending, secure=secure) if settings.page else None,
    )  # fmt: skip


def hear(inside: DaemonService, *others: Callable[[Record], None]) -> None:
    """Have others told of every record of the journal too, after whoever is told already.

    What one of them raises is logged and harms no press.
    """
    engine = inside.parts.engine
    first = engine.heard

    def heard(record: Record) -> None:
        first(record)
        for other in others:
            try:
                other(record)
            except Exception:  # noqa: BLE001 - a figure that is wrong must not fail a press
                _log.exception("metrics_broke", kind=record.kind)

    engine.heard = heard


def _page(
    inside: DaemonService, tokens: Tokens, rates: Rates, ending: Callable[[], bool], *, secure: bool
) -> APIRouter:
    from offrecord.web.page import router

    return router(inside, tokens, secure=secure, ending=ending, often=rates.press)
