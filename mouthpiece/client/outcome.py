"""How jobs end, as errors."""

from __future__ import annotations

from mouthpiece.errors import MouthpieceError
from mouthpiece.rpc.status import from_proto
from mouthpiece.v1 import gateway_pb2

ENDED = frozenset({gateway_pb2.JOB_STATE_DONE, gateway_pb2.JOB_STATE_FAILED, gateway_pb2.JOB_STATE_CANCELLED})
"""States that no job leaves."""


class JobFailed(MouthpieceError):
    """The job ended without a video. `job` tells more; `cause` is the error that ended it."""

    def __init__(self, job: gateway_pb2.Job, cause: MouthpieceError) -> None:
        super().__init__(f"job {job.id} failed: {cause.message}")
        self.job = job
        self.cause = cause


class JobCancelled(MouthpieceError):
    """The job was cancelled, by this caller or another. `job` tells more."""

    status = "CANCELLED"

    def __init__(self, job: gateway_pb2.Job) -> None:
        super().__init__(f"job {job.id} was cancelled")
        self.job = job


def check_done(job: gateway_pb2.Job) -> None:
    """Raise `JobFailed` or `JobCancelled` when the job ended so."""
    if job.state == gateway_pb2.JOB_STATE_FAILED:
        raise JobFailed(job, from_proto(job.error))
    if job.state == gateway_pb2.JOB_STATE_CANCELLED:
        raise JobCancelled(job)
