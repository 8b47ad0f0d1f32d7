# SPDX-License-Identifier: Apache-2.0
"""Watches the files that Asterisk records into, and takes back a verdict that they contradict."""
