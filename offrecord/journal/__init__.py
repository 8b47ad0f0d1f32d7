# SPDX-License-Identifier: Apache-2.0
"""The journal, a SQLite file: schema, hash chain, one writer, readers, copies."""

from offrecord.journal.journal import (
    Journal,
    JournalError,
    PressSummary,
    Record,
    StoredRecord,
    presses,
    show,
    utc_ms,
    utc_offset,
)

__all__ = [
    "Journal",
    "JournalError",
    "PressSummary",
    "Record",
    "StoredRecord",
    "presses",
    "show",
    "utc_ms",
    "utc_offset",
]
