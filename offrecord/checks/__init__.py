# SPDX-License-Identifier: Apache-2.0
"""`offrecord check`: what the daemon needs, rule by rule, each with what was found and the fix."""

from offrecord.checks.inputs import Places
from offrecord.checks.model import Finding, Rule, State
from offrecord.checks.run import RULES, check

__all__ = ["RULES", "Finding", "Places", "Rule", "State", "check"]
