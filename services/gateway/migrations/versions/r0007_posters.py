"""Jobs name a picture of their video."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add a column; videos from before have no picture."""
    op.add_column("jobs", sa.Column("poster", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_jobs_poster", "jobs", ["poster"])
