# SPDX-License-Identifier: Apache-2.0
"""The proof of a journal: while it is written, in a copy, cut short, and over its archives."""

import asyncio
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from offrecord.audit import archive
from offrecord.audit.archive import ArchiveError
from offrecord.audit.seal import NotWhole, seal, seal_daily
from offrecord.audit.verify import Proof, verify
from offrecord.base.errors import Exit
from offrecord.journal import JournalError, presses
from offrecord.journal.hash_chain import GENESIS, INSERT, digest
from offrecord.journal.journal import Journal, Record
from offrecord.journal.opening import open_writer
from tests.kits.audit_kit import BEGAN, DAY, links, press, replace, row, tamper, whole, write
from tests.kits.lost_writes import WRITE_AND_DIE, disk_full


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a journal of ten presses, one a day."""
    path = tmp_path / "journal.sqlite3"
    write(path, [record for n in range(10) for record in press(n, BEGAN + n * DAY)])
    return path


def what(path: Path, **options: object) -> tuple[int | None, str] | None:
    broken = verify(path, **options).broken  # type: ignore[arg-type]
    return None if broken is None else (broken.seq, broken.what)


# the form


def test_the_hash_is_made_as_the_documentation_says() -> None:
    """By hand: netstrings of the eight fields, in their order."""
    fields = [
        "offrecord-2",
        "7",
        "1hm4",
        "1700000000123",
        "-3600",
        "verdict",
        '{"a":"é"}',
        "0" * 64,
    ]
    text = b"".join(b"%d:%b," % (len(f.encode()), f.encode()) for f in fields)

    assert text.startswith(b"11:offrecord-2,1:7,4:1hm4,")
    assert digest(7, "1hm4", 1700000000123, -3600, "verdict", '{"a":"é"}', GENESIS) == (
        hashlib.sha256(text).hexdigest()
    )


def test_an_offset_that_is_not_known_is_an_empty_text() -> None:
    text = b"11:offrecord-2,1:1,1:p,1:5,0:,1:k,2:{},64:" + b"0" * 64 + b","
    assert digest(1, "p", 5, None, "k", "{}", GENESIS) == hashlib.sha256(text).hexdigest()


async def test_a_record_carries_the_clock_s_offset_and_the_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "XXX-02:30")
    time.tzset()
    try:
        async with Journal(tmp_path / "j") as journal:
            for number in range(3):
                await journal.write(Record("p", "pressed", {"n": number}, BEGAN))
    finally:
        monkeypatch.undo()
        time.tzset()
    one, two, three = links(tmp_path / "j")

    assert (one.prev, two.prev, three.prev) == (GENESIS, one.hash, two.hash)
    assert {link.utc_offset for link in (one, two, three)} == {9000}


# what was done to it


def test_a_whole_journal_is_said_to_be_whole(path: Path) -> None:
    proof = verify(path)

    assert (proof.broken, proof.records, proof.head.seq) == (None, 40, 40)
    assert proof.head.hash == links(path)[-1].hash


def test_the_first_place_is_named_with_all_that_is_known_of_it(path: Path) -> None:
    tamper(
        path,
        ("UPDATE records SET body = replace(body, 'confirmed', 'failed') WHERE seq >= 7", ()),
    )
    broken = verify(path).broken

    assert broken is not None
    assert broken.as_json() == {
        "seq": 7, "what": "edited", "press": "p1", "at": BEGAN + DAY + 9, "kind": "answered",
        "detail": "it does not say what it said when it was written",
    }  # fmt: skip


def test_an_empty_journal_is_whole_and_an_emptied_one_is_not(path: Path, tmp_path: Path) -> None:
    open_writer(tmp_path / "new", busy=1).close()
    tamper(path, ("DELETE FROM records", ()))

    assert what(tmp_path / "new") is None
    assert what(path) == (1, "missing")


def test_a_journal_without_its_anchor_is_not_whole(path: Path) -> None:
    tamper(path, ("DELETE FROM head", ()))
    assert what(path) == (None, "unguarded")
    write(path, press(10))
    assert what(path) is not None


def test_a_guard_that_was_taken_away_is_missed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER records_remain")
    broken = verify(path).broken

    assert broken is not None
    assert "records_remain" in broken.detail


def test_the_last_records_taken_away_with_the_anchor_are_betrayed_by_a_noted_hash(
    path: Path,
) -> None:
    """Nothing in the file can tell; that is what the hash on paper is for."""
    noted = verify(path).head.hash
    kept = links(path)[:36]
    replace(path, kept)
    tamper(path, ("UPDATE head SET seq = 36, hash = ?", (kept[-1].hash,)))

    assert what(path) is None
    assert what(path, expected=noted) == (None, "unexpected")
    assert what(path, expected=kept[3].hash) is None


def test_a_noted_hash_is_still_there_after_more_was_written(path: Path) -> None:
    noted = verify(path).head.hash
    write(path, press(10))
    assert what(path, expected=noted) is None


def test_a_chain_made_anew_from_the_middle_is_whole_but_not_the_one_that_was_noted(
    path: Path,
) -> None:
    noted = verify(path).head.hash
    made = links(path)
    made[20] = whole(made[20]._replace(body="{}"))
    for place in range(21, 40):
        made[place] = whole(made[place]._replace(prev=made[place - 1].hash))
    replace(path, made)
    tamper(path, ("UPDATE head SET hash = ?", (made[-1].hash,)))

    assert what(path) is None
    assert what(path, expected=noted) == (None, "unexpected")


def test_a_table_with_a_number_twice_is_found_where_it_is(path: Path) -> None:
    made = links(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TABLE records")
        db.execute("CREATE TABLE records (seq, press, at, utc_offset, kind, body, prev, hash)")
        db.executemany(INSERT, [*made[:5], made[4], *made[5:]])

    assert what(path) == (5, "inserted")


def test_a_file_that_was_cut_off_is_noticed(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(JournalError, match="malformed") as caught:
        verify(path)

    assert caught.value.exit is Exit.JOURNAL


def test_a_page_of_the_file_that_is_gone_is_a_break(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        size = int(db.execute("PRAGMA page_size").fetchone()[0])
    with path.open("r+b") as file:
        place = file.read().index(b'"verb":"stop"') // size
        file.seek(place * size)
        file.write(bytes(size))
    broken = verify(path).broken

    assert broken is not None
    assert broken.what in {"unreadable", "missing"}


# while it is written


async def test_a_journal_is_proven_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    found: list[Proof] = []
    states: set[int] = set()
    async with Journal(path, timeout=30) as journal:

        async def go_on() -> None:
            while len(states) < 12:
                await journal.write(Record("p", "pressed", {"n": len(found)}, BEGAN))

        writing = asyncio.create_task(go_on())
        while len(states) < 12:
            found.append(await asyncio.to_thread(verify, path))
            states.add(found[-1].records)
        await writing

    assert {proof.broken for proof in found} == {None}


def test_a_daemon_killed_in_the_middle_leaves_no_break(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)], check=False)

    proof = verify(path)
    assert (proof.broken, proof.records) == (None, 2)


def test_a_half_written_tail_of_the_log_is_no_break(tmp_path: Path) -> None:
    """A commit that the disk got half of has never been: SQLite's own checksums see to it."""
    path = tmp_path / "journal.sqlite3"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)], check=False)
    log = Path(f"{path}-wal")
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 100)

    proof = verify(path)
    assert (proof.broken, proof.records) == (None, 1)


async def test_what_waited_for_the_disk_is_chained_when_it_reaches_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    async with Journal(path, retry=0.01) as journal:
        await journal.write(Record("p", "pressed", {"n": 1}, BEGAN))
        with disk_full():
            for number in (2, 3):
                with pytest.raises(JournalError):
                    await journal.write(Record("p", "verdict", {"n": number}, BEGAN))
        await journal.write(Record("p", "verdict", {"n": 4}, BEGAN))

    proof = verify(path)
    assert (proof.broken, proof.records) == (None, 4)
    assert [json.loads(link.body)["n"] for link in links(path)] == [1, 2, 3, 4]


def test_a_copy_is_proven_like_the_journal(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    shutil.copyfile(path, copy)
    assert verify(copy).records == 40


# archives


def test_old_presses_go_to_an_archive_and_the_proof_leads_over_it(path: Path) -> None:
    noted = links(path)[2].hash
    [made] = seal(path, BEGAN + 5 * DAY)

    assert (made.manifest.records, made.manifest.presses) == (20, 5)
    assert [one.press for one in presses(path)] == ["p9", "p8", "p7", "p6", "p5"]
    proof = verify(path, expected=noted)
    assert (proof.broken, proof.records, proof.archived) == (None, 41, 20)
    assert made.path.stat().st_mode & 0o777 == 0o440
    assert archive.check(made.path) == (20, None)


def test_what_was_sealed_is_gone_from_the_file_itself(path: Path) -> None:
    mark = b"SIP/410-00000003"
    assert mark in path.read_bytes()
    seal(path, BEGAN + 5 * DAY)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert mark not in path.read_bytes()


def test_the_journal_is_append_only_again_after_sealing(path: Path) -> None:
    seal(path, BEGAN + 5 * DAY)
    with (
        closing(sqlite3.connect(path)) as db,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        db.execute("DELETE FROM records WHERE seq = 30")


def test_sealing_again_and_again_is_proven_as_one(path: Path) -> None:
    for days in (2, 2, 4, 9):
        seal(path, BEGAN + days * DAY)
    write(path, press(10, BEGAN + 10 * DAY))
    proof = verify(path)

    assert (proof.broken, proof.archived, len(proof.archives)) == (None, 36, 3)
    assert proof.records == 44 + 3
    assert seal(path, BEGAN + 9 * DAY) == []


def test_presses_that_are_not_over_stay_and_leave_the_others_around_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    held = [
        *press(1)[:2],
        row("p1", "intent", BEGAN, intent="p1", verb="stop"),
        *press(1)[2:],
    ]
    ended = [*press(2), row("p2", "intent", BEGAN), row("p2", "intent_ended", BEGAN + 5)]
    late = [*press(4), row("p4", "incident", BEGAN + 9 * DAY)]
    stray = [row("x", "joined", BEGAN, of="p2"), row("", "alarm", BEGAN)]
    write(path, [*ended, *held, *press(3)[:3], *stray, *late, *press(5)])
    [made] = seal(path, BEGAN + DAY)

    assert {one.press for one in presses(path)} == {"p1", "p3", "p4"}
    assert {link.press for link in archive.links(made.path)} == {"p2", "x", "", "p5"}
    assert len(made.manifest.ranges) == 3
    assert what(path) is None
    assert what(path, without_archives=True) is None


def test_keeping_leaves_the_journal_as_it_is_and_notes_the_archive(path: Path) -> None:
    [kept] = seal(path, BEGAN + 5 * DAY, keep=True)
    assert len(presses(path)) == 10
    assert verify(path).records == 41
    [moved] = seal(path, BEGAN + 3 * DAY)
    kept.path.unlink()

    assert what(path) is None
    assert verify(path).archives == (moved.path.name,)


def test_an_archive_that_is_not_there_is_a_break_unless_left_out(path: Path) -> None:
    [made] = seal(path, BEGAN + 5 * DAY)
    made.path.rename(made.path.with_name("elsewhere"))

    assert what(path) == (1, "missing")
    assert what(path, without_archives=True) is None
    with pytest.raises(ArchiveError, match="No such file"):
        archive.check(made.path)


def test_an_archive_in_another_folder_is_found_when_it_is_named(path: Path, tmp_path: Path) -> None:
    seal(path, BEGAN + 5 * DAY)
    (tmp_path / "archives").rename(tmp_path / "vault")

    assert what(path) == (1, "missing")
    assert what(path, archives=tmp_path / "vault") is None


def rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Write an archive anew with its lines changed."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.unlink()
    path.write_bytes(gzip.compress("\n".join(change(lines)).encode()))


def test_a_line_changed_in_an_archive_is_named(path: Path) -> None:
    [made] = seal(path, BEGAN + 5 * DAY)
    rewrite(made.path, lambda lines: [*lines[:6], lines[6].replace("fred", "wilma"), *lines[7:]])
    broken = verify(path).broken

    assert broken is not None
    assert (broken.seq, broken.what, broken.press) == (6, "edited", "p1")
    assert archive.check(made.path)[1] is not None


def test_a_line_taken_out_of_an_archive_is_named(path: Path) -> None:
    [made] = seal(path, BEGAN + 5 * DAY)
    rewrite(made.path, lambda lines: lines[:9] + lines[10:])

    assert what(path) == (9, "missing")
    _, broken = archive.check(made.path)
    assert broken is not None
    assert broken.seq == 9


def test_an_archive_written_anew_with_a_chain_of_its_own_is_not_the_one_that_was_sealed(
    path: Path,
) -> None:
    [made] = seal(path, BEGAN + 5 * DAY)
    rewrite(made.path, lambda lines: lines)  # the same lines, another file
    assert archive.check(made.path)[1] is None
    assert what(path) == (1, "edited")


def test_a_sealing_noted_for_records_that_were_only_deleted_is_a_break(path: Path) -> None:
    """Anybody can append a note; without its archive it explains nothing."""
    made = links(path)
    body = {
        "archive": "none.jsonl.gz", "sha256": "0" * 64, "kept": False,
        "ranges": [[5, 8, made[3].hash, made[7].hash]],
    }  # fmt: skip
    write(path, [row("", "sealed", BEGAN, **body)])
    tamper(path, ("DELETE FROM records WHERE seq BETWEEN 5 AND 8", ()))

    assert what(path) == (5, "missing")


def test_records_that_do_not_hang_together_are_not_sealed(path: Path) -> None:
    tamper(path, ("UPDATE records SET body = '{}' WHERE seq = 7", ()))
    with pytest.raises(NotWhole) as caught:
        seal(path, BEGAN + 5 * DAY)

    assert caught.value.exit is Exit.TAMPERED
    assert len(links(path)) == 40
    assert list((path.parent / "archives").iterdir()) == []


def test_a_sealing_that_breaks_off_changes_nothing(path: Path) -> None:
    (path.parent / "archives").write_text("a file where a folder should be")
    with pytest.raises(ArchiveError):
        seal(path, BEGAN + 5 * DAY)

    assert len(links(path)) == 40
    assert what(path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_seals_belongs_to_the_owner_of_the_journal(path: Path) -> None:
    os.chown(path, 65534, 65534)
    [made] = seal(path, BEGAN + 5 * DAY)

    assert {(f.stat().st_uid, f.stat().st_gid) for f in (made.path, made.path.parent)} == {
        (65534, 65534)
    }


def test_sealing_in_several_archives_when_there_is_much(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offrecord.audit.seal.AT_ONCE", 6)
    made = seal(path, BEGAN + 5 * DAY)

    assert [one.manifest.records for one in made] == [6, 6, 6, 2]
    assert verify(path).archived == 20


async def test_a_daemon_writes_on_while_it_is_sealed(path: Path) -> None:
    async with Journal(path, timeout=10) as journal:
        writing = [
            asyncio.ensure_future(journal.write(Record("q", "pressed", {"n": n}, BEGAN + 99 * DAY)))
            for n in range(500)
        ]
        made = await asyncio.to_thread(seal, path, BEGAN + 5 * DAY)
        numbers = await asyncio.gather(*writing)

    assert len(made) == 1
    assert sorted(numbers) == numbers
    proof = verify(path)
    assert (proof.broken, proof.records) == (None, 541)


def test_the_daily_sealing_goes_by_days_and_refuses_a_journal_that_is_not_whole(
    path: Path,
) -> None:
    now = BEGAN + 10 * DAY
    assert seal_daily(path, 30, now=now) == []
    assert sum(one.manifest.presses for one in seal_daily(path, 5, now=now)) == 5
    tamper(path, ("DELETE FROM records WHERE seq = 30", ()))
    with pytest.raises(NotWhole, match="not whole"):
        seal_daily(path, 3, now=now)
