"""Several gateways on one database, a history of jobs, and columns in place of searches through documents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from mouthpiece.v1.common_pb2 import Sentence
from mouthpiece.v1.gateway_pb2 import Job

revision = "0002"
down_revision = "0001"

_PAGE = 500
_NAMED = ("audio", "avatar", "video")
_jobs = sa.table("jobs", *(sa.column(name) for name in ("id", "document", "finished", *_NAMED)))
_sentences = sa.table(
    "sentences", *(sa.column(name) for name in ("job_id", "position", "document", "samples"))
)


def upgrade() -> None:
    """Add columns and tables, and fill them from the documents."""
    _widen_jobs()
    op.add_column("sentences", sa.Column("samples", sa.BigInteger, nullable=False, server_default="0"))
    _create_history()
    _create_lease()
    _fill_jobs()


def _widen_jobs() -> None:
    for column in (
        sa.Column("called_off", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("finished", sa.Float, nullable=True),
        sa.Column("promised", sa.Float, nullable=False, server_default="0"),
        *(sa.Column(name, sa.String(64), nullable=False, server_default="") for name in _NAMED),
    ):
        op.add_column("jobs", column)
    for name in ("finished", *_NAMED):
        op.create_index(f"ix_jobs_{name}", "jobs", [name])
    op.create_index("ix_jobs_state_id", "jobs", ["state", "id"])
    op.drop_index("ix_jobs_state", "jobs")


def _create_history() -> None:
    figures = ("promised", "took", "video_seconds", "worker_seconds", "wasted_seconds")
    op.create_table(
        "history",
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("finished", sa.Float, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("engine", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Float, nullable=False) for name in figures),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("frames", "cached_frames")),
    )
    op.create_index("ix_history_finished", "history", ["finished"])


def _create_lease() -> None:
    lease = op.create_table(
        "lease",
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("beat", sa.Float, nullable=False),
        sa.Column("outlook", sa.LargeBinary, nullable=False),
    )
    op.bulk_insert(lease, [{"epoch": 0, "holder": "", "beat": 0.0, "outlook": b"{}"}])


def _fill_jobs() -> None:
    connection, last = op.get_bind(), ""
    while True:
        page = sa.select(_jobs.c.id, _jobs.c.document).where(_jobs.c.id > last).order_by(_jobs.c.id)
        rows = connection.execute(page.limit(_PAGE)).all()
        for row in rows:
            job = Job.FromString(row.document)
            connection.execute(sa.update(_jobs).where(_jobs.c.id == row.id).values(**_columns(job)))
            _fill_sentences(connection, row.id)
        if len(rows) < _PAGE:
            return
        last = rows[-1].id


def _columns(job: Job) -> dict[str, str | float | None]:
    return {
        "finished": job.finished.ToNanoseconds() / 1e9 if job.HasField("finished") else None,
        "audio": job.spec.audio_sha256,
        "avatar": job.spec.avatar_sha256,
        "video": job.result.video.sha256,
    }


def _fill_sentences(connection: sa.Connection, job_id: str) -> None:
    for row in connection.execute(sa.select(_sentences).where(_sentences.c.job_id == job_id)).all():
        key = (_sentences.c.job_id == job_id) & (_sentences.c.position == row.position)
        end = Sentence.FromString(row.document).samples.end
        connection.execute(sa.update(_sentences).where(key).values(samples=end))
