# SPDX-License-Identifier: Apache-2.0
"""The journal, a SQLite file: schema, hash chain, one writer, readers, copies.

Exported here is what a reader needs. The writing side is loaded by its own name:
`offrecord.journal.journal` has `Journal` and `Record`.
"""

from offrecord.journal.reader import PressSummary, StoredRecord, presses, show
from offrecord.journal.schema import JournalError

__all__ = ["JournalError", "PressSummary", "StoredRecord", "presses", "show"]
