"""Sentences that are kept by what makes their sound, parts of chunks, and captions among a job's results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a table and columns; what was rendered before consists of whole chunks."""
    op.create_table(
        "spoken",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("pcm", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("used", sa.Float, nullable=False),
    )
    op.create_index("ix_spoken_used", "spoken", ["used"])
    for table in ("chunks", "rendered"):
        for name in ("skip", "rest"):
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    for name in ("vtt", "srt"):
        op.add_column("jobs", sa.Column(name, sa.String(64), nullable=False, server_default=""))
        op.create_index(f"ix_jobs_{name}", "jobs", [name])
