# SPDX-License-Identifier: Apache-2.0
"""Logging: one event name and key=value fields a line, on a console or as JSON.

Lines about a call carry `call` (its linkedid) and `press`, bound as structlog's context variables.
Log records of libraries are formatted the same way. Known secrets and everything that looks like a
card number are masked, and control characters are escaped: a caller's name is not trusted.
"""

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog

from offrecord.base.secrets import MASK, Secret

CARD: Final = "[digits]"
"""Replaces 12 to 19 digits in a log."""

NOISY: Final = (
    "httpx", "httpcore", "panoramisk", "uvicorn", "uvicorn.error", "asyncio", "websockets",
)  # fmt: skip
"""Libraries logged from WARNING up. httpx would log each URL with its query at INFO,
websockets each header at DEBUG."""

SILENT: Final = ("uvicorn.access",)
"""Logged from CRITICAL up: an access line holds a URL with its query."""

_SECRET_KEY = re.compile(
    r"(^|_)(secret|passw(or)?d|passphrase|token|api_?key|hash|authorization|private_key)$",
    re.IGNORECASE,
)

# Cards have 12 to 19 digits, printed in a row or in fours (American Express: 4-6-5). Other groups
# are left alone, because `4100-00000002` is the end of a channel name. None of 13 digits begins
# with 1, and a time in milliseconds does until the year 2033. A uniqueid never has 12 in a row.
_CARD = re.compile(
    r"(?<!\d)(?:(?!1\d{12}(?!\d))\d{12,19}"
    r"|\d{4}([ -])\d{4}\1\d{4}\1\d{1,7}"
    r"|\d{4}([ -])\d{6}\2\d{5})(?!\d)"
)

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""All control characters but the tab, which tracebacks need and both renderers quote or escape."""

_MANY_LINES: Final = frozenset({"exception", "stack"})

_MIN_SECRET = 4
"""Characters. Shorter secrets are masked under their key only: any text may contain them."""

Event = MutableMapping[str, Any]


class Redactor:
    """Masks secrets and card digits in everything that is logged.

    Add each secret in use by `add`; its text is masked in every line from then on.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Mask this secret from now on."""
        text = secret.reveal()
        if len(text) >= _MIN_SECRET:
            self._secrets.add(text)
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """Return `text` with secrets and card digits masked and control characters escaped."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = _CARD.sub(CARD, text)
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)

    def value(self, value: Any) -> Any:
        """Return any value masked as by `text`; mappings and lists item by item."""
        cleaned: Any = value
        if isinstance(value, int) and not isinstance(value, bool):
            cleaned = CARD if _CARD.search(str(value)) else value
        elif isinstance(value, Secret):
            cleaned = MASK
        elif isinstance(value, Mapping):
            cleaned = {self.text(str(key)): self._of(str(key), item) for key, item in value.items()}
        elif isinstance(value, list | tuple | set | frozenset):
            cleaned = [self.value(item) for item in value]
        elif not isinstance(value, bool | float | None):
            cleaned = self.text(str(value))
        return cleaned

    def _of(self, key: str, value: Any) -> Any:
        if value is not None and _SECRET_KEY.search(key):
            return MASK
        if key in _MANY_LINES and isinstance(value, str):
            return "\n".join(map(self.text, value.split("\n")))
        return self.value(value)

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        """Mask one event, as a processor of structlog."""
        return {
            key: value if key.startswith("_") else self._of(key, value)
            for key, value in event.items()
        }


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["auto", "console", "json"] = "auto",  # noqa: A002 - the configuration's key
    *,
    secrets: Iterable[Secret] = (),
    stream: TextIO | None = None,
) -> None:
    """Set up logging of the whole process. May be called again, for example after SIGHUP.

    `secrets` are masked in every line. `stream` defaults to standard error. `auto` is `console`
    on a terminal, else `json`.
    """
    redactor = Redactor(secrets)
    out = stream if stream is not None else sys.stderr
    console = format == "console" or (format == "auto" and out.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(),
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,
        )
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                redactor,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if getattr(old, "offrecord", False):
            root.removeHandler(old)
    handler.offrecord = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
