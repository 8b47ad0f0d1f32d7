# SPDX-License-Identifier: Apache-2.0
"""Which folders Asterisk records into, and whether this machine can watch them.

inotify tells of writes that pass this machine's kernel alone. On a remote disk the writer may be
another machine; a folder there is never taken as watched.
"""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

MONITOR, RECORDING, VOICEMAIL, TMP = "monitor", "recording", "voicemail", "tmp"
SPOOL: Final = (MONITOR, RECORDING, VOICEMAIL, TMP)
"""The folders of the spool that Asterisk records into."""

ANY: Final = "any"
"""The use of a folder that anything may record into."""

MOUNTS: Final = Path("/proc/self/mountinfo")

_REMOTE: Final = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs",
    "nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "virtiofs",
})  # fmt: skip
_FUSE: Final = "fuse."


def use_of(folder: Path) -> str:
    """Return what records into a folder: one of `SPOOL` by its name, else `ANY`."""
    return folder.name if folder.name in SPOOL else ANY


def why_not(folder: Path, mounts: str | None = None) -> str:
    """Return why a folder cannot be watched, empty when it can.

    `mounts` is the text of `/proc/self/mountinfo`; None reads it.
    """
    if not folder.is_dir():
        return "there is no such folder on this machine"
    if not os.access(folder, os.R_OK | os.X_OK):
        return "the daemon's user may not read it"
    kind = file_system(folder, _mounts() if mounts is None else mounts)
    if kind in _REMOTE or kind.startswith(_FUSE):
        return f"it is on a remote disk ({kind}), where other machines' writes are not seen"
    return ""


def file_system(folder: Path, mounts: str) -> str:
    """Return the type of the file system that a folder is on, empty when that is not known."""
    real = folder.resolve()
    best, found = -1, ""
    for line in mounts.splitlines():
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(" "), after.partition(" ")[0]
        if not dash or len(fields) < 5:
            continue
        point = Path(fields[4].replace("\\040", " "))
        # A later mount hides an earlier one at the same place.
        if real.is_relative_to(point) and len(point.parts) >= best:
            best, found = len(point.parts), kind
    return found


def _mounts() -> str:
    try:
        return MOUNTS.read_text(errors="replace")
    except OSError:
        return ""


def path_here(name: str, roots: Iterable[Path]) -> Path | None:
    """Return a file that Asterisk names, as this machine sees it; None outside the watched folders.

    Asterisk may know a folder by another path (a container, a chroot): what follows the root's own
    name in the path counts, where that folder exists.
    """
    pure = PurePosixPath(name)
    if ".." in pure.parts or not pure.is_absolute():
        return None
    path, known = Path(pure), [*roots]
    if any(path.is_relative_to(root) for root in known):
        return path
    for root in known:
        parts = pure.parts[1:]
        if root.name in parts[:-1]:
            at = len(parts) - 1 - parts[::-1].index(root.name)
            found = root.joinpath(*parts[at + 1 :])
            if found.parent.is_dir():
                return found
    return None
