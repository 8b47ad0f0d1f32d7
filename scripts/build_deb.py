# SPDX-License-Identifier: Apache-2.0
"""Make the Debian package: the wheel and all that it needs, one environment for every Debian.

Run by `packaging/build-deb`. Why it is built like this: docs/decisions/0013-packages.md.
"""

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Final

from lab.pbx.chroot import cache_folder
from scripts.wheels import PYTHONS, WheelError, bundled, merge, read, wheelhouse

ROOT: Final = Path(__file__).parent.parent
HOME: Final = "usr/lib/offrecord"
PROGRAMS: Final = {
    "offrecord": "offrecord.cli.main:main",
    "offrecord-agi": "agi.oneshot:main",
}
"""Programs that /usr/bin links to; a test compares them with pyproject.toml."""

SHARED: Final = ("dialplan-examples", "packaging/grafana", "packaging/prometheus")
"""Folders of the checkout that go to /usr/share/offrecord."""

_COMPLETIONS: Final = {
    "offrecord.bash": "usr/share/bash-completion/completions/offrecord",
    "_offrecord": "usr/share/zsh/vendor-completions/_offrecord",
    "offrecord.fish": "usr/share/fish/vendor_completions.d/offrecord.fish",
}
_FOLDERS: Final = {
    "etc/offrecord": 0o750,
    "etc/offrecord/conf.d": 0o750,
    "etc/offrecord/credentials": 0o700,
}
_SCRIPTS: Final = ("postinst", "prerm", "postrm")

# -I: what an administrator has in PYTHONPATH or in a home folder does not reach the daemon.
_LAUNCHER: Final = """#!/{home}/bin/python3 -I
import sys
from {module} import {function}
sys.exit({function}())
"""
_PYVENV: Final = """home = /usr/bin
include-system-site-packages = false
"""
_COPYRIGHT: Final = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: offrecord
Comment: The libraries below lie in /{home}/site, each with its licence in its .dist-info folder:
{libraries}

Files: *
Copyright: 2026 the offrecord contributors
License: Apache-2.0

License: Apache-2.0
 On Debian systems, the text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.
"""


def build(root: Path, output: Path, cache: Path, *, compress: str = "xz") -> Path:
    """Make the package from the checkout at `root` and return where in `output` it is.

    `cache` keeps the wheels. The same inputs give the same bytes. Raises `WheelError`, and
    `CalledProcessError` when hatchling or dpkg-deb fail.
    """
    with tempfile.TemporaryDirectory(prefix="offrecord-deb-") as made:
        work = Path(made)
        ours = _wheel(root, work / "dist")
        wheels = [ours, *wheelhouse(ours, root / "constraints.txt", cache).glob("*.whl")]
        version = debian_version(str(read(ours)["Version"]))
        stamp = _stamp(root)
        tree = work / "tree"
        tree.mkdir(mode=0o755)
        _environment(tree / HOME, wheels)
        _links(tree)
        _files(root, tree)
        _documents(root, tree, wheels, version, stamp)
        _control(root, tree, version)
        output.mkdir(parents=True, exist_ok=True)
        path = output / f"offrecord_{version}_amd64.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", f"-Z{compress}", "--build", str(tree), str(path)],
            check=True, capture_output=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(stamp)},
        )  # fmt: skip
        return path


def debian_version(version: str) -> str:
    """Return a version of Python's as Debian sorts it: 1.0rc1 is before 1.0."""
    return re.sub(r"\.?(a|b|rc|dev)(?=\d)", r"~\1", version)


def _wheel(root: Path, folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = folder.glob("*.whl")
    return wheel


def _stamp(root: Path) -> int:
    """Return the time stamp of all files: `SOURCE_DATE_EPOCH`, else that of the last commit."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told:
        return int(told)
    asked = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=root, capture_output=True, text=True, check=False
    )
    return int(asked.stdout) if asked.returncode == 0 and asked.stdout.strip() else int(time.time())


def _environment(home: Path, wheels: Iterable[Path]) -> None:
    """Make one environment for every Python: they differ in the name of one folder."""
    merge(wheels, home / "site")
    (home / "pyvenv.cfg").write_text(_PYVENV)
    for python in PYTHONS:
        folder = home / "lib" / f"python{python}"
        folder.mkdir(parents=True)
        (folder / "site-packages").symlink_to("../../site")
    (home / "bin").mkdir()
    (home / "bin" / "python3").symlink_to("../../../bin/python3")
    for name, target in PROGRAMS.items():
        module, _, function = target.partition(":")
        _write(
            home / "bin" / name,
            _LAUNCHER.format(home=HOME, module=module, function=function),
            0o755,
        )


def _links(tree: Path) -> None:
    for name in PROGRAMS:
        _link(tree / "usr/bin" / name, f"../lib/offrecord/bin/{name}")
    _link(tree / "usr/share/asterisk/agi-bin/offrecord-agi", "../../../bin/offrecord-agi")
    _link(tree / "usr/share/asterisk/sounds/offrecord", "../../offrecord/sounds/offrecord")


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def unit(root: Path) -> str:
    """Return the systemd unit as the package has it: the program is in /usr/bin."""
    text = (root / "packaging" / "offrecord.service").read_text()
    return text.replace("/opt/offrecord/bin/", "/usr/bin/").replace(
        "File: /etc/systemd/system/offrecord.service",
        "Changes belong in /etc/systemd/system/offrecord.service.d: systemctl edit offrecord",
    )


def _files(root: Path, tree: Path) -> None:
    for name, mode in _FOLDERS.items():
        (tree / name).mkdir(parents=True)
        (tree / name).chmod(mode)
    share = tree / "usr/share/offrecord"
    for name in SHARED:
        _copy(root / name, share / Path(name).name)
    _copy(root / "sounds" / "offrecord", share / "sounds" / "offrecord")
    _write(tree / "usr/lib/systemd/system/offrecord.service", unit(root))
    _write(
        tree / "usr/share/python3/runtime.d/offrecord.rtupdate",
        (root / "packaging/debian/offrecord.rtupdate").read_text(),
        0o755,
    )
    pages = sorted((root / "build" / "man").glob("*.1"))
    for page in pages:
        _write(tree / "usr/share/man/man1" / f"{page.name}.gz", _zipped(page.read_bytes()))
    completions = root / "build" / "completion"
    there = [name for name in _COMPLETIONS if (completions / name).is_file()]
    for name in there:
        _write(tree / _COMPLETIONS[name], (completions / name).read_text())
    if not pages:
        print("build-deb: build/man has no man page, so the package has none", file=sys.stderr)
    if not there:
        print("build-deb: build/completion is empty, so nothing is completed", file=sys.stderr)


def _documents(root: Path, tree: Path, wheels: Iterable[Path], version: str, stamp: int) -> None:
    docs = tree / "usr/share/doc/offrecord"
    for path in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        _write(docs / path.relative_to(root), path.read_text())
    libraries = "\n".join(f" {n} {v}: {licence}" for n, v, licence in bundled(wheels))
    _write(docs / "copyright", _COPYRIGHT.format(home=HOME, libraries=libraries))
    log = (
        f"offrecord ({version}) stable; urgency=medium\n\n"
        "  * What has changed is in CHANGELOG.md.gz.\n\n"
        f" -- {maintainer(os.environ)}  {formatdate(stamp, localtime=False)}\n"
    )
    _write(docs / "changelog.gz", _zipped(log.encode()))
    _write(docs / "CHANGELOG.md.gz", _zipped((root / "CHANGELOG.md").read_bytes()))
    _write(
        tree / "usr/share/lintian/overrides/offrecord",
        (root / "packaging/debian/offrecord.lintian-overrides").read_text(),
    )


def maintainer(environment: Mapping[str, str]) -> str:
    """Return who built it, by the variables that Debian's own tools read."""
    name = environment.get("DEBFULLNAME") or "offrecord"
    return f"{name} <{environment.get('DEBEMAIL') or 'root@localhost'}>"


def _control(root: Path, tree: Path, version: str) -> None:
    control = tree / "DEBIAN"
    size = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
    first, last = PYTHONS[0], int(PYTHONS[-1].partition(".")[2])
    text = (root / "packaging/debian/control").read_text()
    for mark, value in {
        "VERSION": version,
        "MAINTAINER": maintainer(os.environ),
        "SIZE": str(size),
        "FIRST": first,
        "AFTER": f"3.{last + 1}~",
    }.items():
        text = text.replace(f"@{mark}@", value)
    _write(control / "control", text)
    sums = subprocess.run(
        "find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum",
        cwd=tree, shell=True, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    _write(control / "md5sums", sums)
    for name in _SCRIPTS:
        _write(control / name, (root / "packaging/debian" / name).read_text(), 0o755)


def _zipped(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            _write(target / path.relative_to(source), path.read_bytes())


def _write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)


def main() -> int:
    """Build as the command line says and print where the package is."""
    parser = argparse.ArgumentParser(prog="build-deb", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="where the package goes")
    parser.add_argument(
        "--compress", choices=("xz", "zstd"), default="xz", help="zstd is larger and much quicker"
    )
    given = parser.parse_args()
    if shutil.which("dpkg-deb") is None:
        print("build-deb: there is no dpkg-deb here: run it on Debian", file=sys.stderr)
        return 1
    os.umask(0o022)
    try:
        path = build(ROOT, given.output, cache_folder(), compress=given.compress)
    except WheelError as problem:
        print(f"build-deb: {problem}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as problem:
        said = problem.stderr if isinstance(problem.stderr, str) else problem.stderr.decode()
        print(f"build-deb: {problem.cmd[0]} failed: {said}", file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
