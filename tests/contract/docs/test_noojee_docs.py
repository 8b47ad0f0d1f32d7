# SPDX-License-Identifier: Apache-2.0
"""The guide's own commands and code, run against the simulator that it says to start."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridges.noojee import NoojeeSettings
from bridges.simulators.faults import set_switch
from bridges.simulators.noojee.app import DEMO_KEY, NoojeeSimulator
from offrecord.base.secrets import Secret
from tests.kits.waiting import patience

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "noojee.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
PYTHON = [block for language, block in BLOCKS if language == "python"]
COMMANDS = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]
SIMULATE, *EXITS = (
    "offrecord simulate noojee --port 8443 --tls",
    ("offrecord noojee time", 0),
    ("offrecord noojee start", 10),
    ("offrecord noojee stop", 10),
    ("offrecord noojee sign", 0),
    ("offrecord simulate noojee --list", 0),
)


@dataclass
class Simulated:
    """The simulator as a process of its own, and the environment the guide asks for."""

    process: "subprocess.Popen[str]"
    environment: dict[str, str]


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulated]:
    arguments = shlex.split(SIMULATE.replace("8443", "0"))[1:]
    process = subprocess.Popen(
        [sys.executable, "-m", "offrecord", *arguments], cwd=ROOT, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    opening = json.loads(process.stdout.readline())
    environment = {
        **os.environ,
        "NOOJEE_URL": opening["url"],
        "NOOJEE_CA": opening["ca_file"],
        "OFFRECORD_NOOJEE_API_KEY": DEMO_KEY,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }
    try:
        yield Simulated(process, environment)
    finally:
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=patience())
    assert process.returncode == 0
    assert not Path(opening["ca_file"]).exists()
    seen = [json.loads(line) for line in printed.splitlines()]
    assert {"Time", "stop", "start", "recordings_by_tag"} <= {entry["operation"] for entry in seen}
    assert DEMO_KEY not in printed


def test_the_guide_starts_the_simulator_and_sets_what_it_prints() -> None:
    assert COMMANDS[0] == SIMULATE
    exported = {line.split("=")[0] for line in COMMANDS if line.startswith("export ")}
    assert exported == {
        "export NOOJEE_URL", "export NOOJEE_CA", "export OFFRECORD_NOOJEE_API_KEY"
    }  # fmt: skip
    assert f"export OFFRECORD_NOOJEE_API_KEY={DEMO_KEY}" in COMMANDS


@pytest.mark.parametrize(
    "command", [line for line in COMMANDS[1:] if not line.startswith("export ")]
)
def test_a_command_of_the_guide_does_what_it_says(command: str, simulated: Simulated) -> None:
    words = shlex.split(re.sub(r"\$(\w+)", lambda m: simulated.environment[m[1]], command))
    assert words[0] == "offrecord"
    done = subprocess.run(
        [sys.executable, "-m", "offrecord", *words[1:]], cwd=ROOT, text=True,
        env=simulated.environment, capture_output=True, timeout=patience(), check=False,
    )  # fmt: skip
    expected = next(code for start, code in EXITS if command.startswith(start))
    assert (done.returncode, done.stderr) == (expected, "")
    assert done.stdout
    assert DEMO_KEY not in done.stdout


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_a_block_of_python_runs(block: str, simulated: Simulated) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block], text=True, env=simulated.environment,
        capture_output=True, timeout=patience(), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_configuration_of_the_guide_is_taken() -> None:
    (block,) = [block for language, block in BLOCKS if language == "toml"]
    options = tomllib.loads(block)["recorders"]["noojee"]
    assert options.pop("kind") == "noojee"
    options["api_key"] = Secret(DEMO_KEY)
    assert NoojeeSettings(**options).auth == "signed"


def test_every_setting_is_in_the_guide_with_its_default() -> None:
    for name, setting in NoojeeSettings.model_fields.items():
        row = re.search(rf"^\| `{name}` \| (.*?) \|", GUIDE, re.MULTILINE)
        assert row is not None, name
        default = setting.default
        if isinstance(default, str | bool | float) and not setting.is_required():
            assert f"{default:g}" if isinstance(default, float) else str(default).lower() in row[1]


def test_the_examples_of_faults_and_switches_are_taken() -> None:
    simulator = NoojeeSimulator.ready(None)
    for fault in re.findall(r"--fault (\S+?)[ `]", GUIDE):
        simulator.faults.add(fault)
    for switch in re.findall(r"--switch (\S+?)[ `]", GUIDE):
        set_switch(simulator.switches, *switch.split("="))
    assert [str(fault) for fault in simulator.faults.active] == ["stall=11@stop*1"]
    assert simulator.switches.success_body == "empty"
