# SPDX-License-Identifier: Apache-2.0
"""The state of each part of the daemon, a line each, as `/readyz` shows it.

The address itself is in `offrecord.web.api.health`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ami.link.supervisor import LinkState
from bridges.model import Outcome
from offrecord.journal.journal import Record
from offrecord.status.sources import Sources

_BAD = frozenset({Outcome.FAILED.value})


@dataclass(frozen=True, slots=True)
class Component:
    """One part. With `counts` the daemon is ready only while this part is `ok`.

    `name` and `state` hold nothing secret; `title` and `detail` are for a client with a token.
    """

    name: str
    ok: bool
    counts: bool
    state: str
    title: str = ""
    detail: str = ""

    def line(self, *, detailed: bool) -> str:
        """Return the line that is shown of the part."""
        if not detailed:
            return f"{self.name}: {self.state}"
        more = f" ({self.detail})" if self.detail else ""
        return f"{self.title or self.name}: {self.state}{more}"


class Health:
    """Reads the state of a daemon's parts when asked. `now` returns seconds since the epoch.

    It subscribes to the records of the journal: the last answer of each recorder is kept.
    """

    def __init__(self, sources: Sources, now: Callable[[], float] = time.time) -> None:
        self._sources = sources
        self._now = now
        self._last: dict[str, tuple[str, int]] = {}
        sources.feed.subscribe(self.on_record)

    def on_record(self, record: Record) -> None:
        """Take one record of the journal: the last answer of each recorder is kept."""
        for result in results(record):
            self._last[str(result.get("recorder"))] = (str(result.get("outcome")), record.at)

    def components(self) -> list[Component]:
        """Return the present state of each part."""
        link, trouble = self._sources.pbx.link, self._sources.journal.trouble
        up, known = link.state is LinkState.UP, self._sources.pbx.graph.known
        listens = self._sources.fastagi.listening
        pbx, problem = self._sources.pbx, str(link.problem) if link.problem is not None else ""
        return [
            Component("pbx link", up, True, "up" if up else "down", detail=problem),
            Component("calls", known, True, "known" if known else "not known",
                      detail=pbx.lacks),
            Component("journal", trouble is None, True, "ok" if trouble is None else "not written",
                      detail=str(trouble or "")),
            Component("fastagi", listens, True, "listening" if listens else "closed"),
            *self._recorders(),
        ]  # fmt: skip

    def _recorders(self) -> Iterator[Component]:
        for number, name in enumerate(sorted(self._sources.site.settings.recorders), 1):
            outcome, at = self._last.get(name, ("", 0))
            state = "failed" if outcome in _BAD else "ok" if outcome else "not asked yet"
            ago = f"{outcome} {max(0, round(self._now() - at / 1000))} s ago" if outcome else ""
            yield Component(
                f"recorder {number}", outcome not in _BAD, False, state, f"recorder {name}", ago
            )


def results(record: Record) -> list[Mapping[str, Any]]:
    """Return the answers of recorders that a record holds."""
    if record.kind in {"answered", "retried"}:
        return [record.body]
    if record.kind in {"reapplied", "fallback"}:
        return list(record.body.get("results", ()))
    return []
