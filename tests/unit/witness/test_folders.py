# SPDX-License-Identifier: Apache-2.0
"""Which folders can be watched, and where a file that Asterisk names is on this machine."""

from pathlib import Path

import pytest

from offrecord.witness.folders import ANY, MONITOR, file_system, path_here, use_of, why_not

MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:40 / /srv/rec rw,relatime shared:9 - nfs4 nas:/rec rw,vers=4.2
31 22 0:41 / /srv/rec/cache rw - tmpfs tmpfs rw
32 22 0:42 / /srv/two\\040words rw - fuse.sshfs host: rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/spool/asterisk/monitor", "ext4"),
        ("/srv/rec/2026", "nfs4"),
        ("/srv/rec/cache/x", "tmpfs"),
        ("/srv/records", "ext4"),
        ("/srv/two words/x", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(folder: str, kind: str) -> None:
    assert file_system(Path(folder), MOUNTS) == kind


def test_a_remote_disk_is_not_watched(tmp_path: Path) -> None:
    remote = f"30 22 0:40 / {tmp_path.resolve()} rw - nfs4 nas:/rec rw"
    assert "remote disk (nfs4)" in why_not(tmp_path, remote)
    assert why_not(tmp_path, MOUNTS) == ""


def test_a_folder_that_is_not_there_is_not_watched(tmp_path: Path) -> None:
    assert "no such folder" in why_not(tmp_path / "none")


def test_the_use_of_a_folder_is_its_name() -> None:
    assert use_of(Path("/var/spool/asterisk/monitor")) == MONITOR
    assert use_of(Path("/srv/recordings")) == ANY


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("/var/spool/asterisk/monitor/2026/a.wav", "monitor/2026/a.wav"),
        ("/var/spool/asterisk/monitor/1999/a.wav", None),
        ("/elsewhere/a.wav", None),
        ("relative/monitor/a.wav", None),
        ("/var/monitor/../../etc/a.wav", None),
    ],
)
def test_a_file_that_asterisk_names_is_found_below_the_watched_folders(
    name: str, path: str | None, tmp_path: Path
) -> None:
    roots = [tmp_path / "rec", tmp_path / "monitor"]
    (tmp_path / "monitor" / "2026").mkdir(parents=True)
    assert path_here(name, roots) == (tmp_path / path if path else None)
    own = tmp_path / "rec" / "2026" / "a.wav"
    assert path_here(str(own), roots) == own
