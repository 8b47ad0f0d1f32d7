# SPDX-License-Identifier: Apache-2.0
"""Schema 1: records without a chain. Files of it were made without a script; here it begins."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing: a file is made with the present schema at once."""


def downgrade() -> None:
    """Do nothing: there is no schema before."""
