# SPDX-License-Identifier: Apache-2.0
"""The report of one call on one page: verdicts, recorders, recordings, time line, proof.

The page is a single HTML file that loads nothing and prints on A4. Longer lists are cut, and the
page says by how much; the export as JSON lines is complete.
"""

import functools
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from offrecord import __version__
from offrecord.audit.export import clean
from offrecord.audit.press_history import Pressed, by_press, iso, text
from offrecord.audit.verify import Proof
from offrecord.audit.waveform import Picture
from offrecord.journal.reader import StoredRecord

PRESSES: Final = 5
ASKED: Final = 8
LINES: Final = 18
PICTURES: Final = 2
"""The most rows of each table, and the most pictures, for which one page of A4 has room."""

_LONG: Final = 110
"""Characters of a cell."""

_TOLD: Final = (
    "verb", "way", "of", "recorder", "call", "agent", "outcome", "evidence", "why", "what",
    "action", "channel", "file", "text", "detail", "took_ms",
)  # fmt: skip
"""The keys of a record's body that the time line shows, in their order."""


def page(
    call: str,
    records: Sequence[StoredRecord],
    proof: Proof,
    pictures: Sequence[Picture] = (),
    *,
    now: int | None = None,
) -> str:
    """Return the report of a call as HTML; `now` is milliseconds since the epoch, UTC."""
    found = list(by_press(records))
    return _template().render(
        call=call,
        calls=_unlike(press.call for press in found if press.call),
        unique_ids=_unlike(one for press in found for one in press.unique_ids),
        extensions=_unlike(one for press in found for one in press.extensions),
        made=time.time_ns() // 1_000_000 if now is None else now,
        version=__version__,
        presses=found,
        asked=[(press, one) for press in found for one in press.asked()],
        pictures=pictures,
        records=records,
        proof=proof,
    )


@functools.cache
def _template() -> Template:
    made = Environment(
        loader=PackageLoader("offrecord.audit"), autoescape=True, undefined=StrictUndefined,
        keep_trailing_newline=True,
    )  # fmt: skip
    made.filters |= {
        "iso": iso, "masked": _masked, "milliseconds": _milliseconds, "presser": _presser,
        "summary": _summary,
    }  # fmt: skip
    made.globals |= {"PRESSES": PRESSES, "ASKED": ASKED, "LINES": LINES, "PICTURES": PICTURES}
    return made.get_template("report.html")


def _unlike(found: Iterable[str]) -> list[str]:
    """Return texts in their order, each once."""
    return list(dict.fromkeys(found))


def _masked(value: Any, longest: int = _LONG) -> str:
    """Return a value as text without secrets and card numbers, cut to `longest` characters."""
    shown = text(clean(value))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _presser(press: Pressed) -> str:
    """Return how the agent was derived, and the channel."""
    return f"{press.agent_from} {text(press.first.body.get('channel'))}"


def _summary(record: StoredRecord) -> str:
    body = clean(record.body)
    return ", ".join(f"{key} {text(body[key])}" for key in _TOLD if body.get(key) not in (None, ""))


def _milliseconds(value: int | None) -> str:
    return "-" if value is None else f"{value} ms"
