# SPDX-License-Identifier: Apache-2.0
"""The wheel of this checkout, built once a run."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build_wheel(project: Path, into: Path) -> Path:
    """Build a project's wheel into a folder and return it."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)],
        cwd=project, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = into.glob("*.whl")
    return wheel


def wheel_of_this_run(factory: pytest.TempPathFactory) -> Path:
    """Return our wheel. The first process of the run that needs it builds it, the others wait."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "our-wheel"
    with (shared / "our-wheel.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return next(folder.glob("*.whl"), None) or build_wheel(ROOT, folder)
