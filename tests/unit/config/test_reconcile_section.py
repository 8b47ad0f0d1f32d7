# SPDX-License-Identifier: Apache-2.0
"""The settings of the check after a call."""

import pytest
from pydantic import ValidationError

from offrecord.config.sections.reconcile import ReconcileConfig


def test_without_settings_vendors_are_asked_and_no_file_is_read() -> None:
    given = ReconcileConfig()

    assert given.enabled
    assert given.monitor_folder is None
    assert given.delays == (5.0, 60.0, 300.0)


def test_decibels_become_a_level() -> None:
    assert ReconcileConfig(threshold=-60.0).level == pytest.approx(0.001)
    assert ReconcileConfig(threshold=-20.0).level == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("delays", ()), ("delays", (5.0, 5.0)), ("delays", (60.0, 5.0)), ("delays", (-1.0, 5.0)),
     ("delays", (5.0, 100_000.0)), ("delays", (float("nan"),)), ("time_zone", "Atlantis/Centre"),
     ("time_zone", "../etc"), ("time_zone", ""), ("threshold", 0.0), ("tolerance", 0.0),
     ("leg_tolerance", -1.0)],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        ReconcileConfig(**{key: value})  # type: ignore[arg-type]
