# SPDX-License-Identifier: Apache-2.0
"""Recordings that Asterisk itself makes: the MixMonitors on the channels of a call."""

from bridges.asterisk.recorder import MixMonitorRecorder
from bridges.asterisk.settings import MixMonitorSettings

__all__ = ["MixMonitorRecorder", "MixMonitorSettings"]
