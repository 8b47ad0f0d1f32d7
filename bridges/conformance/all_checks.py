# SPDX-License-Identifier: Apache-2.0
"""Every check of the kit.

A check takes a fresh fixture and raises AssertionError saying what is wrong, or nothing.
`NotApplicable` comes out of those alone whose situation some vendors do not know; the others
turn it into a failure, so that a suite in which everything is skipped is none.
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
