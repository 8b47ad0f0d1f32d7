# SPDX-License-Identifier: Apache-2.0
"""What every room uses: errors with a fix and an exit code, secrets, logs, TLS, addresses."""
