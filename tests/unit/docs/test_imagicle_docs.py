# SPDX-License-Identifier: Apache-2.0
"""The guide to Imagicle says what the settings, the faults and the switches are."""

import re

from bridges.imagicle import ImagicleSettings
from bridges.simulators.faults import set_switch
from bridges.simulators.imagicle.app import DEMO_PASSWORD, DEMO_USER, ImagicleSimulator
from tests.kits.docs_kit import read

GUIDE = read("docs/imagicle.md")


def test_every_setting_is_in_the_guide_with_its_default() -> None:
    rows = re.findall(r"^\| (`.*?) \| (.*?) \| .* \|$", GUIDE, re.MULTILINE)
    told = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    for name, setting in ImagicleSettings.model_fields.items():
        assert name in told, name
        default = setting.default
        if setting.is_required():
            assert told[name] == "needed"
        elif isinstance(default, str | bool | float):
            said = f"{default:g}" if isinstance(default, float) else str(default)
            assert said.lower() == told[name].strip("`").lower(), name


def test_the_faults_switches_and_credentials_of_the_guide_are_those_of_the_simulator() -> None:
    simulator = ImagicleSimulator.ready(None)
    faults = re.findall(r"--fault ([^\s`]+)", GUIDE)
    switches = re.findall(r"--switch ([^\s`]+)", GUIDE)
    assert faults
    assert switches
    for fault in faults:
        simulator.faults.add(fault)
    for switch in switches:
        set_switch(simulator.switches, *switch.split("="))
    assert f"`{DEMO_USER}` with the password `{DEMO_PASSWORD}`" in GUIDE
