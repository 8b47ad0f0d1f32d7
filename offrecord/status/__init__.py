# SPDX-License-Identifier: Apache-2.0
"""The state of a running daemon as others see it: calls, events, health, metrics."""
