# SPDX-License-Identifier: Apache-2.0
"""The rule about import names: no other Python package installs a folder of ours.

Five packages of ours lie at the top of the environment, some under names that others use as well.
The one installed last has overwritten files of the other.
"""

import asyncio
from importlib.metadata import packages_distributions
from typing import Final

from offrecord.checks.finding import Finding, ok, warning
from offrecord.checks.inputs import CheckInputs

NAMES: Final = ("agi", "ami", "bridges", "noojee", "offrecord")
"""The import names of our packages."""

_OURS: Final = "offrecord"
_FIX: Final = "install offrecord into an environment of its own: python3 -m venv /opt/offrecord"


async def packages(_inputs: CheckInputs) -> list[Finding]:
    """List the other distributions that own one of our import names, by their metadata."""
    owners = await asyncio.to_thread(packages_distributions)
    found = []
    for name in NAMES:
        others = sorted({one for one in owners.get(name, ()) if one.lower() != _OURS})
        if others:
            text = f"the Python package {' and '.join(others)} installs `{name}` as well"
            found.append(warning("packages", text, _FIX))
    return found or [ok("packages", f"no other package installs {', '.join(NAMES)}")]
