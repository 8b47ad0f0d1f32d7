# SPDX-License-Identifier: Apache-2.0
"""From the configuration to the objects of a running daemon."""
