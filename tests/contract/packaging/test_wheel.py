# SPDX-License-Identifier: Apache-2.0
"""The wheel: what an installation without a checkout has."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kits.waiting import patience
from tests.kits.wheel_kit import wheel_of_this_run

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the wheel lays into site-packages, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    zipfile.ZipFile(wheel_of_this_run(tmp_path_factory)).extractall(folder / "site")
    return folder / "site"


def installed(site: Path, *arguments: str) -> subprocess.Popen[str]:
    """Run the command line of the wheel, away from the checkout."""
    return subprocess.Popen(
        [sys.executable, "-m", "offrecord", *arguments],
        cwd=site, env={**os.environ, "PYTHONPATH": str(site)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_the_wheel_holds_the_packages_and_what_init_writes_from(site: Path) -> None:
    assert {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")} == {
        "agi", "ami", "bridges", "noojee", "offrecord"
    }  # fmt: skip
    assert (site / "offrecord/asterisk_files/dialplan-examples/features.conf").is_file()
    assert (site / "offrecord/asterisk_files/offrecord.service").is_file()
    assert (site / "offrecord/sounds/confirmed.wav").is_file()


def test_an_installed_offrecord_plans_a_site(site: Path, tmp_path: Path) -> None:
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/asterisk").mkdir()
    for name in ("manager", "extensions", "features"):
        (tmp_path / f"etc/asterisk/{name}.conf").write_text("[general]\n")
    with installed(site, "init", "--dry-run", "--yes", "--root", str(tmp_path)) as ran:
        out, err = ran.communicate(timeout=patience())

    assert ran.returncode == 0, err
    assert "applicationmap" in out
    assert "offrecord.service" in out


def test_an_installed_offrecord_simulates_a_vendor_with_tls(site: Path) -> None:
    with installed(site, "simulate", "noojee", "--tls", "--port", "0") as ran:
        assert ran.stdout is not None
        told = json.loads(ran.stdout.readline())
        ran.send_signal(signal.SIGINT)
        ran.communicate(timeout=patience())

    assert str(told["url"]).startswith("https://")
