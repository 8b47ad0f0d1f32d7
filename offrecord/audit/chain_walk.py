# SPDX-License-Identifier: Apache-2.0
"""Walking along a chain of records and naming the first place where it is broken. Pure.

Every record is looked at with the one after it, because a record that was changed together with
its own hash is only betrayed by what its successor remembers.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from offrecord.journal.hash_chain import GENESIS, Link, digest

What = Literal["edited", "missing", "moved", "inserted", "unreadable", "unguarded", "unexpected"]
"""What is wrong at a place; `docs/audit.md` explains each."""


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold.

    `seq` is the number of the record concerned; `press`, `at` and `kind` are those it shows now,
    None where there is none. `at` is milliseconds since the epoch, UTC.
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
    """Number and hash of the last record, as they were noted when it was written."""

    seq: int
    hash: str


class Range(NamedTuple):
    """Records without a missing number between them.

    `prev` is the hash of the record before the first, `hash` that of the last; both are empty
    where the chain does not count the numbers.
    """

    first: int
    last: int
    prev: str
    hash: str


Gap = Callable[[int, int], Iterable[Link | Range | Break]]
"""Given the first and last number of records that are not there: what explains them, in order.
Records as found elsewhere, ranges that may be skipped, or what is wrong."""


def nothing(first: int, last: int) -> Iterator[Break]:
    """Stand for a gap that nothing explains."""
    which = f"record {first} is" if first == last else f"records {first} to {last} are"
    yield Break(first, "missing", f"{which} missing")


@dataclass(slots=True)
class Walk:
    """One walk along a chain. `broken` is the first break found, None while all is well.

    `gap` explains numbers that are missing; `expected` is a hash that must turn up on the way. The
    walk begins at number `first`, after the hash `start`. `count` says how many records were
    good, and `elsewhere` how many of them lay in archives.
    """

    gap: Gap = nothing
    expected: str | None = None
    first: int | None = None
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
        """Where the walk has come to: the last good record."""
        return Anchor(self._next - 1, self._head)

    def along(self, links: Iterable[Link], anchor: Anchor | None) -> Break | None:
        """Walk along records in the order of the file up to the anchor; return the first break."""
        self._anchor = anchor
        found = iter(links)
        link = next(found, None)
        self._begin(link)
        while link is not None and self.broken is None:
            after = next(found, None)
            self._step(link, after.prev if after else anchor.hash if anchor else None)
            link = after
        if self.broken is None:
            self._end(anchor)
        return self.broken

    def _begin(self, link: Link | None) -> None:
        self._head = self.start
        self._next = 1 if self.first is None else self.first
        if self.first is None and link is not None and link.seq == 0 and link.kind == "migrated":
            self._next = 0

    def _step(self, link: Link, remembered: str | None) -> None:
        """Take one record; `remembered` is the hash that whatever follows holds of it."""
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
        """Cross numbers that the file does not hold."""
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
        if span.first != self._next or (span.prev and span.prev != self._head):
            self.broken = Break(self._next, "missing", "what was sealed does not follow here")
            return
        self._head, self._next = span.hash or self._head, span.last + 1
        self.met = self.met or self._head == self.expected

    def _take(self, link: Link) -> None:
        self._before, self._head, self._next = link, link.hash, link.seq + 1
        self.count += 1
        self.met = self.met or link.hash == self.expected

    def _fork(self, link: Link, remembered: str | None) -> None:
        """Judge a record that is whole in itself but does not follow the one before it."""
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
        """Judge a record whose hash is not that of what it says."""
        before, last = self._before, self._anchor.seq if self._anchor else link.seq
        was = next((n for n in range(last + 1) if digest(n, *link[1:7]) == link.hash), None)
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
    """Say whether every field is of its type: whoever changes a file may put anything there."""
    seq, press, at, offset, kind, body, prev, own = link
    return (
        type(seq) is type(at) is int
        and (offset is None or type(offset) is int)
        and type(press) is type(kind) is type(body) is type(prev) is type(own) is str
    )


def runs(links: Iterable[Link]) -> Iterator[list[Link]]:
    """Split records into runs without a missing number."""
    run: list[Link] = []
    for link in links:
        if run and link.seq != run[-1].seq + 1:
            yield run
            run = []
        run.append(link)
    if run:
        yield run
