# SPDX-License-Identifier: Apache-2.0
"""The daemon as one process: opened in order, run, reloaded, closed."""
