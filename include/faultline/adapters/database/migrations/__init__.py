"""Alembic migrations, oldest first in ``versions``; ``adapters.database.schema`` runs them."""
