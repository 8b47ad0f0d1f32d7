# SPDX-License-Identifier: Apache-2.0
"""Intents as the daemon that starts next reads them from the journal."""

from collections.abc import Iterable, Mapping
from typing import Any

from offrecord.model.intents import Intent, Intents, read
from offrecord.recovery.unfinished import open_intents


def live_after(records: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Intent]:
    """Return the intents that are live after these records, given as (kind, body) in order."""
    numbered = [(kind, number, body) for number, (kind, body) in enumerate(records)]
    return [read(one.body) for one in open_intents({"p": numbered})]


def strongest(intents: Intents, ids: Iterable[str]) -> Intent | None:
    """Return the strongest intent of a call, the latest of equals; None when it has none."""
    return next(iter(intents.all_of(ids)), None)
