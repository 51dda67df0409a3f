"""Alembic asks for this file; ``store.migrate`` hands in connection and options itself."""

from alembic import context

with context.begin_transaction():
    context.run_migrations()
