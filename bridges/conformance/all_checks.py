# SPDX-License-Identifier: Apache-2.0
"""Every check by its name.

A check takes a new fixture, and raises AssertionError with what is wrong. `NotApplicable` comes
only from checks whose situation some vendors do not know; the others make a failure of it, because
a run in which everything is skipped proves nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bridges.conformance import behaviour_checks, stop_checks
from bridges.conformance.registration import Check, may_be_skipped, registered

__all__ = ["CHECKS", "OPTIONAL", "Check"]

CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        name: check
        for module in (stop_checks, behaviour_checks)
        for name, check in registered.items()
        if check.__module__ == module.__name__
    }
)
"""Every check by its name, what a stop may say first."""

OPTIONAL: Final = frozenset(may_be_skipped)
"""The names of those that may raise `NotApplicable`."""
