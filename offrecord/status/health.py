# SPDX-License-Identifier: Apache-2.0
"""How each part of the daemon is, in a line: for `/readyz`."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ami.link.supervisor import LinkState
from bridges.model import Outcome
from offrecord.assembly.components import Components
from offrecord.journal.journal import Record

_BAD = frozenset({Outcome.FAILED.value})


@dataclass(frozen=True, slots=True)
class Component:
    """One part. `counts` says whether the daemon is ready only when this is `ok`.

    `name` and `state` tell a stranger nothing; `title` and `detail` are for who may know.
    """

    name: str
    ok: bool
    counts: bool
    state: str
    title: str = ""
    detail: str = ""

    def line(self, *, detailed: bool) -> str:
        """Return the line that is shown of it."""
        if not detailed:
            return f"{self.name}: {self.state}"
        more = f" ({self.detail})" if self.detail else ""
        return f"{self.title or self.name}: {self.state}{more}"


class Health:
    """Looks at the parts of a daemon when asked. `heard` is to be told of every record.

    `now` is seconds since the epoch.
    """

    def __init__(self, parts: Components, now: Callable[[], float] = time.time) -> None:
        self._parts = parts
        self._now = now
        self._last: dict[str, tuple[str, int]] = {}

    def heard(self, record: Record) -> None:
        """Take one record of the journal: what recorders answered last is kept."""
        for result in results(record):
            self._last[str(result.get("recorder"))] = (str(result.get("outcome")), record.at)

    def components(self) -> list[Component]:
        """Return how each part is now."""
        link, trouble = self._parts.pbx.link, self._parts.journal.trouble
        up, known = link.state is LinkState.UP, self._parts.pbx.graph.known
        listens = self._parts.fastagi.listening
        problem = str(link.problem) if link.problem is not None else ""
        return [
            Component("pbx link", up, True, "up" if up else "down", detail=problem),
            Component("calls", known, True, "known" if known else "not known"),
            Component("journal", trouble is None, True, "ok" if trouble is None else "not written",
                      detail=str(trouble or "")),
            Component("fastagi", listens, True, "listening" if listens else "closed"),
            *self._recorders(),
        ]  # fmt: skip

    def _recorders(self) -> Iterator[Component]:
        for number, name in enumerate(sorted(self._parts.engine.site.recorders), 1):
            outcome, at = self._last.get(name, ("", 0))
            state = "failed" if outcome in _BAD else "ok" if outcome else "not asked yet"
            ago = f"{outcome} {max(0, round(self._now() - at / 1000))} s ago" if outcome else ""
            yield Component(
                f"recorder {number}", outcome not in _BAD, False, state, f"recorder {name}", ago
            )


def results(record: Record) -> list[Mapping[str, Any]]:
    """Return what recorders answered, as far as a record tells of it."""
    if record.kind in {"answered", "retried"}:
        return [record.body]
    if record.kind in {"reapplied", "fallback"}:
        return list(record.body.get("results", ()))
    return []
