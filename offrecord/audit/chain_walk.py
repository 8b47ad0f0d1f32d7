# SPDX-License-Identifier: Apache-2.0
"""Walks along a chain of records and names the first place where it is broken. Pure.

Every record is checked together with its successor: a record that was changed together with its
own hash is only found by the `prev` of the next one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from offrecord.journal.hash_chain import GENESIS, Link, digest

What = Literal["edited", "missing", "moved", "inserted", "unreadable", "unguarded", "unexpected"]
"""The kinds of breaks; `docs/audit.md` explains each."""


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold.

    `seq` is the number of the record, `press`, `at` and `kind` are its present fields; None if
    there is no such record. `at` is milliseconds since the epoch, UTC.
    """

    seq: int | None
    what: What
    detail: str
    press: str | None = None
    at: int | None = None
    kind: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the break as `--json` prints it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Anchor:
    """Number and hash of the last record, noted in the same commit as the record."""

    seq: int
    hash: str


class Range(NamedTuple):
    """Consecutive records: numbers, hash of the record before the first, hash of the last."""

    first: int
    last: int
    prev: str
    hash: str


Gap = Callable[[int, int], Iterable[Link | Range | Break]]
"""Takes the first and last number of a gap; returns what fills it, in order: records found in an
archive, ranges that may be skipped, or a break."""


def nothing(first: int, last: int) -> Iterator[Break]:
    """Yield the break of a gap that nothing explains."""
    which = f"record {first} is" if first == last else f"records {first} to {last} are"
    yield Break(first, "missing", f"{which} missing")


@dataclass(slots=True)
class Walk:
    """One walk along a chain.

    gap: explains missing numbers.
    expected: a hash that one of the records must have.
    first: the number of the first record.
    start: the hash of the record before that.
    broken: the first break, None if there is none.
    count: how many records were intact.
    met: whether `expected` was found.
    elsewhere: how many of the intact records came from `gap`.
    """

    gap: Gap = nothing
    expected: str | None = None
    first: int = 1
    start: str = GENESIS
    broken: Break | None = None
    count: int = 0
    met: bool = False
    elsewhere: int = 0
    _before: Link | None = None
    _head: str = GENESIS
    _next: int = 1
    _anchor: Anchor | None = None

    @property
    def last(self) -> Anchor:
        """The last intact record so far."""
        return Anchor(self._next - 1, self._head)

    def along(self, links: Iterable[Link], anchor: Anchor | None) -> Break | None:
        """Walk along records in the order of the file up to the anchor; return the first break."""
        self._anchor = anchor
        self._head, self._next = self.start, self.first
        found = iter(links)
        link = next(found, None)
        while link is not None and self.broken is None:
            after = next(found, None)
            self._step(link, after.prev if after else anchor.hash if anchor else None)
            link = after
        if self.broken is None:
            self._end(anchor)
        return self.broken

    def _step(self, link: Link, remembered: str | None) -> None:
        """Check one record; `remembered` is the `prev` of the next one, or the anchor's hash."""
        if not _typed(link):
            self._break(link, "edited", "a field is not of its type any more")
            return
        if link.seq < self._next:
            self._break(link, "inserted", f"record {link.seq} is there where {self._next} belongs")
            return
        if link.seq > self._next:
            self._across(self._next, link.seq - 1)
            if self.broken is not None:
                return
        whole = digest(*link[:7]) == link.hash
        beyond = self._anchor is not None and link.seq > self._anchor.seq
        if whole and link.prev == self._head and not beyond:
            self._take(link)
        elif whole and beyond:
            self._late(link)
        elif whole:
            self._fork(link, remembered)
        else:
            self._changed(link)

    def _across(self, first: int, last: int) -> None:
        """Continue over numbers that are not in the file."""
        for item in self.gap(first, last):
            if isinstance(item, Break):
                self.broken = item
            elif isinstance(item, Range):
                self._skip(item)
            elif item.seq != self._next:
                self.broken = next(nothing(self._next, item.seq - 1))
            elif item.prev != self._head or digest(*item[:7]) != item.hash:
                self._break(item, "edited", "the one in the archive does not follow")
            else:
                self._take(item)
                self.elsewhere += 1
            if self.broken is not None:
                return
        self._before = None
        if self._next <= last:
            self.broken = next(nothing(self._next, last))

    def _skip(self, span: Range) -> None:
        if span.first != self._next or span.prev != self._head:
            self.broken = Break(self._next, "missing", "what was sealed does not follow here")
            return
        self._head, self._next = span.hash, span.last + 1
        self.met = self.met or self._head == self.expected

    def _take(self, link: Link) -> None:
        self._before, self._head, self._next = link, link.hash, link.seq + 1
        self.count += 1
        self.met = self.met or link.hash == self.expected

    def _fork(self, link: Link, remembered: str | None) -> None:
        """Record the break of an intact record that does not follow the previous one."""
        before = self._before
        if remembered != link.hash:
            self._break(link, "edited", "it was changed together with its hash")
        elif before is None:
            detail = f"record {link.seq} follows one that is not there"
            self.broken = Break(link.seq - 1, "missing", detail)
        else:
            self._break(
                before, "edited",
                f"record {link.seq} remembers another one: it was changed together with its hash",
            )  # fmt: skip

    def _late(self, link: Link) -> None:
        assert self._anchor is not None
        self._break(link, "inserted", f"the last one written was number {self._anchor.seq}")

    def _changed(self, link: Link) -> None:
        """Record the break of a record whose hash does not fit its fields."""
        before, last = self._before, self._anchor.seq if self._anchor else link.seq
        was = next((n for n in range(1, last + 1) if digest(n, *link[1:7]) == link.hash), None)
        if was is None and link.seq > last:
            self._late(link)
        elif was is None:
            self._break(link, "edited", "it does not say what it said when it was written")
        elif before is not None and was == before.seq and link.prev == before.prev:
            self._break(before, "inserted", "the record after it had its number")
        else:
            self._break(link, "moved", f"it is the record that was numbered {was}")

    def _end(self, anchor: Anchor | None) -> None:
        if anchor is None:
            self.broken = Break(None, "unguarded", "the anchor of the last record is missing")
            return
        if anchor.seq >= self._next:
            self._across(self._next, anchor.seq)
        if self.broken is not None:
            return
        if anchor.hash != self._head:
            detail = "it is not the one that the anchor remembers: it or the anchor was changed"
            if self._before is not None:
                self._break(self._before, "edited", detail)
            else:
                self.broken = Break(anchor.seq, "unguarded", "the anchor was changed")
        elif self.expected is not None and not self.met:
            self.broken = Break(
                None, "unexpected", f"no record has the hash {self.expected} that was noted"
            )

    def _break(self, link: Link, what: What, detail: str) -> None:
        shown: tuple[Any, ...] = link
        press, kind = (text if isinstance(text, str) else None for text in (shown[1], shown[4]))
        self.broken = Break(
            link.seq, what, detail, press, shown[2] if isinstance(shown[2], int) else None, kind
        )


def _typed(link: tuple[Any, ...]) -> bool:
    """Return whether every field has its type; in a file that was changed it may be any other."""
    seq, press, at, offset, kind, body, prev, own = link
    return (
        type(seq) is type(at) is int
        and (offset is None or type(offset) is int)
        and type(press) is type(kind) is type(body) is type(prev) is type(own) is str
    )


def runs(links: Iterable[Link]) -> Iterator[list[Link]]:
    """Yield runs of records with consecutive numbers."""
    run: list[Link] = []
    for link in links:
        if run and link.seq != run[-1].seq + 1:
            yield run
            run = []
        run.append(link)
    if run:
        yield run
