# SPDX-License-Identifier: Apache-2.0
"""What can be seen of a running daemon: calls, events, health, metrics."""
