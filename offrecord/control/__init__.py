# SPDX-License-Identifier: Apache-2.0
"""The control socket: how the command line and the one-shot script speak to the daemon."""
