"""What people are told of jobs that no worker can render."""

from __future__ import annotations

import time

from mouthpiece.core.engines import EngineInfo
from mouthpiece.core.scheduler.events import Fail, Stuck
from mouthpiece.errors import MouthpieceError, Unavailable
from mouthpiece.rpc.convert import timestamp
from mouthpiece.v1.gateway_pb2 import Job, Waiting


def waiting(command: Stuck, engine: EngineInfo, ailment: MouthpieceError | None, patience: float) -> Waiting:
    """What a stuck job waits for, since when, and how long at most; ``ailment`` is what workers say."""
    since = time.time() - command.seconds
    reason = _reason(command.reason, engine, ailment)
    return Waiting(reason=reason, since=timestamp(since), until=timestamp(since + patience))


def given_up(command: Fail, engine: EngineInfo, ailment: MouthpieceError | None) -> Unavailable:
    """Why a job failed that was stuck for too long."""
    reason = _reason(command.reason, engine, ailment)
    minutes = f"{command.stuck / 60:.3g} minutes"
    return Unavailable(f"for {minutes} {reason}; what was rendered is kept: submit the job again", 60.0)


def stuck_seconds(job: Job) -> float:
    """For how long a stored job is known to be stuck, 0 when it is not."""
    if not job.HasField("waiting"):
        return 0.0
    return max(0.001, time.time() - job.waiting.since.ToNanoseconds() / 1e9)


def _reason(refusals: str, engine: EngineInfo, ailment: MouthpieceError | None) -> str:
    if refusals:
        return f"no worker renders with {engine.name!r}: {refusals}"
    return ailment.message if ailment else f"no worker has the engine {engine.name!r} {engine.version}"
