# SPDX-License-Identifier: Apache-2.0
"""`offrecord audit` as it is typed: what it prints, its JSON, its files and its exit codes."""

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest

from offrecord.base.errors import Exit
from offrecord.cli import main as cli
from offrecord.journal import presses
from tests.kits.audit_kit import BEGAN, DAY, links, press, row, tamper, write
from tests.kits.daemon_kit import Ran, house
from tests.kits.journal_kit import set_schema


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite3"
    write(path, [record for n in range(4) for record in press(n, BEGAN + n * DAY)])
    return path


class Here:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], path: Path) -> None:
        self._capsys, self._path = capsys, path

    def __call__(self, *words: object) -> Ran:
        with pytest.raises(SystemExit) as left:
            cli.main(["audit", *map(str, words), "--journal", str(self._path)])
        captured = self._capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Ran(left.value.code, captured.out, captured.err)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], path: Path) -> Here:
    return Here(capsys, path)


# verify


def test_a_whole_journal_is_said_to_be_so_with_its_head(run: Here, path: Path) -> None:
    head = links(path)[-1].hash
    plain, told = run("verify"), run("verify", "--json")

    assert (plain.code, plain.err) == (Exit.OK, "")
    assert plain.out == f"whole: 16 records, the last one is number 16\nhead: {head}\n"
    assert told.json == {
        "journal": str(path), "whole": True, "records": 16, "archived": 0, "archives": [],
        "without_archives": False, "last": 16, "head": head, "broken": None,
    }  # fmt: skip


def test_an_edited_record_is_named_with_an_exit_code_of_its_own(run: Here, path: Path) -> None:
    tamper(path, ("UPDATE records SET body = '{}' WHERE seq = 6", ()))
    plain, told = run("verify"), run("verify", "--json")

    assert (plain.code, told.code) == (Exit.TAMPERED, Exit.TAMPERED)
    assert plain.out == (
        "edited: record 6 (press p1, 2023-11-15 22:13:20.001Z, resolved): it does not say what it"
        " said when it was written\n"
    )
    assert told.json["broken"]["seq"] == 6


def test_a_missing_record_is_named(run: Here, path: Path) -> None:
    tamper(path, ("DELETE FROM records WHERE seq IN (6, 7)", ()))
    assert run("verify").out == "missing: record 6: records 6 to 7 are missing\n"


def test_a_noted_head_must_still_be_there(run: Here, path: Path) -> None:
    assert run("verify", "--expect", links(path)[2].hash.upper()).code == Exit.OK
    gone = run("verify", "--expect", "0" * 64)
    assert gone.code == Exit.TAMPERED
    assert gone.out == f"unexpected: no record has the hash {'0' * 64} that was noted\n"


def test_a_journal_from_before_the_first_release_is_refused_with_the_way_out(
    run: Here, path: Path
) -> None:
    set_schema(path, 2)
    ran = run("verify")

    assert ran.code == Exit.JOURNAL
    assert len(ran.err.splitlines()) == 1
    assert f"move {path}* to another folder" in ran.err


# export


def test_lines_and_table_of_a_call(run: Here) -> None:
    lines = run("export", "--call", "1700000002.1")
    table = run("export", "--call", "1700000002.1", "--format", "csv")

    assert (lines.code, table.code) == (Exit.OK, Exit.OK)
    assert [json.loads(line)["seq"] for line in lines.out.splitlines()] == [9, 10, 11, 12]
    [one] = csv.DictReader(io.StringIO(table.out))
    assert (one["press"], one["recorder"], one["verdict"]) == ("p2", "local", "confirmed")


def test_a_span_of_time(run: Here) -> None:
    ran = run("export", "--since", "2023-11-15T00:00:00+00:00", "--until", "2023-11-17T00:00:00Z")
    assert {json.loads(line)["press"] for line in ran.out.splitlines()} == {"p1", "p2"}


def test_a_report_goes_to_a_file_that_is_nobody_elses(run: Here, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    ran = run("export", "--call", "1700000002.1", "--format", "report", "--output", file, "--json")

    assert ran.code == Exit.OK
    assert ran.json == {"output": str(file), "format": "report", "records": 4}
    assert file.stat().st_mode & 0o777 == 0o600
    assert "The journal is whole" in file.read_text()


def test_a_report_of_a_recording_that_cannot_be_read_says_so(run: Here, tmp_path: Path) -> None:
    ran = run("export", "--call", "1700000002.1", "--format", "report",
              "--recording", tmp_path / "none.wav")  # fmt: skip

    assert ran.code == Exit.OK
    assert "not shown: No such file" in ran.out


def test_a_recording_that_an_incident_names_is_shown(run: Here, path: Path, tmp_path: Path) -> None:
    file = tmp_path / "call.wav"
    file.write_text("no recording")
    write(path, [row("p2", "incident", BEGAN, what="sound_in_window", file=str(file))])
    ran = run("export", "--call", "1700000002.1", "--format", "report")

    assert "call.wav" in ran.out
    assert "not shown: is no WAV file" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--call or --since"),
        (("--call", "1", "--since", "2h"), "--call or --since"),
        (("--since", "2h", "--format", "report"), "a report is of one call"),
        (("--call", "1", "--recording", "x.wav"), "--recording is for"),
        (("--call", "1", "--json"), "--output"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Here, words: tuple[str, ...], said: str) -> None:
    ran = run("export", *words)
    assert ran.code == Exit.USAGE
    assert said in ran.err


def test_nothing_to_export_and_nowhere_to_write_are_said(run: Here, tmp_path: Path) -> None:
    none = run("export", "--call", "nobody")
    nowhere = run("export", "--call", "1700000002.1", "--output", tmp_path / "no" / "file")

    assert (none.code, nowhere.code) == (Exit.NOT_FOUND, Exit.USAGE)
    assert "cannot write" in nowhere.err


# seal


def test_old_presses_are_sealed_and_all_is_proven_together(run: Here, path: Path) -> None:
    sealed = run("seal", "--before", "2023-11-16T23:00:00Z", "--json")
    [one] = sealed.json
    again, whole = run("seal", "--before", "2023-11-16T23:00:00Z"), run("verify")
    alone, told = (
        run("verify", "--archive", one["archive"]),
        run("verify", "--archive", one["archive"], "--json"),
    )

    assert (one["records"], one["presses"], one["kept"]) == (12, 3, False)
    assert again.out == "nothing is due\n"
    assert whole.out.splitlines()[:2] == [
        "whole: 17 records, the last one is number 17", "archives: 1, 12 of these records",
    ]  # fmt: skip
    assert alone.out == f"{one['archive']}: whole: 12 records\n"
    assert (told.json[0]["whole"], told.json[0]["sha256"]) == (True, one["sha256"])
    assert "left out" in run("verify", "--without-archives").out
    assert len(presses(path)) == 1


def test_a_broken_archive_has_the_exit_code_of_a_broken_journal(run: Here, path: Path) -> None:
    [one] = run("seal", "--before", "2023-11-16T23:00:00Z", "--json").json
    archive = Path(one["archive"])
    raw = archive.read_bytes()
    archive.unlink()
    archive.write_bytes(raw[: len(raw) // 2])
    alone, whole = run("verify", "--archive", archive), run("verify")

    assert alone.code == Exit.JOURNAL
    assert "cannot be read" in alone.err
    assert whole.code == Exit.TAMPERED
    assert whole.out.startswith("unreadable: record 1: ")


def test_keeping_says_what_was_made(run: Here, path: Path) -> None:
    ran = run("seal", "--before", "2023-11-16T23:00:00Z", "--keep")
    assert ran.out.startswith("sealed 12 records of 3 presses: ")
    assert len(presses(path)) == 4


# beside a daemon


async def test_a_press_is_proven_and_handed_over_while_the_daemon_runs(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        await here.command("stop", "410")
        proof, table, page = await asyncio.gather(
            here.command("audit", "verify", "--json"),
            here.command("audit", "export", "--call", "410", "--format", "csv"),
            here.command("audit", "export", "--call", "410", "--format", "report"),
        )

        assert (proof.code, table.code, page.code) == (Exit.OK, Exit.OK, Exit.OK)
        assert proof.json["whole"] is True
        rows = list(csv.DictReader(io.StringIO(table.out)))
        assert {one["recorder"] for one in rows} == {"local", "noojee"}
        assert {one["call"] for one in rows} == {"1.1"}
        assert "The journal is whole" in page.out
