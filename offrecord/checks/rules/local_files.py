# SPDX-License-Identifier: Apache-2.0
"""What is ours on this machine: the configuration, and who can read or change its files."""

import grp
import pwd
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from bridges.model import hook_of
from offrecord.asterisk_files.conf_parser import lines
from offrecord.base.errors import Exit, UserError
from offrecord.checks.inputs import CheckInputs
from offrecord.checks.model import Finding, broken, doubt, well
from offrecord.web.tokens import Tokens

_SYSTEMD: Final = "/run/credentials"
_FILE: Final = "file "
_SECRET: Final = "the secret in "  # noqa: S105 - how the loader begins its warning about a mode


async def config(scene: CheckInputs) -> list[Finding]:
    """Say what the loader was not sure of; what it was sure of has ended the command before."""
    said = [text for text in scene.loaded.warnings if not text.startswith(_SECRET)]
    found = [_split("config", text) for text in said]
    return found or [well("config", "0 warnings")]


def _split(what: str, text: str) -> Finding:
    head, _, fix = text.partition("; ")
    return broken(what, head, fix, Exit.CONFIG)


async def hooks(scene: CheckInputs) -> list[Finding]:
    """Say which recorder waits for reports that cannot come."""
    if scene.loaded.config.http.enabled:
        return []
    return [
        doubt("hooks", f"{name} waits for reports of its vendor, and nothing listens for them",
              "set `enabled = true` in [http]")
        for name, recorder in scene.recorders.items()
        if hook_of(recorder) is not None
    ]  # fmt: skip


async def secrets(scene: CheckInputs) -> list[Finding]:
    """Say who beside their owner can read the secrets, or put others in their place."""
    loaded = scene.loaded
    files = sorted({
        Path(secret.origin.removeprefix(_FILE))
        for secret in loaded.secrets if secret.origin.startswith(_FILE)
    })  # fmt: skip
    found = [one for path in files for one in _readable(path, stat.S_IRGRP | stat.S_IROTH)]
    folders = {path.parent for path in files if not _guarded(path)}
    if scene.places.config is not None:
        folders.add(scene.places.config.absolute().parent)
        files.append(scene.places.config)
    found += _changeable([*files, *sorted(folders)])
    found += [one for path in _of_asterisk(scene) for one in _readable(path, stat.S_IROTH)]
    if loaded.config.api.enabled:
        found += _tokens(loaded.config.api.tokens)
    if found:
        return found
    kept = [secret for secret in loaded.secrets if secret.origin.startswith(_FILE)]
    return [well("secrets", f"{len(kept)} files that nobody else can read or change")]


def _guarded(path: Path) -> bool:
    """Say whether systemd guards a file; it grants its service by ACL, which shows as a mode."""
    return path.is_relative_to(_SYSTEMD)


def _of_asterisk(scene: CheckInputs) -> Iterator[Path]:
    """Yield the files of Asterisk that hold the account's secret, where they are seen."""
    for line in lines(scene.tree or {}, "manager.conf", str(scene.etc)):
        if line.section == scene.loaded.config.ami.username and line.key == "secret":
            yield scene.etc / line.file


def _readable(path: Path, by: int) -> Iterator[Finding]:
    """Yield who else can read a secret; `by` are the bits of the mode that nobody may have."""
    if _guarded(path) or not path.exists():
        return
    now = path.stat()
    group = f"the group {_group(now.st_gid)}"
    bits = ((group, stat.S_IRGRP), ("everyone on this machine", stat.S_IROTH))
    others = [who for who, bit in bits if now.st_mode & by & bit]
    if others:
        mode = "600" if by & stat.S_IRGRP else "o-rwx"
        yield broken(
            "secrets",
            f"the secret in {path} ({stat.filemode(now.st_mode)}) can be read by"
            f" {' and '.join(others)}",
            f"chmod {mode} {path}",
            Exit.CONFIG,
        )


def _changeable(paths: Iterable[Path]) -> Iterator[Finding]:
    """Yield which of these somebody else could change."""
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
            yield broken(
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
        yield broken("secrets", error.message, error.fix, Exit.CONFIG)


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
