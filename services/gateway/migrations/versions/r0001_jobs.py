"""Jobs, sentences, attempts, events, segments and the index of rendered chunks.

Databases from before there were revisions have these tables or some of them, so what exists is left as it is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _create(
        "jobs",
        _text("id", 32, key=True),
        sa.Column("request_id", sa.String(128), unique=True, nullable=True),
        sa.Column("state", sa.Integer, nullable=False),
        _text("speech_key"),
        _document(),
    )
    _create(
        "sentences",
        _text("job_id", 32, key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        _text("pcm"),
        _document(),
    )
    _create(
        "chunks",
        _text("job_id", 32, key=True),
        _text("attempt", 16, key=True),
        sa.Column("state", sa.Integer, nullable=False),
        *_artifact(),
        _text("speech"),
        _text("codec"),
        _document(),
    )
    _create("events", _text("job_id", 32, key=True), _number("sequence", key=True), _document())
    _create(
        "segments",
        _text("job_id", 32, key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        _text("media"),
        _text("init"),
        _document(),
    )
    _create(
        "rendered",
        _text("recipe", key=True),
        _number("first", key=True),
        _number("end", key=True),
        _text("speech", key=True),
        *_artifact(),
        _text("codec"),
        sa.Column("used", sa.Float, nullable=False),
    )
    for table, column in (("jobs", "state"), ("jobs", "speech_key"), ("rendered", "used")):
        op.create_index(f"ix_{table}_{column}", table, [column], if_not_exists=True)


def _create(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(name, *columns, if_not_exists=True)


def _text(name: str, length: int = 64, *, key: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.String(length), primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=False)


def _document() -> sa.Column[object]:
    return sa.Column("document", sa.LargeBinary, nullable=False)


def _artifact() -> tuple[sa.Column[object], sa.Column[object]]:
    return _text("sha256"), _number("size_bytes")
