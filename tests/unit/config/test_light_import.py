# SPDX-License-Identifier: Apache-2.0
"""The configuration stands below the domain: reading it loads hardly anything else of ours."""

import subprocess
import sys

from bridges.routing import KEYS
from offrecord.config.sections.recorders import ROUTE_KEYS

MODULES = 36
"""Modules of ours that `import offrecord.config` may load, itself included."""

LOADED = """
import sys
import offrecord.config

ours = {"agi", "ami", "noojee", "bridges", "offrecord", "lab"}
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ours))
"""


def test_importing_the_configuration_loads_little_else() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "offrecord.config.validate" in loaded
    assert len(loaded) <= MODULES, loaded


def test_the_keys_of_a_route_are_those_that_the_router_knows() -> None:
    assert ROUTE_KEYS == KEYS
