# SPDX-License-Identifier: Apache-2.0
"""Observe a recorder besides its results: running tasks, log lines, secrets in what is shown."""

import asyncio
import logging
import re
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, quote_plus

from bridges.model import Recorder

SETTLE: Final = 1.0
"""Seconds that tasks and the vendor's own state are given to come to rest."""

_TICK: Final = 0.005
_DIGITS: Final = re.compile(
    r"(?<![0-9])(?<![0-9]\.)[2-6][0-9](?:[ -]?[0-9]){11,17}(?![0-9])(?!\.[0-9])"
)


class LogWatch(logging.Handler):
    """Everything that is logged while it is entered, every logger at DEBUG.

    Loggers that were given a level on purpose keep it.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self._before = logging.WARNING

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record as it would be written."""
        self.lines.append(f"{record.name}: {self.format(record)}")

    def __enter__(self) -> Self:
        """Add the handler to the root logger."""
        root = logging.getLogger()
        self._before = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the handler."""
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._before)


def leak(text: str, secrets: Iterable[str]) -> str | None:
    """Return what a text gives away, or None: one of the secrets, or a number of a card.

    Secrets are looked for in plain text, as in a URL, and as in Basic credentials. Any number that
    could be a card's counts.
    """
    for secret in secrets:
        if secret and any(form in text for form in _forms(secret)):
            return "a secret"
    for found in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if 13 <= len(digits) <= 19 and _luhn(digits):
            return "a number that could be a card's"
    return None


def _forms(secret: str) -> set[str]:
    forms = {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
    raw = secret.encode()
    for before in range(3):  # where it stands among other bytes decides how it is encoded
        whole = b64encode(b"\0" * before + raw).decode().rstrip("=")
        middle = whole[(0, 2, 3)[before] : len(whole) - bool((len(raw) + before) % 3)]
        if len(middle) >= 8:  # less is found by chance
            forms.add(middle)
    return forms


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def tasks() -> set["asyncio.Task[object]"]:
    """Return the tasks that run now, without the current one."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def tasks_of(recorder: Recorder) -> set["asyncio.Task[object]"]:
    """Return the running tasks whose code is in the module of a recorder's class."""
    file = getattr(sys.modules[type(recorder).__module__], "__file__", None)
    return {task for task in tasks() if file is not None and _file_of(task) == file}


def _file_of(task: "asyncio.Task[object]") -> str | None:
    code = getattr(task.get_coro(), "cr_code", None)
    return getattr(code, "co_filename", None)


async def settled(condition: Callable[[], bool]) -> bool:
    """Wait up to `SETTLE` seconds for a condition; return whether it holds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + SETTLE
    while not condition():
        if loop.time() > until:
            return False
        await asyncio.sleep(_TICK)
    return True


def told(error: BaseException) -> str:
    """Return all that an exception would show of itself in a log."""
    return "".join(traceback.format_exception(error)) + repr(error)
