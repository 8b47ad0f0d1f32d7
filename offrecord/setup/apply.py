# SPDX-License-Identifier: Apache-2.0
"""Write a plan: each file atomically, with a numbered backup; all files or none."""

import contextlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from offrecord.setup.changes import Change, Owner, Refused, problem
from offrecord.setup.survey import outside, read

_MODES = {Owner.ROOT: 0o644, Owner.SECRET: 0o600, Owner.ASTERISK_SECRET: 0o640}
_NEIGHBOURS = ("manager.conf", "extensions.conf", "features.conf", "asterisk.conf")


@dataclass(frozen=True, slots=True)
class Written:
    """One change that was written: the path of the file, and of the backup of its old content."""

    change: Change
    path: Path
    backup: Path | None
    was: "_Holder | None" = None


@dataclass(frozen=True, slots=True)
class _Holder:
    """The owner, group and mode of a file."""

    uid: int
    gid: int
    mode: int


def preflight(root: Path, changes: Sequence[Change]) -> None:
    """Check that everything can be written. Changes nothing. Raises `Refused` with every reason.

    Symbolic links and files without any write permission are refused: they were made so on
    purpose.
    """
    found = []
    for change in changes:
        path = outside(root, change.path)
        if path.is_symlink():
            found.append(problem(
                f"{path} is a symbolic link to {path.readlink()}",
                "change that file yourself, or put a file in place of the link",
            ))  # fmt: skip
            continue
        if path.exists() and not path.stat().st_mode & 0o222:
            found.append(problem(f"{path} is read-only", f"chmod u+w {path}, and run init again"))
        folder = next(parent for parent in path.parents if parent.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            found.append(problem(f"no right to write in {folder}", "run init as root"))
    if found:
        raise Refused(*{str(one): one for one in found}.values())


def write(root: Path, changes: Sequence[Change]) -> list[Written]:
    """Write the changes in order.

    When one fails, restore the files written before it and raise `Refused`.
    """
    done: list[Written] = []
    for change in changes:
        try:
            done.append(_one(root, change))
        except OSError as error:
            for one in reversed(done):
                _undo(one)
            raise Refused(problem(
                f"{outside(root, change.path)} cannot be written: {error.strerror or error}; "
                "everything else was put back",
                "see that the disk has room and is not mounted read-only, and run init as root",
            )) from None  # fmt: skip
    return done


def _one(root: Path, change: Change) -> Written:
    path = outside(root, change.path)
    was = _held(path) if path.exists() else None
    if change.after is None:
        path.unlink()
        _tidy(path.parent)
        return Written(change, path, None, was)
    _folder(path.parent)
    # A copy of a secret would be one more file to guard; a mode alone loses nothing.
    keep = change.kind == "changed" and not change.owner.secret
    backup = _backup(path) if keep else None
    _replace(path, change.after, _holder(root, path, change.owner))
    return Written(change, path, backup, was)


def _held(path: Path) -> _Holder:
    there = path.stat()
    return _Holder(there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode))


def _replace(path: Path, text: str, holder: _Holder) -> None:
    """Write a temporary file and rename it: a reader sees the old content or the new one."""
    fresh = path.with_name(f".{path.name}.offrecord-{os.getpid()}")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
            _own(handle, holder)
            file.flush()
            os.fsync(handle)
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


def _own(handle: int, holder: _Holder) -> None:
    there = os.fstat(handle)
    if (there.st_uid, there.st_gid) != (holder.uid, holder.gid) and os.geteuid() == 0:
        os.chown(handle, holder.uid, holder.gid)
    os.fchmod(handle, holder.mode)


def _holder(root: Path, path: Path, owner: Owner) -> _Holder:
    """Return the owner and mode of a file: the present ones, else those of its kind."""
    if path.exists():
        there = _held(path)
        tight = there.mode & _MODES[owner] if owner.secret else there.mode
        return _Holder(there.uid, there.gid, tight)
    if owner in {Owner.ROOT, Owner.SECRET}:
        return _Holder(os.geteuid(), os.getegid(), _MODES[owner])
    like = _neighbour(path.parent)
    if owner is Owner.ASTERISK:
        return like
    group = _group(root, "asterisk")
    return _Holder(os.geteuid(), like.gid if group is None else group, _MODES[owner])


def _neighbour(folder: Path) -> _Holder:
    """Return the owner and mode of the other files in Asterisk's folder."""
    for name in _NEIGHBOURS:
        with contextlib.suppress(FileNotFoundError):
            return _held(folder / name)
    there = _held(folder)
    return _Holder(there.uid, there.gid, 0o644)


def _group(root: Path, name: str) -> int | None:
    for row in (read(root / "etc/group") or "").splitlines():
        fields = row.split(":")
        if fields[0] == name and len(fields) > 2 and fields[2].isdigit():
            return int(fields[2])
    return None


def _folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o755)
        if folder.name == "credentials":
            folder.chmod(0o700)


def _tidy(folder: Path) -> None:
    """Remove a folder of ours if it is empty."""
    if folder.name in {"credentials", "offrecord.service.d"}:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _backup(path: Path) -> Path:
    """Copy a file to the next free `NAME.~N~` in its folder, with the same owner and mode."""
    number = 1
    while (copy := path.with_name(f"{path.name}.~{number}~")).exists():
        number += 1
    _replace(copy, path.read_bytes().decode("utf-8", "surrogateescape"), _held(path))
    return copy


def _undo(one: Written) -> None:
    """Restore one file. Errors of the disk are ignored."""
    with contextlib.suppress(OSError):
        if one.was is None or one.change.before is None:
            one.path.unlink()
        elif one.backup is not None:
            one.backup.replace(one.path)
        else:
            _folder(one.path.parent)
            _replace(one.path, one.change.before, one.was)
