# SPDX-License-Identifier: Apache-2.0
"""Recordings held by Imagicle Call Recording: found by line, remote party and time, stopped by id.

The list of live recordings is the proof: a stop is `confirmed` when the id is no longer in it.
"""

from bridges.imagicle.recorder import ImagicleRecorder
from bridges.imagicle.settings import ImagicleSettings

__all__ = ["ImagicleRecorder", "ImagicleSettings"]
