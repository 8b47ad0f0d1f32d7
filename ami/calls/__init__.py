# SPDX-License-Identifier: Apache-2.0
"""Which channels are live, which of them are one call, and snapshots of both."""
