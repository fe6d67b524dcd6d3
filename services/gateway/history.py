"""What became of jobs: what each took and came to, for sums and for better promises."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from mouthpiece.rpc.convert import duration, unix
from mouthpiece.v1.gateway_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_DONE,
    JOB_STATE_FAILED,
    ClusterStatistics,
    Job,
)
from services.gateway.database import Database
from services.gateway.records import Outcome
from services.gateway.schema import history as _history
from services.gateway.schema import jobs as _jobs

_OUTCOMES = {"done": JOB_STATE_DONE, "failed": JOB_STATE_FAILED, "cancelled": JOB_STATE_CANCELLED}


class History:
    """The history of jobs, which outlives them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = database.upsert(_history)

    async def add(self, connection: AsyncConnection, job: Job, outcome: Outcome) -> None:
        """Remember how a job ended, as part of a transaction."""
        promised = await connection.scalar(sa.select(_jobs.c.promised).where(_jobs.c.id == job.id))
        own = {
            "job_id": job.id,
            "state": job.state,
            "finished": unix(job.finished),
            "promised": promised or 0.0,
        }
        await connection.execute(self._put, {**own, **asdict(outcome)})

    async def statistics(self, since: float) -> ClusterStatistics:
        """What became of the jobs that ended after a moment (seconds since 1970)."""
        columns = ("video_seconds", "frames", "cached_frames", "worker_seconds", "wasted_seconds")
        sums = [sa.func.coalesce(sa.func.sum(_history.c[name]), 0).label(name) for name in columns]
        counts = [
            sa.func.count(sa.case((_history.c.state == state, 1))).label(name)
            for name, state in _OUTCOMES.items()
        ]
        query = sa.select(*sums, *counts).where(_history.c.finished > since)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one()
        return ClusterStatistics(
            **{name: row[index] for index, name in enumerate(_OUTCOMES, len(columns))},
            frames=int(row.frames),
            cached_frames=int(row.cached_frames),
            video=duration(row.video_seconds),
            worker_time=duration(row.worker_seconds),
            wasted_worker_time=duration(row.wasted_seconds),
        )

    async def surprises(self, engine: str, limit: int) -> list[float]:
        """What the latest jobs of an engine took, as multiples of what was promised.

        Jobs of which more than a tenth existed before are left out.
        """
        table = _history.c
        query = (
            sa.select(table.took / table.promised)
            .where(table.engine == engine, table.state == JOB_STATE_DONE)
            .where(table.promised > 0, 10 * table.cached_frames <= table.frames)
            .order_by(table.finished.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            return list(await connection.scalars(query))

    async def shorten(self, moment: float) -> None:
        """Forget what became of jobs that ended before a moment (seconds since 1970)."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(_history).where(_history.c.finished < moment))
