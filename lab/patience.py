# SPDX-License-Identifier: Apache-2.0
"""Time limit of everything the laboratory waits for: calls, verdicts, starts of processes."""

_DEMO_SECONDS = 30.0

_seconds = _DEMO_SECONDS


def patience() -> float:
    """Return the seconds after which a wait of the laboratory raises `TimeoutError`."""
    return _seconds


def be_patient(seconds: float) -> None:
    """Wait longer, or less long, from now on. The tests wait as long as pytest lets them."""
    global _seconds  # noqa: PLW0603 - one setting of the whole process
    _seconds = seconds
