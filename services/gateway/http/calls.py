"""Calling the gateway's own functions from HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mouthpiece.errors import Reason, Unmet
from mouthpiece.rpc.status import from_proto
from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.records import ENDED

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.gateway.servicer import VideoServicer

CALLER = cast("ServicerContext[Any, Any]", None)
"""What stands for the gRPC context: the gateway's functions do not look at it."""


def is_over(job: pb.Job) -> bool:
    """Whether a job has ended."""
    return job.state in ENDED


async def finished(gateway: VideoServicer, job: pb.Job) -> pb.Job:
    """A job when it has its video.

    Raises the error with which it failed, `Unmet` (JOB_NOT_DONE) when it was called off, and what watching
    raises.
    """
    events = gateway.WatchJob(pb.WatchJobRequest(job_id=job.id, from_sequence=job.last_sequence), CALLER)
    async for _ in events:
        pass
    job = (await gateway.GetJob(pb.GetJobRequest(job_id=job.id), CALLER)).job
    if job.state == pb.JOB_STATE_FAILED:
        raise from_proto(job.error)
    if job.state == pb.JOB_STATE_CANCELLED:
        raise Unmet(Reason.JOB_NOT_DONE, f"job {job.id} was called off")
    return job
