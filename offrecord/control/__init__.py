# SPDX-License-Identifier: Apache-2.0
"""The Unix socket between the command line or the one-shot script and the daemon."""
