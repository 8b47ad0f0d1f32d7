# SPDX-License-Identifier: Apache-2.0
"""The commands, in the groups of `offrecord --help`."""
