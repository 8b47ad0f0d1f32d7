# SPDX-License-Identifier: Apache-2.0
"""A capture as a file: read as it was written, and refused with the line where it is none."""

import gzip
from contextlib import closing
from pathlib import Path

import pytest

from offrecord.ami_capture.capture_file import Entry, Head, Reader, write
from offrecord.ami_capture.daemon_side import serve_capture
from offrecord.ami_capture.replay import clock
from offrecord.ami_capture.replay.player import Playback
from offrecord.base.errors import Exit, UserError

BROKEN = {
    "foreign": ("hello\n", "line 1: this is no capture"),
    "version": ("offrecord capture 9\n", "line 1: version 9 of the format"),
    "empty": ("", "line 1: the file ends in the middle"),
    "cut": ("offrecord capture 1\nA: b\n\n[configuration]\n\n[stream]\n0:00:00.000 < Ev",
            "line 7: the file ends in the middle"),
    "no-block": ("offrecord capture 1\n\n[configuration]\n[stream]\nhello\n",
                 "line 5: a time, a mark and a header"),
    "back-in-time": (("offrecord capture 1\n\n[configuration]\n[stream]\n0:00:01.000 < Event: A\n\n"
                     "0:00:00.000 < Event: A\n\n[end] 2\n"), "line 7: this is earlier"),
    "short": (("offrecord capture 1\n\n[configuration]\n[stream]\n0:00:01.000 < Event: A\n\n"
              "[end] 2\n"), "line 7: the file has 1 blocks, and says 2"),
    "behind": ("offrecord capture 1\n\n[configuration]\n[stream]\n[end] 0\nmore\n",
               "line 6: something stands behind the end"),
    "long-line": ("offrecord capture 1\nA: " + "b" * 9000 + "\n", "line 2: the line is longer"),
    "secrets": (("offrecord capture 1\n\n[configuration]\n  [journal]\n  path = '/x'\n[stream]\n"
                "[end] 0\n"), "[journal] holds what no capture does"),
    "options": (('offrecord capture 1\n\n[configuration]\n  [recorders.a]\n  kind = "noojee"\n'
                '  url = "http://h"\n[stream]\n[end] 0\n'), "a recorder has more than a kind"),
}  # fmt: skip


HEAD = Head({"Offrecord": "1.2"}, '[press]\n"budget" = 5.0')
ENTRIES = [
    Entry(0, "=", (("Link", "up"),)),
    Entry(3_725_004, "<", (("Event", "Hangup"), ("Uniqueid", "1.1"), ("CallerIDNum", ""))),
]


async def play(path: Path) -> None:
    with closing(Reader(path)) as reader:
        await Playback(reader.head()).play(reader.entries())


@pytest.mark.parametrize("name", ["capture.txt", "capture.txt.gz"])
def test_a_capture_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write(path, HEAD, ENTRIES)
    with closing(Reader(path)) as reader:
        assert reader.head() == HEAD
        assert list(reader.entries()) == ENTRIES
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_time_is_written_without_a_long_run_of_digits(tmp_path: Path) -> None:
    path = tmp_path / "capture.txt"
    write(path, HEAD, ENTRIES)

    assert "1:02:05.004 < Event: Hangup" in path.read_text()


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_capture_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    text, what = BROKEN[name]
    path = tmp_path / "capture.txt"
    path.write_text(text)
    with pytest.raises(UserError) as problem:
        clock.run(play(path))

    assert what in problem.value.message
    assert problem.value.exit is Exit.USAGE


@pytest.mark.parametrize("missing", [1, 5, 8, 9, 40])
def test_a_packed_file_that_was_cut_is_refused(missing: int, tmp_path: Path) -> None:
    path = tmp_path / "capture.txt.gz"
    write(path, HEAD, ENTRIES)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(UserError, match=r"cannot be unpacked|ends in the middle"):
        clock.run(play(path))


def test_what_is_packed_larger_than_the_limit_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "capture.txt.gz"
    path.write_bytes(gzip.compress(b"offrecord capture 1\n" + b"A: b\n" * 200))
    with (
        closing(Reader(path, limit=500)) as reader,
        pytest.raises(UserError, match="larger than"),
    ):
        reader.head()


async def test_whoever_is_neither_root_nor_the_daemon_gets_nothing() -> None:
    nobody = {"op": "record", "peer": {"uid": 65534, "pid": 1}}
    with pytest.raises(UserError, match="only root and the daemon's own user") as problem:
        _ = [reply async for reply in serve_capture(None, nobody)]  # type: ignore[arg-type]

    assert problem.value.exit is Exit.DENIED
