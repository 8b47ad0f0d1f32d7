# SPDX-License-Identifier: Apache-2.0
"""Sets the event loop of a ring, the longest wait of a test, and how signals reach what is run."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lab.patience import be_patient
from tests.kits import waiting
from tests.kits.patient_loop import PatientLoop

IN_ONE_PROCESS = ("unit", "contract", "property")
"""Rings that compute. The others wait for phones, browsers and daemons most of the time."""


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give the rings without a real Asterisk a clock that a busy machine cannot move."""
    return {"loop": PatientLoop if ring(item.path) in IN_ONE_PROCESS else asyncio.new_event_loop}


def ring(path: Path) -> str:
    """Return the folder of `tests/` that a file is in, such as `unit`."""
    return path.relative_to(Path(__file__).parent).parts[0]


def pytest_configure(config: pytest.Config) -> None:
    """Let the waits of the tests give up a little before pytest does, and interrupts be heard.

    A shell that runs a command in the background has it ignore SIGINT, and with it each process
    that the command starts. What the tests start is to be interrupted as at a terminal.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    waiting.limit_to(float(config.getoption("timeout") or config.getini("timeout") or 0))
    be_patient(waiting.patience())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Spread the files that wait among those that compute, so that processes do both at a time.

    Files that wait come with the most tests first, and all of them before the last that compute:
    none of the processes ends long after the others.
    """
    if not hasattr(config, "workerinput"):
        return
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    computing = [path for path in files if ring(path) in IN_ONE_PROCESS]
    waiting = sorted(files.keys() - set(computing), key=lambda path: (-len(files[path]), path))
    waiting.sort(key=lambda path: ring(path) != "faults")  # one test that takes a minute
    share = len(computing) // (len(waiting) + 2) if waiting else 0
    order: list[Path] = []
    for path in waiting:
        order += [path, *computing[:share]]
        del computing[:share]
    items[:] = [item for path in [*order, *computing] for item in files[path]]
