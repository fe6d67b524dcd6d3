"""The cluster as clients see it."""

from __future__ import annotations

from collections.abc import Iterable

from mouthpiece import __version__
from mouthpiece.v1.gateway_pb2 import (
    CHUNK_STATE_RUNNING,
    JOB_STATE_QUEUED,
    WORKER_STATE_BUSY,
    WORKER_STATE_DRAINING,
    WORKER_STATE_IDLE,
    WORKER_STATE_LOST,
    Chunk,
    Cluster,
    ClusterWorker,
    WorkerState,
)
from services.gateway.fleet import Fleet, Member, Standing
from services.gateway.run import JobRun


def describe(fleet: Fleet, runs: Iterable[JobRun]) -> Cluster:
    """Workers and queue, now."""
    runs = list(runs)
    busy = {
        attempt.chunk.worker: (run.id, attempt.chunk)
        for run in runs
        for attempt in run.attempts.values()
        if attempt.chunk.state == CHUNK_STATE_RUNNING
    }
    queued = sum(run.job.state == JOB_STATE_QUEUED for run in runs)
    return Cluster(
        workers=[_worker(member, busy.get(member.name)) for member in fleet.members.values()],
        queued_jobs=queued,
        running_jobs=len(runs) - queued,
        release=__version__,
    )


def _worker(member: Member, work: tuple[str, Chunk] | None) -> ClusterWorker:
    shown = ClusterWorker(address=member.address, worker=member.told, state=_state(member, work is not None))
    if work is not None:
        shown.job_id = work[0]
        shown.frames.CopyFrom(work[1].frames)
    return shown


def _state(member: Member, busy: bool) -> WorkerState.ValueType:
    match member.standing:
        case Standing.LOST:
            return WORKER_STATE_LOST
        case Standing.DRAINING:
            return WORKER_STATE_DRAINING
        case Standing.UP:
            return WORKER_STATE_BUSY if busy else WORKER_STATE_IDLE
