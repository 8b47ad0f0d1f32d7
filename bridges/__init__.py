# SPDX-License-Identifier: Apache-2.0
"""Bridges: one module for each kind of recorder, and which of them hold a call."""
