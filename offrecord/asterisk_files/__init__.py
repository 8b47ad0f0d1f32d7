# SPDX-License-Identifier: Apache-2.0
"""Asterisk's own configuration files: parsed with their includes, and what ships for them."""
