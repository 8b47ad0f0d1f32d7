# SPDX-License-Identifier: Apache-2.0
"""The rules about our files: the configuration's warnings, and who can read or change them."""

import grp
import pwd
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from offrecord.asterisk_files.conf_parser import lines
from offrecord.base.errors import Exit, UserError
from offrecord.checks.finding import Finding, failure, ok
from offrecord.checks.inputs import CheckInputs
from offrecord.web.tokens import Tokens

_SYSTEMD: Final = "/run/credentials"
_FILE: Final = "file "
_SECRET: Final = "the secret in "  # noqa: S105 - how the loader begins its warning about a mode


async def config(inputs: CheckInputs) -> list[Finding]:
    """Report the warnings of the loader; its errors have ended the command already."""
    said = [text for text in inputs.loaded.warnings if not text.startswith(_SECRET)]
    found = [_split("config", text) for text in said]
    return found or [ok("config", "0 warnings")]


def _split(what: str, text: str) -> Finding:
    head, _, fix = text.partition("; ")
    return failure(what, head, fix, Exit.CONFIG)


async def secrets(inputs: CheckInputs) -> list[Finding]:
    """Check that only their owner can read or replace the secrets."""
    loaded = inputs.loaded
    files = sorted({
        Path(secret.origin.removeprefix(_FILE))
        for secret in loaded.secrets if secret.origin.startswith(_FILE)
    })  # fmt: skip
    found = [one for path in files for one in _readable(path, stat.S_IRGRP | stat.S_IROTH)]
    folders = {path.parent for path in files if not _guarded(path)}
    if inputs.places.config is not None:
        folders.add(inputs.places.config.absolute().parent)
        files.append(inputs.places.config)
    found += _changeable([*files, *sorted(folders)])
    found += [one for path in _of_asterisk(inputs) for one in _readable(path, stat.S_IROTH)]
    if loaded.config.api.enabled:
        found += _tokens(loaded.config.api.tokens)
    if found:
        return found
    kept = [secret for secret in loaded.secrets if secret.origin.startswith(_FILE)]
    return [ok("secrets", f"{len(kept)} files that nobody else can read or change")]


def _guarded(path: Path) -> bool:
    """Return whether systemd provides a file; its ACL for the service shows as a group's mode."""
    return path.is_relative_to(_SYSTEMD)


def _of_asterisk(inputs: CheckInputs) -> Iterator[Path]:
    """Yield the files of Asterisk that hold the account's secret, as far as they can be read."""
    for line in lines(inputs.tree or {}, "manager.conf", str(inputs.etc)):
        if line.section == inputs.loaded.config.ami.username and line.key == "secret":
            yield inputs.etc / line.file


def _readable(path: Path, by: int) -> Iterator[Finding]:
    """Yield a failure when others can read a secret; `by` are the forbidden bits of its mode."""
    if _guarded(path) or not path.exists():
        return
    now = path.stat()
    group = f"the group {_group(now.st_gid)}"
    bits = ((group, stat.S_IRGRP), ("everyone on this machine", stat.S_IROTH))
    others = [who for who, bit in bits if now.st_mode & by & bit]
    if others:
        mode = "600" if by & stat.S_IRGRP else "o-rwx"
        yield failure(
            "secrets",
            f"the secret in {path} ({stat.filemode(now.st_mode)}) can be read by"
            f" {' and '.join(others)}",
            f"chmod {mode} {path}",
            Exit.CONFIG,
        )


def _changeable(paths: Iterable[Path]) -> Iterator[Finding]:
    """Yield a failure for each of the paths that another user could change."""
    for path in paths:
        try:
            now = path.stat()
        except OSError:
            continue  # the loader has said so
        others = [
            who
            for who, bit in (("its group", stat.S_IWGRP), ("everyone", stat.S_IWOTH))
            if now.st_mode & bit and not (stat.S_ISDIR(now.st_mode) and now.st_mode & stat.S_ISVTX)
        ]
        if others:
            yield failure(
                "secrets",
                f"{path} ({stat.filemode(now.st_mode)} {_owner(path)}:{_group(now.st_gid)}) can be"
                f" changed by {' and '.join(others)}, who could have the daemon do anything",
                f"chmod go-w {path}",
                Exit.CONFIG,
            )


def _tokens(path: Path) -> Iterator[Finding]:
    try:
        Tokens(path).clients()
    except UserError as error:
        yield failure("secrets", error.message, error.fix, Exit.CONFIG)


def _owner(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"gid {gid}"
