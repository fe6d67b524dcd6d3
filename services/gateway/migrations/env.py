"""What alembic runs to reach the database: it is given the connection by `upgrade`."""

from __future__ import annotations

from alembic import context

from services.gateway.schema import SCHEMA

context.configure(connection=context.config.attributes["connection"], target_metadata=SCHEMA)
context.run_migrations()
