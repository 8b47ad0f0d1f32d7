# SPDX-License-Identifier: Apache-2.0
"""The call graph: which channels are live, which of them are one call, and snapshots of both."""
