# SPDX-License-Identifier: Apache-2.0
"""The state of each part of the daemon, a line each, as `/readyz` shows it.

The address itself is in `offrecord.web.api.health`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agi.server import FastAgiServer
from ami.link.supervisor import LinkState
from ami.pbx import Pbx
from bridges.model import Outcome, Recorder
from offrecord.journal.journal import Journal, Record

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


class Parts(Protocol):
    """The parts of a daemon that health and metrics are both asked of."""

    @property
    def pbx(self) -> Pbx:
        """The PBX: its link, its calls, what was lost."""

    @property
    def journal(self) -> Journal:
        """The journal: whether records reach the disk, and how many wait."""


class HealthParts(Parts, Protocol):
    """The parts of a daemon whose health is shown."""

    @property
    def fastagi(self) -> FastAgiServer:
        """The FastAGI server: whether it listens."""

    @property
    def recorders(self) -> Mapping[str, Recorder]:
        """The recorders by name."""


class Health:
    """Looks at the parts of a daemon when asked. `heard` must be called with every record.

    `now` returns seconds since the epoch.
    """

    def __init__(self, parts: HealthParts, now: Callable[[], float] = time.time) -> None:
        self._parts = parts
        self._now = now
        self._last: dict[str, tuple[str, int]] = {}

    def heard(self, record: Record) -> None:
        """Take one record of the journal: the last answer of each recorder is kept."""
        for result in results(record):
            self._last[str(result.get("recorder"))] = (str(result.get("outcome")), record.at)

    def components(self) -> list[Component]:
        """Return the present state of each part."""
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
        for number, name in enumerate(sorted(self._parts.recorders), 1):
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
