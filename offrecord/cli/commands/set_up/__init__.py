# SPDX-License-Identifier: Apache-2.0
"""Commands that set up, check and run the daemon."""
