"""Jobs know the trace that they belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add a column; jobs from before are in no trace."""
    op.add_column("jobs", sa.Column("trace", sa.Text, nullable=False, server_default=""))
