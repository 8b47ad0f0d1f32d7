# SPDX-License-Identifier: Apache-2.0
"""ARI, Asterisk's HTTP interface: the recordings that its applications make, listed and stopped."""

from bridges.asterisk.ari.client import AriClient, AriError, LiveRecording
from bridges.asterisk.ari.recordings import AriRecordings
from bridges.asterisk.ari.settings import AriSettings
from bridges.asterisk.ari.site import NO_ARI, Ari, UsesAri

__all__ = [
    "NO_ARI",
    "Ari",
    "AriClient",
    "AriError",
    "AriRecordings",
    "AriSettings",
    "LiveRecording",
    "UsesAri",
]
