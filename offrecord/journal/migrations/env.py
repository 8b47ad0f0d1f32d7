# SPDX-License-Identifier: Apache-2.0
"""Alembic's entry: run the scripts on the connection that `offrecord.journal.migrate` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
