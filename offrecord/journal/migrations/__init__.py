# SPDX-License-Identifier: Apache-2.0
"""What alembic runs: its entry and the scripts, one a schema of the journal's file."""
