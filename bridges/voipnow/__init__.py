# SPDX-License-Identifier: Apache-2.0
"""Recordings held by VoipNow (4PSA), through its UnifiedAPI."""

from bridges.voipnow.recorder import VoipNowRecorder
from bridges.voipnow.settings import VoipNowSettings

__all__ = ["VoipNowRecorder", "VoipNowSettings"]
