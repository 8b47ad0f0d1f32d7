# SPDX-License-Identifier: Apache-2.0
"""Recordings held by Genesys Web Services: the agent's own calls, stopped as that agent.

`recorder` is what the daemon uses. Protocol facts are from the vendor's pages of the Web Services
API (docs.genesys.com, HTCC 8.5.2 and GWS 8.6) unless a comment says otherwise.
"""

from bridges.genesys.recorder import GenesysRecorder
from bridges.genesys.settings import GenesysSettings

__all__ = ["GenesysRecorder", "GenesysSettings"]
