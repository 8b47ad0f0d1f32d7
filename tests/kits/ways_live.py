# SPDX-License-Identifier: Apache-2.0
"""What the live tests of the ways to record share: presses by the socket, files that grow."""

import asyncio
from pathlib import Path
from typing import Any

from lab.pbx.audio import stretches
from lab.site import LabSite

LOCAL: dict[str, Any] = {"routes": {"default": ["local"]}}
"""What a site is given that has no recorder but the PBX."""

WRITES_EACH = 2.2
"""Seconds within which a wav that is recorded into gets its next 32 KiB."""


async def by_socket(here: LabSite, verb: str, uniqueid: str) -> dict[str, Any]:
    """Press for a channel by the control socket; return the verdict."""
    request = {"op": "press", "way": "cli", "verb": verb, "wait": 8.0, "uniqueid": uniqueid}
    return await here.ask(request)


def detail(told: dict[str, Any]) -> str:
    """Return what the one recorder of a verdict said."""
    [result] = told["recorders"]
    return str(result["detail"])


def evidence(told: dict[str, Any]) -> str:
    """Return the level of proof of a verdict."""
    return str(told["evidence"])


def wav(here: LabSite, name: str) -> Path:
    """Return a file in the PBX's folder of recordings."""
    return here.asterisks.pbx.monitor / name


async def grown(*files: Path, seconds: float = 2 * WRITES_EACH) -> list[int]:
    """Return by how many bytes each file grows within some seconds; one that is not there, 0."""
    before = [_size(file) for file in files]
    await asyncio.sleep(seconds)
    return [_size(file) - old for file, old in zip(files, before, strict=True)]


async def still(*files: Path) -> bool:
    """Return whether these files, once what was written last is in them, grow no more."""
    none = [0] * len(files)
    return await grown(*files) == none or await grown(*files) == none


def last_heard(file: Path, hertz: float) -> float:
    """Return at which second of a recording a tone was last heard; 0 when it never was."""
    return max((end for _, end in stretches(file, hertz)), default=0.0)


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0
