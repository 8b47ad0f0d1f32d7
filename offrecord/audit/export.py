# SPDX-License-Identifier: Apache-2.0
"""Exports records as JSON lines with every hash, and as a table with one row per recorder.

Everything that looks like a card number or has the key of a secret is masked. A line that was
masked says `redacted`: its hash cannot be computed from it.
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

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def clean(value: Any) -> Any:
    """Return a value of a body with card numbers and secrets masked."""
    return _REDACTOR.value(value)


def line(record: StoredRecord) -> dict[str, Any]:
    """Return one record as a line of the export.

    Its hash can be computed from the line: the hashed text is `body` written without spaces, keys
    in their order, unless the line says `redacted`.
    """
    # `sealed` records hold hashes, which a mask would destroy, and nothing from outside.
    body = record.body if record.kind == "sealed" else clean(record.body)
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
    """Yield CSV (RFC 4180): one row per press and recorder, one for a press without recorders."""
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
    """Return a cell that no spreadsheet interprets as a formula.

    An apostrophe before it is what OWASP's page on CSV injection recommends
    (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _row(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
