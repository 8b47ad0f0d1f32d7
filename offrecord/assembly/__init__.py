# SPDX-License-Identifier: Apache-2.0
"""Make the objects of a running daemon from its configuration."""
