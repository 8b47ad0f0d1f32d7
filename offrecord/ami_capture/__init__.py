# SPDX-License-Identifier: Apache-2.0
"""Captures of AMI traffic, never of audio: packets in both directions, redacted, in a text file.

`offrecord record` writes one: `sources` receives packets from the running daemon (`daemon_side`) or
over its own login, `collect` keeps the useful ones, `header_kinds` and `redact` replace personal
data, `make` puts the capture together, `capture_file` writes it. `offrecord replay` reads one and
runs it through the daemon's own code: `replay.player`, `replay.pbx` and `replay.clock`.
"""
