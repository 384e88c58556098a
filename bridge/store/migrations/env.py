"""What Alembic runs to run migrations: on the connection, and in the transaction, of `bridge.store.upgrade`."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
