# SPDX-License-Identifier: Apache-2.0
"""Commands that show calls, presses and decisions, and change nothing."""
