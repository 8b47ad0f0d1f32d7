# SPDX-License-Identifier: Apache-2.0
"""What the Debian package is made of: wheels that fit into one folder, for several Pythons."""

import subprocess
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.build_deb import PROGRAMS, debian_version, maintainer, unit
from scripts.wheels import PYTHONS, WheelError, bundled, merge, missing

ROOT = Path(__file__).parents[3]
PURE = "py3-none-any"


def compiled(python: str) -> str:
    return f"cp{python}-cp{python}-manylinux_2_28_x86_64"


def wheel(
    folder: Path, name: str, tags: str = PURE, *needs: str, files: Mapping[str, str] | None = None
) -> Path:
    """Make a wheel of version 1.0 that needs these."""
    path = folder / f"{name}-1.0-{tags}.whl"
    lines = [f"Name: {name}", "Version: 1.0", "License-Expression: MIT"]
    metadata = "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs), ""])
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        packed.writestr(f"{name}-1.0.dist-info/RECORD", tags)
        packed.writestr(f"{name}-1.0.dist-info/WHEEL", tags)
        for file, text in (files or {f"{name}.py": name}).items():
            packed.writestr(file, text)
    return path


def test_compiled_modules_of_several_pythons_lie_beside_each_other(tmp_path: Path) -> None:
    both = [
        wheel(tmp_path, "core", compiled(python),
              files={"core/__init__.py": "", f"core/fast.cpython-{python}.so": python})
        for python in ("311", "312")
    ]  # fmt: skip
    merge(both, tmp_path / "site")

    assert sorted(path.name for path in (tmp_path / "site" / "core").iterdir()) == [
        "__init__.py", "fast.cpython-311.so", "fast.cpython-312.so",
    ]  # fmt: skip
    assert [path.name for path in (tmp_path / "site" / "core-1.0.dist-info").iterdir()] == [
        "METADATA"
    ]


def test_wheels_that_say_different_things_in_one_file_are_refused(tmp_path: Path) -> None:
    both = [
        wheel(tmp_path, "core", compiled(python), files={"core.py": python})
        for python in ("311", "312")
    ]
    with pytest.raises(WheelError, match=r"have different core\.py"):
        merge(both, tmp_path / "site")


@pytest.mark.parametrize(
    ("file", "said"), [("core-1.0.data/scripts/x", "site-packages"), ("../x.py", "leaves")]
)
def test_files_for_elsewhere_are_refused(file: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WheelError, match=said):
        merge([wheel(tmp_path, "core", files={file: ""})], tmp_path / "site")


@pytest.mark.parametrize(
    ("needs", "there", "lacking"),
    [
        (["b"], ["b"], []),
        (["b>=2"], ["b"], ["b>=2"]),
        (["b", "c"], ["b"], ["c"]),
        (['b; python_version < "3.11"'], [], []),
        (['b; python_version >= "3.12"'], [], ["b"]),
        (['b; sys_platform == "win32"'], [], []),
        (['b; extra == "more"'], [], []),
        (["B_b"], ["b_b"], []),
    ],
)
def test_what_a_python_lacks_is_found(
    needs: list[str], there: list[str], lacking: list[str], tmp_path: Path
) -> None:
    ours = wheel(tmp_path, "ours", PURE, *needs)
    assert missing("3.12", [ours, *(wheel(tmp_path, name) for name in there)]) == lacking


def test_needs_of_needs_and_of_extras_count(tmp_path: Path) -> None:
    ours = wheel(tmp_path, "ours", PURE, "b[more]")
    b = wheel(tmp_path, "b", PURE, "c", 'd; extra == "more"', 'e; extra == "other"')
    assert missing("3.12", [ours, b]) == ["c", "d"]


def test_a_wheel_for_another_python_does_not_help(tmp_path: Path) -> None:
    ours = wheel(tmp_path, "ours", PURE, "b")
    b = wheel(tmp_path, "b", compiled("312"))
    assert (missing("3.12", [ours, b]), missing("3.13", [ours, b])) == ([], ["b"])


def test_what_is_bundled_is_told_with_its_licence(tmp_path: Path) -> None:
    made = [wheel(tmp_path, "b", compiled(python)) for python in ("311", "312")]
    assert bundled([*made, wheel(tmp_path, "a")]) == [("a", "1.0", "MIT"), ("b", "1.0", "MIT")]


@pytest.mark.parametrize(
    ("python", "debian"),
    [("1.0.0", "1.0.0"), ("1.0rc1", "1.0~rc1"), ("1.0a2", "1.0~a2"), ("1.0.dev3", "1.0~dev3")],
)
def test_a_version_before_a_version_is_so_for_debian_too(python: str, debian: str) -> None:
    assert debian_version(python) == debian


def test_the_package_has_the_programs_of_the_wheel_on_the_pythons_it_is_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["scripts"] == PROGRAMS
    assert project["requires-python"] == f">={PYTHONS[0]}"


def test_who_built_it_is_asked_as_debian_does() -> None:
    given = {"DEBFULLNAME": "fred", "DEBEMAIL": "fred@example.org"}
    assert maintainer(given) == "fred <fred@example.org>"
    assert maintainer({}) == "offrecord <root@localhost>"


def test_the_packaged_service_differs_in_its_place_alone() -> None:
    packaged = unit(ROOT).splitlines()
    ours = (ROOT / "packaging" / "offrecord.service").read_text().splitlines()
    changed = [new for new, old in zip(packaged, ours, strict=True) if new != old]

    assert "ExecStart=/usr/bin/offrecord run" in changed
    assert [line for line in changed if not line.startswith("#")] == [
        "ExecStart=/usr/bin/offrecord run"
    ]
    assert not [line for line in packaged if "/opt/" in line and not line.startswith("#")]


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm", "offrecord.rtupdate"])
def test_the_package_s_scripts_are_for_any_shell(script: str) -> None:
    path = ROOT / "packaging" / "debian" / script
    done = subprocess.run(["sh", "-n", str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text().startswith("#!/bin/sh\n")
    assert "set -e" in path.read_text()
