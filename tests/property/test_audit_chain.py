# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to one place of a journal, the proof names that place."""

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from offrecord.audit.chain_walk import Anchor, Break, Walk
from offrecord.audit.verify import verify
from offrecord.journal.hash_chain import GENESIS, Link, Row, chained
from tests.kits.audit_kit import replace, tamper, whole, write

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
BODY = st.dictionaries(TEXT, st.integers() | TEXT, max_size=2).map(
    lambda body: json.dumps(body, ensure_ascii=False)
)
ROW = st.builds(
    Row,
    press=TEXT,
    at=st.integers(0, 1 << 41),
    utc_offset=st.none() | st.integers(-50_000, 50_000),
    kind=st.sampled_from(["pressed", "resolved", "answered", "verdict"]),
    body=BODY,
)
ROWS = st.lists(ROW, min_size=2, max_size=6)
FIELDS = ("press", "at", "utc_offset", "kind", "body", "prev", "hash")
few = settings(max_examples=40)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)


def walk(links: list[Link], anchor: Anchor) -> Break | None:
    return Walk().along(links, anchor)


def made(rows: list[Row]) -> tuple[list[Link], Anchor]:
    links = chained(rows, 1, GENESIS)
    return links, Anchor(links[-1].seq, links[-1].hash)


def value_of(data: st.DataObject, field: str, old: object) -> Any:
    """Draw another value for a field than it has, of its type."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "at": st.integers(-(1 << 62), 1 << 62),
        "utc_offset": st.none() | st.integers(-(1 << 62), 1 << 62),
        "prev": HEX,
        "hash": HEX,
    }
    return data.draw(kinds.get(field, TEXT).filter(lambda new: new != old))


@few
@given(ROWS)
def test_what_was_written_is_whole(rows: list[Row]) -> None:
    links, anchor = made(rows)

    assert walk(links, anchor) is None


@few
@given(ROWS, st.data())
def test_one_field_changed_is_found_where_it_is(rows: list[Row], data: st.DataObject) -> None:
    links, anchor = made(rows)
    place = data.draw(st.integers(0, len(links) - 1))
    field = data.draw(st.sampled_from(FIELDS))
    old = links[place]
    links[place] = old._replace(**{field: value_of(data, field, getattr(old, field))})
    broken = walk(links, anchor)

    assert broken is not None
    assert (broken.seq, broken.what) == (old.seq, "edited")


@few
@given(ROWS, st.data())
def test_a_record_changed_together_with_its_hash_is_found_where_it_is(
    rows: list[Row], data: st.DataObject
) -> None:
    links, anchor = made(rows)
    place = data.draw(st.integers(0, len(links) - 1))
    field = data.draw(st.sampled_from(FIELDS[:6]))
    old = links[place]
    links[place] = whole(old._replace(**{field: value_of(data, field, getattr(old, field))}))
    broken = walk(links, anchor)

    assert broken is not None
    assert (broken.seq, broken.what) == (old.seq, "edited")


@few
@given(ROWS, st.data())
def test_records_taken_out_are_found_where_the_first_was(
    rows: list[Row], data: st.DataObject
) -> None:
    links, anchor = made(rows)
    first = data.draw(st.integers(0, len(links) - 1))
    last = data.draw(st.integers(first, len(links) - 1))
    broken = walk(links[:first] + links[last + 1 :], anchor)

    assert broken is not None
    assert (broken.seq, broken.what) == (first + 1, "missing")


@few
@given(ROWS, st.data())
def test_a_record_taken_out_and_the_rest_numbered_anew_is_found(
    rows: list[Row], data: st.DataObject
) -> None:
    links, anchor = made(rows)
    place = data.draw(st.integers(0, len(links) - 2))
    moved = [link._replace(seq=link.seq - 1) for link in links[place + 1 :]]
    broken = walk(links[:place] + moved, anchor)

    assert broken is not None
    assert (broken.seq, broken.what) == (place + 1, "moved")


@few
@given(ROWS, st.data())
def test_two_records_that_changed_places_are_found_at_the_first(
    rows: list[Row], data: st.DataObject
) -> None:
    links, anchor = made(rows)
    one = data.draw(st.integers(0, len(links) - 2))
    two = data.draw(st.integers(one + 1, len(links) - 1))
    links[one], links[two] = (
        links[two]._replace(seq=links[one].seq),
        links[one]._replace(seq=links[two].seq),
    )
    broken = walk(links, anchor)

    assert broken is not None
    assert (broken.seq, broken.what) == (one + 1, "moved")


@few
@given(ROWS, ROW, st.data(), st.booleans())
def test_a_record_put_in_is_found_where_it_is(
    rows: list[Row], row: Row, data: st.DataObject, knowing: bool
) -> None:
    """It pushes the others up by one. `knowing`: it was chained as if the daemon wrote it."""
    links, anchor = made(rows)
    place = data.draw(st.integers(0, len(links)))
    prev = links[place - 1].hash if place else GENESIS
    new = Link(place + 1, *row, prev, data.draw(HEX))
    after = [link._replace(seq=link.seq + 1) for link in links[place:]]
    broken = walk([*links[:place], whole(new) if knowing else new, *after], anchor)

    assert broken is not None
    assert broken.seq == place + 1
    if knowing or place == len(links):
        assert broken.what == "inserted"


@few
@given(ROWS, HEX)
def test_an_anchor_that_was_changed_is_found(rows: list[Row], other: str) -> None:
    links, anchor = made(rows)

    assert walk(links, changed(anchor, hash=other)) is not None
    assert walk(links, changed(anchor, seq=anchor.seq + 1)) is not None
    assert walk(links, changed(anchor, seq=anchor.seq - 1)) is not None
    assert Walk().along(links, None) is not None


# the same in a file


@contextmanager
def journal(rows: list[Row]) -> Iterator[tuple[Path, list[Link]]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite3"
        yield path, write(path, rows)


STORED = ("'x'", "7", "-1", "NULL", "1.5", "x'00ff'", "CAST(x'ff' AS TEXT)")


@settings(max_examples=60, deadline=None)
@given(ROWS, st.data())
def test_whatever_is_stored_in_a_field_of_the_file_is_found_there(
    rows: list[Row], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(FIELDS))
    value = data.draw(st.sampled_from(STORED))
    with journal(rows) as (path, links):
        seq = data.draw(st.integers(1, len(links)))
        with closing(sqlite3.connect(path)) as db:
            asked = f"SELECT {field} IS {value} FROM records WHERE seq = ?"
            if db.execute(asked, (seq,)).fetchone()[0] or (field, value) == ("utc_offset", "1.5"):
                return
        try:
            tamper(path, (f"UPDATE records SET {field} = {value} WHERE seq = ?", (seq,)))
        except sqlite3.IntegrityError:
            return  # NOT NULL holds without triggers too
        broken = verify(path).broken

    assert broken is not None
    assert (broken.seq, broken.what) == (seq, "edited")


@settings(max_examples=40, deadline=None)
@given(ROWS, st.data())
def test_records_taken_out_of_the_file_are_found_also_after_more_was_written(
    rows: list[Row], data: st.DataObject
) -> None:
    with journal(rows) as (path, links):
        first = data.draw(st.integers(0, len(links) - 1))
        last = data.draw(st.integers(first, len(links) - 1))
        replace(path, links[:first] + links[last + 1 :])
        write(path, rows[:1])
        broken = verify(path).broken

    assert broken is not None
    assert (broken.seq, broken.what) == (first + 1, "missing")
