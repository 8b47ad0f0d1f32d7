# SPDX-License-Identifier: Apache-2.0
"""The rules about this machine: clock, service, running daemon, and Python packages beside ours."""

import asyncio
import ctypes
import stat
import time
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final

from offrecord.base.errors import Exit, UserError
from offrecord.checks.finding import Finding, failure, ok, skipped, warning
from offrecord.checks.inputs import CheckInputs
from offrecord.control import client

APART: Final = 2
"""Seconds that the PBX's clock may be away from ours."""

_UNSYNCHRONISED: Final = 0x40
_STATUS_AT: Final = 40
"""Byte offset of the status in `struct timex` on Linux with 64 bits: after modes and four longs."""

_UNITS: Final = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_UNIT: Final = "offrecord.service"
_PATIENCE: Final = 3.0

NAMES: Final = ("agi", "ami", "bridges", "noojee", "offrecord")
"""The import names of our packages."""

_OURS: Final = "offrecord"
_FIX: Final = "install offrecord into an environment of its own: python3 -m venv /opt/offrecord"


def kernel_status() -> int | None:
    """Return the kernel's status of its clock, by adjtimex(2); None when it cannot be read."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    buffer = ctypes.create_string_buffer(512)  # modes = 0: it is read and not set
    if ctypes.sizeof(ctypes.c_long) != 8 or adjtimex(buffer) < 0:
        return None
    return int.from_bytes(buffer.raw[_STATUS_AT : _STATUS_AT + 4], "little")


async def clock(
    inputs: CheckInputs, status: Callable[[], int | None] = kernel_status
) -> list[Finding]:
    """Check that this machine's clock is synchronised, and near the PBX's."""
    found = []
    now, told = status(), await inputs.getvar("EPOCH")
    apart = int(told) - time.time() if told.isdigit() else 0.0
    if abs(apart) > APART:
        text = f"the PBX's clock is {abs(apart):.0f} s {'ahead' if apart > 0 else 'behind'}"
        found.append(warning("clock", text, "have both machines keep time by NTP"))
    if now is None:
        found.append(skipped("clock", "the kernel does not tell whether its clock is kept right"))
    elif now & _UNSYNCHRONISED:
        text = "nothing keeps this machine's clock right, and the journal's times are its times"
        fix = "systemctl enable --now systemd-timesyncd, or chrony"
        found.append(warning("clock", text, fix))
    return found or [ok("clock", "kept right from outside")]


async def service(inputs: CheckInputs) -> list[Finding]:
    """Check that systemd starts the daemon, on a machine with systemd."""
    root = inputs.places.root
    if not (root / "run/systemd/system").is_dir():
        return []
    unit = next((root / one / _UNIT for one in _UNITS if (root / one / _UNIT).exists()), None)
    if unit is None:
        text = f"systemd knows no {_UNIT}, so nothing starts the daemon"
        return [warning("service", text, "run offrecord init, or install the package")]
    wanted = list((root / "etc/systemd/system").glob(f"*.wants/{_UNIT}"))
    if not wanted:
        return [warning("service", f"{unit} is not enabled: after a restart of the machine no press"
                      " is taken", "systemctl enable --now offrecord")]  # fmt: skip
    return [ok("service", f"{unit} is enabled")]


async def daemon(inputs: CheckInputs) -> list[Finding]:
    """Ask a running daemon for its state."""
    path = inputs.loaded.config.socket.path
    try:
        told = await asyncio.to_thread(_status, path)
    except UserError as error:
        if _denied(path):
            text = f"{path} is not for this user"
            return [skipped("daemon", text, "run check as root, or as a member of socket.group")]
        return [warning("daemon", error.message, "systemctl start offrecord")]
    if told.get("journal") != "ok":
        text = f"it runs and cannot write its journal: {told.get('journal')}"
        return [failure("daemon", text, "see journal_not_written in its log", Exit.JOURNAL)]
    if not told.get("known"):
        text = f"it runs and does not know the PBX's calls (link {told.get('link')})"
        return [failure("daemon", text, "see its log", Exit.PBX_UNREACHABLE)]
    has, wanted = set(told.get("recorders", ())), set(inputs.recorders)
    if has != wanted:
        text = (
            f"it runs with the recorders {', '.join(sorted(has)) or 'none'}, and the"
            f" configuration has {', '.join(sorted(wanted)) or 'none'}"
        )
        return [warning("daemon", text, "systemctl reload offrecord")]
    return [ok("daemon", f"it runs and knows the PBX's calls, {told.get('calls')} up")]


def _status(path: Path) -> dict[str, Any]:
    return list(client.ask(path, {"op": "status"}, _PATIENCE))[-1]


def _denied(path: Path) -> bool:
    try:
        return not stat.S_ISSOCK(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


async def packages(_inputs: CheckInputs) -> list[Finding]:
    """List the other distributions that own one of our import names, by their metadata.

    Five packages of ours lie at the top of the environment, some under names that others use as
    well. The one installed last has overwritten files of the other.
    """
    owners = await asyncio.to_thread(packages_distributions)
    found = []
    for name in NAMES:
        others = sorted({one for one in owners.get(name, ()) if one.lower() != _OURS})
        if others:
            text = f"the Python package {' and '.join(others)} installs `{name}` as well"
            found.append(warning("packages", text, _FIX))
    return found or [ok("packages", f"no other package installs {', '.join(NAMES)}")]
