# SPDX-License-Identifier: Apache-2.0
"""Read the state of the machine: Asterisk's folder, an earlier run, the installed package."""

import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Final

from offrecord.asterisk_files import conf_parser
from offrecord.setup.answers import PROGRAM, Found, Layout, Places
from offrecord.setup.changes import problem
from offrecord.setup.plan_ari import SECRET as ARI_SECRET_FILE
from offrecord.setup.plan_pbx import SECRET
from offrecord.setup.plan_site import AMI_SECRET, ARI_SECRET, NOOJEE_KEY

USER: Final = "offrecord"
"""The user that the daemon runs as."""

ASTERISK: Final = "asterisk"
"""The group that Asterisk's recordings belong to."""

_PACKAGED: Final = ("usr/lib/systemd/system", "lib/systemd/system")
_FREEPBX: Final = ("etc/freepbx.conf", "etc/issabelpbx.conf", "etc/issabel.conf")
_MAX_FILES: Final = 5000
_NO_CHAN_SIP: Final = 21


def outside(root: Path, path: PurePosixPath) -> Path:
    """Map a path of the target machine to its path below `root`."""
    return root / str(path).lstrip("/")


def look(root: Path, places: Places) -> Found:
    """Return everything that a plan needs to know. Changes nothing. Raises `UserError`."""
    tree = _folder(outside(root, places.etc))
    credentials = places.credentials
    wanted = (
        places.config, places.manifest, places.unit, places.drop_in,
        credentials / AMI_SECRET, credentials / ARI_SECRET, credentials / NOOJEE_KEY,
    )  # fmt: skip
    files = {path: text for path in wanted if (text := read(outside(root, path))) is not None}
    secrets = {
        credentials / AMI_SECRET: 0o077,
        credentials / ARI_SECRET: 0o077,
        credentials / NOOJEE_KEY: 0o077,
        places.etc / SECRET: 0o007,
        places.etc / ARI_SECRET_FILE: 0o007,
    }
    version = _version(root)
    return Found(
        tree=tree,
        layout=_layout(root, tree, str(places.etc)),
        places=places,
        files=files,
        loose=frozenset(path for path, bits in secrets.items() if _mode(root, path) & bits),
        version=version,
        technology=_technology(tree, version, str(places.etc)),
        packaged_unit=next(filter(None, (
            read(root / folder / "offrecord.service") for folder in _PACKAGED
        )), None),
        program=_program(root),
        has_user="\noffrecord:" in "\n" + (read(root / "etc/passwd") or ""),
        spool_group=_spool_group(root),
        has_systemd=outside(root, places.units).is_dir(),
        manifest=_manifest(files.get(places.manifest), places.manifest),
    )  # fmt: skip


def _folder(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise problem(
            f"{folder} is not there",
            "install Asterisk first, or say where its configuration is by --asterisk-etc",
        )
    names = sorted(
        path for path in folder.rglob("*") if path.name.endswith(".conf") and path.is_file()
    )
    if len(names) > _MAX_FILES:
        raise problem(f"{folder} has over {_MAX_FILES} files", "check --asterisk-etc")
    return {str(path.relative_to(folder)): read(path) or "" for path in names}


def read(path: Path) -> str | None:
    """Return the text of a file, None where it does not exist. Raises `UserError`."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise problem(f"{path} cannot be read: {why}", "run init as root") from None


def _mode(root: Path, path: PurePosixPath) -> int:
    try:
        return stat.S_IMODE(outside(root, path).stat().st_mode)
    except OSError:
        return 0


def _layout(root: Path, tree: conf_parser.Tree, folder: str) -> Layout:
    made = "features_applicationmap_custom.conf" in conf_parser.includes(
        tree, "features.conf", folder
    )
    if made or any((root / name).exists() for name in _FREEPBX):
        return Layout.FREEPBX
    return Layout.PLAIN


def _version(root: Path) -> tuple[int, ...]:
    """Return Asterisk's version, from the packages or the program; empty when not known."""
    status = read(root / "var/lib/dpkg/status") or ""
    text = re.search(r"^Package: asterisk\n(?:.+\n)*?Version: (?:\d+:)?([\d.]+)", status,
                     re.MULTILINE)  # fmt: skip
    if text is None and root == Path("/") and (program := shutil.which("asterisk")):
        done = subprocess.run(  # noqa: S603 - the PBX's own program
            [program, "-V"], capture_output=True, text=True, check=False, timeout=10
        )
        text = re.search(r"Asterisk (?:certified/)?([\d.]+)", done.stdout)
    return tuple(int(part) for part in text[1].split(".") if part) if text else ()


def _technology(tree: conf_parser.Tree, version: tuple[int, ...], folder: str) -> str:
    """Return the channel technology with more phones; PJSIP where chan_sip was removed."""
    if version and version[0] >= _NO_CHAN_SIP:
        return "PJSIP"
    modern = sum(line.key == "type" and line.value == "endpoint"
                 for line in conf_parser.lines(tree, "pjsip.conf", folder))  # fmt: skip
    old = sum(line.key == "type" and line.value in {"friend", "peer"}
              for line in conf_parser.lines(tree, "sip.conf", folder))  # fmt: skip
    return "SIP" if old > modern else "PJSIP"


def _program(root: Path) -> PurePosixPath:
    """Return the program's path for the unit: next to this Python, if for this machine."""
    here = Path(sys.executable).parent / "offrecord"
    if root == Path("/") and here.exists():
        return PurePosixPath(here)
    return PROGRAM


def _spool_group(root: Path) -> str:
    """Return Asterisk's group where the daemon's user is not a member of it yet, else nothing."""
    for row in (read(root / "etc/group") or "").splitlines():
        name, _, rest = row.partition(":")
        if name == ASTERISK and USER not in rest.rpartition(":")[2].split(","):
            return name
    return ""


def _manifest(text: str | None, path: PurePosixPath) -> dict[str, str]:
    if text is None:
        return {}
    try:
        files = json.loads(text)["files"]
        return {str(name): str(value) for name, value in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise problem(
            f"{path} is no list of init's", "take it away; files are then removed by hand"
        ) from None
