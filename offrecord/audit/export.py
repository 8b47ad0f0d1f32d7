# SPDX-License-Identifier: Apache-2.0
"""Records for other programs: JSON lines with every hash, and a table with a row a recorder.

Nothing that looks like a card number or stands under the key of a secret leaves the journal by
these ways; a line that was changed so says `redacted`, because its hash cannot be made from it.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from offrecord.audit.press_history import Asked, Pressed, by_press, iso, text
from offrecord.base.logs import Redactor
from offrecord.journal.reader import StoredRecord

_REDACTOR: Final = Redactor()

COLUMNS: Final = (
    "press", "pressed_at", "utc_offset_s", "verb", "way", "target", "channel", "agent",
    "agent_from", "call", "unique_ids", "extensions", "policy", "recorder", "recorder_kind",
    "outcome", "evidence", "detail", "tries", "press_to_answer_ms", "press_to_proof_ms",
    "exposed_ms", "verdict", "verdict_evidence", "told",
)  # fmt: skip

_OWN: Final = frozenset({"migrated", "sealed"})
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def clean(value: Any) -> Any:
    """Return a value of a body without what must not leave the journal."""
    return _REDACTOR.value(value)


def line(record: StoredRecord) -> dict[str, Any]:
    """Return one record as a line of the export.

    Its hash can be made anew from the line: `body` written without spaces, keys in their order,
    is the text that was hashed, unless the line says `redacted`.
    """
    # What the journal says of itself holds hashes, and nothing from outside.
    body = record.body if record.kind in _OWN else clean(record.body)
    made = {
        "seq": record.seq,
        "press": record.press,
        "at": record.at,
        "time": iso(record.at),
        "utc_offset": record.utc_offset,
        "kind": record.kind,
        "body": body,
        "prev": record.prev,
        "hash": record.hash,
    }
    return made if body == record.body else {**made, "redacted": True}


def jsonl(records: Iterable[StoredRecord]) -> Iterator[str]:
    """Yield records as JSON lines."""
    for record in records:
        yield json.dumps(line(record), ensure_ascii=False, separators=(",", ":")) + "\n"


def table(records: Iterable[StoredRecord]) -> Iterator[str]:
    """Yield CSV (RFC 4180): a row for each recorder that a press asked, one for a press of none."""
    yield _row(COLUMNS)
    for press in by_press(records):
        for asked in press.asked():
            yield _row(_cells(press, asked))
        if not press.asked():
            yield _row(_cells(press, None))


def _cells(press: Pressed, asked: Asked | None) -> list[str]:
    first = press.first.body
    cells: list[object] = [
        press.press, iso(press.at), press.first.utc_offset, press.verb, first.get("way"),
        first.get("target"), first.get("channel"), press.agent, press.agent_from, press.call,
        " ".join(press.unique_ids), " ".join(press.extensions), press.policy,
    ]  # fmt: skip
    if asked is None:
        cells += [None] * 9
    else:
        cells += [
            asked.recorder, asked.kind, asked.outcome, asked.evidence, asked.detail, asked.tries,
            asked.answered, asked.proven, asked.exposed,
        ]  # fmt: skip
    cells += [press.outcome or "open", press.evidence, press.said]
    return [safe(text(clean(cell))) for cell in cells]


def safe(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula.

    An apostrophe before it is what OWASP's page on CSV injection recommends
    (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _row(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
