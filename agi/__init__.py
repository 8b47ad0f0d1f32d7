# SPDX-License-Identifier: Apache-2.0
"""Presses from the dialplan: FastAGI server, one-shot script, AGI wire format.

Imports nothing: the one-shot script loads this file, and import time is dead air on a call.
"""
