"""Run by Alembic: migrate over the connection, and inside the transaction, that the caller opened."""

from __future__ import annotations

from alembic import context

from faultline.adapters.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
