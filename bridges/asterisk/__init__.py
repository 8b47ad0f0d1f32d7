# SPDX-License-Identifier: Apache-2.0
"""Asterisk's own recordings: the MixMonitors on the channels of a call."""

from bridges.asterisk.recorder import MixMonitorRecorder, MixMonitorSettings

__all__ = ["MixMonitorRecorder", "MixMonitorSettings"]
