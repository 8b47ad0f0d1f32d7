# SPDX-License-Identifier: Apache-2.0
"""Used by every room: errors with a fix and an exit code, secrets, logs, TLS, addresses."""
