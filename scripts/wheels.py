# SPDX-License-Identifier: Apache-2.0
"""The wheels in the Debian package: fetched once, kept, and merged into one folder.

A module in C has the Python that it is for in its name, and the rest of a wheel is the same for
every Python. The wheels of one version for several Pythons therefore fit into one folder; `merge`
refuses those that do not.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
"""The Pythons of Debian 12 and newer that the package runs on."""

PLATFORMS: Final = (
    "manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
)  # fmt: skip
"""Platforms whose modules Debian 12's C library, 2.36, can load."""

# They describe one wheel alone; nothing reads them once the files are in place.
_OWN_OF_A_WHEEL: Final = ("RECORD", "WHEEL", "sboms")


class WheelError(Exception):
    """The wheels cannot be fetched, or do not fit into one folder; the text says which."""


def read(wheel: Path) -> Message:
    """Return the metadata of a wheel."""
    with zipfile.ZipFile(wheel) as packed:
        [name] = [n for n in packed.namelist() if n.endswith(".dist-info/METADATA")]
        return Parser().parsestr(packed.read(name).decode())


def wheelhouse(ours: Path, constraints: Path, cache: Path) -> Path:
    """Return the folder of every wheel that `ours` needs, for every Python.

    It is under `cache`, named after what was asked for, and made first where it is not there:
    that takes the network and half a minute. Folders made for something else are removed.
    Raises `WheelError`.
    """
    asked = [*PYTHONS, *PLATFORMS, constraints.read_text(), *_needs(read(ours))]
    key = hashlib.sha256("\n".join(asked).encode()).hexdigest()[:16]
    folder = cache / f"wheelhouse-{key}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="wheelhouse.", dir=cache))
        try:
            _fetch(ours, constraints, fresh)
            fresh.chmod(0o755)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    for old in cache.glob("wheelhouse-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _needs(metadata: Message) -> list[str]:
    return [str(one) for one in metadata.get_all("Requires-Dist", [])]


def _fetch(ours: Path, constraints: Path, folder: Path) -> None:
    pinned = ("--constraint", str(constraints.absolute()))
    _download(folder, PYTHONS[0], *pinned, str(ours.absolute()))
    (folder / ours.name).unlink()
    # Pure wheels serve every Python; the others are fetched for each.
    binary = [
        f"{name}=={version}"
        for path in sorted(folder.glob("*.whl"))
        for name, version, _, tags in [parse_wheel_filename(path.name)]
        if not any(tag.platform == "any" for tag in tags)
    ]
    for python in PYTHONS[1:]:
        _download(folder, python, "--no-deps", *binary)
    for python in PYTHONS:
        # What only this Python asks for brings needs of its own.
        while lacking := missing(python, [ours, *folder.glob("*.whl")]):
            _download(folder, python, "--no-deps", *pinned, *lacking)


def _download(folder: Path, python: str, *what: str) -> None:
    if not {one for one in what if not one.startswith("-")}:
        return
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--dest", str(folder), "--only-binary=:all:", "--python-version", python,
            *platforms, *what,
        ],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise WheelError(f"wheels for Python {python}: {'; '.join(said) or done.stderr}")


def missing(python: str, wheels: Iterable[Path]) -> list[str]:
    """Return the requirements that no wheel among `wheels` meets on a Python, the first is ours."""
    first, *rest = wheels
    tag = f"cp{python.replace('.', '')}"
    there: dict[str, tuple[Path, str]] = {}
    for path in (first, *rest):
        project, version, _, tags = parse_wheel_filename(path.name)
        if any(one.interpreter in {"py3", tag} or one.abi == "abi3" for one in tags):
            there[str(project)] = (path, str(version))
    lacking: set[str] = set()
    seen: set[tuple[str, str]] = set()
    open_ends: list[tuple[str, str]] = [(str(parse_wheel_filename(first.name)[0]), "")]
    while open_ends:
        name, extra = open_ends.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for need in _on(read(there[name][0]), python, extra):
            wanted = str(canonicalize_name(need.name))
            found = there.get(wanted)
            if found is None or not need.specifier.contains(found[1], prereleases=True):
                lacking.add(f"{need.name}{need.specifier}")
            else:
                open_ends += [(wanted, one) for one in ("", *sorted(need.extras))]
    return sorted(lacking)


def _on(metadata: Message, python: str, extra: str) -> Iterator[Requirement]:
    # `packaging` takes what is not named here from the running machine, which is of the same kind.
    there: Mapping[str, str] = {
        "python_version": python, "python_full_version": f"{python}.0", "extra": extra,
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
        "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64",
    }  # fmt: skip
    for line in _needs(metadata):
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate(dict(there)):
            yield need


def merge(wheels: Iterable[Path], site: Path) -> None:
    """Lay the files of all wheels into one folder.

    Raises `WheelError` where two wheels have different files of one name, or a wheel has files
    that belong elsewhere than into `site-packages`.
    """
    made: dict[str, Path] = {}
    for wheel in sorted(wheels, key=lambda path: path.name):
        with zipfile.ZipFile(wheel) as packed:
            for info in packed.infolist():
                name = info.filename
                top, *below = name.split("/")
                if info.is_dir() or _is_own_of_a_wheel(top, below):
                    continue
                if top.endswith(".data"):
                    raise WheelError(f"{wheel.name} has {name}, which is not for site-packages")
                _lay(site / name, packed.read(info), wheel, made)


def _is_own_of_a_wheel(top: str, below: list[str]) -> bool:
    return top.endswith(".dist-info") and below[0] in _OWN_OF_A_WHEEL


def _lay(path: Path, content: bytes, wheel: Path, made: dict[str, Path]) -> None:
    if ".." in path.parts:
        raise WheelError(f"{wheel.name} leaves its folder: {path}")
    before = made.setdefault(str(path), wheel)
    if before is not wheel:
        if path.read_bytes() != content:
            raise WheelError(f"{before.name} and {wheel.name} have different {path.name}")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.chmod(path, 0o644)  # noqa: PTH101 - whatever the umask


def bundled(wheels: Iterable[Path]) -> list[tuple[str, str, str]]:
    """Return name, version and licence of each project, as its own metadata has them."""
    found = set()
    for wheel in wheels:
        metadata = read(wheel)
        classifiers = [
            line.rpartition(" :: ")[2]
            for line in metadata.get_all("Classifier", [])
            if line.startswith("License ::")
        ]
        licence = metadata["License-Expression"] or metadata["License"] or ", ".join(classifiers)
        short = (str(licence).strip().splitlines() or ["see its files"])[0]
        found.add((str(metadata["Name"]), str(metadata["Version"]), short))
    return sorted(found, key=lambda one: one[0].lower())
