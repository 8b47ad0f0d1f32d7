# SPDX-License-Identifier: Apache-2.0
"""Recordings held by Noojee: one signed request a press, and the server's word for it."""

from bridges.noojee.recorder import NoojeeRecorder
from bridges.noojee.settings import NoojeeSettings

__all__ = ["NoojeeRecorder", "NoojeeSettings"]
