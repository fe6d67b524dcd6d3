"""Revisions of the job store's schema, applied at start. A change is a new module in `versions`, never an
edit of one that was released; `schema.py` shows the sum."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_LOCK = 0x6D6F757468  # names this lock among others in the same PostgreSQL


def upgrade(connection: sa.Connection, revision: str = "head") -> None:
    """Bring a database to a revision, in the transaction of `connection`, one process at a time."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    else:
        # The driver begins transactions for changes of rows only; the schema's belong inside, too.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
