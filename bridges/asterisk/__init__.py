# SPDX-License-Identifier: Apache-2.0
"""Recordings that Asterisk itself makes of a call."""

from bridges.asterisk.recorder import AsteriskRecorder
from bridges.asterisk.settings import AsteriskSettings

__all__ = ["AsteriskRecorder", "AsteriskSettings"]
