# SPDX-License-Identifier: Apache-2.0
"""Plays a capture through the code that the daemon runs."""
