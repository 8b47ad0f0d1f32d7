# SPDX-License-Identifier: Apache-2.0
"""The wheel: what an installation without a checkout has."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_an_installed_offrecord_shows_the_captured_call(tmp_path: Path) -> None:
    built = tmp_path / "dist"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = built.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)

    assert (site / "offrecord/asterisk_files/dialplan-examples/features.conf").is_file()
    assert (site / "offrecord/sounds/confirmed.wav").is_file()
    shown = subprocess.run(
        [sys.executable, "-m", "offrecord", "demo", "--captured"],
        cwd=site, env={**os.environ, "PYTHONPATH": str(site)}, check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "every MixMonitor of the call is proven stopped" in shown.stdout
