# SPDX-License-Identifier: Apache-2.0
"""Captures: what a PBX said and was told, redacted, in a file that anybody may see.

`offrecord record` writes one: `tapping` and `sources` hear it, `collect` keeps what is of use,
`redact` and `fields` replace what tells of people, `file` writes it. `offrecord replay` plays one
through the same code as the daemon's: `playing` and `played_pbx`, on a `clock` of its own.
"""
