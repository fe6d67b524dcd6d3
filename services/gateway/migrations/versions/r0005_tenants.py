"""Jobs and assets belong to tenants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a column and a table; what was there before belongs to nobody in particular."""
    op.add_column("jobs", sa.Column("tenant", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_jobs_tenant_id", "jobs", ["tenant", "id"])
    op.create_table(
        "assets",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), primary_key=True),
    )
