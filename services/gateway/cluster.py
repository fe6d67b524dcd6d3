"""The cluster as clients see it."""

from __future__ import annotations

from mouthpiece import __version__
from mouthpiece.v1.common_pb2 import Span
from mouthpiece.v1.gateway_pb2 import (
    WORKER_STATE_BUSY,
    WORKER_STATE_DRAINING,
    WORKER_STATE_IDLE,
    WORKER_STATE_LOST,
    Cluster,
    ClusterWorker,
    WorkerState,
)
from services.gateway.fleet import Fleet, Member, Standing
from services.gateway.outlook import Outlook


def describe(fleet: Fleet, outlook: Outlook) -> Cluster:
    """Workers as this gateway sees them, and what they and the queue do as the leader sees it."""
    return Cluster(
        workers=[_worker(member, outlook) for member in fleet.members.values()],
        queued_jobs=outlook.queued,
        running_jobs=outlook.running,
        release=__version__,
    )


def _worker(member: Member, outlook: Outlook) -> ClusterWorker:
    work = outlook.work.get(member.name)
    shown = ClusterWorker(address=member.address, worker=member.told, state=_state(member, work is not None))
    shown.suspect = member.address in outlook.suspects
    if work is not None:
        shown.job_id, first, end = work
        shown.frames.CopyFrom(Span(first=first, end=end))
    return shown


def _state(member: Member, busy: bool) -> WorkerState.ValueType:
    match member.standing:
        case Standing.LOST:
            return WORKER_STATE_LOST
        case Standing.DRAINING:
            return WORKER_STATE_DRAINING
        case Standing.UP:
            return WORKER_STATE_BUSY if busy else WORKER_STATE_IDLE
