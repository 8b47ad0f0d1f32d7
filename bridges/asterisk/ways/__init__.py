# SPDX-License-Identifier: Apache-2.0
"""The ways in which a PBX records a call: a file for each, and a row in `table`."""
