# SPDX-License-Identifier: Apache-2.0
"""The daemon and its tools: a press comes in, every recording of the call stops, proven."""

__version__ = "0.1.0"
