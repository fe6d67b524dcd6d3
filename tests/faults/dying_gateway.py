"""`python -m tests.faults.dying_gateway`: the gateway, which kills itself when the test says so.

MOUTHPIECE_TEST_DIE names a file. While it exists, the process ends by SIGKILL at the `Moment` whose name is
in it, and takes the file with it: its successor lives.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mouthpiece.v1 import gateway_pb2 as pb
from services.gateway.__main__ import main
from services.gateway.store import JobStore

VARIABLE = "MOUTHPIECE_TEST_DIE"


@dataclass(frozen=True, slots=True)
class Moment:
    """Just before or just after an event has become durable."""

    stored: bool
    event: Callable[[pb.JobEvent], bool]


def _state(state: pb.JobState.ValueType) -> Callable[[pb.JobEvent], bool]:
    return lambda event: event.HasField("state") and event.state.state == state


def _chunk(state: pb.ChunkState.ValueType) -> Callable[[pb.JobEvent], bool]:
    return lambda event: event.HasField("chunk") and event.chunk.state == state


def _spoken(event: pb.JobEvent) -> bool:
    return event.HasField("speech") and event.speech.sentence.index == 1


MOMENTS = {
    "before the job is stored": Moment(False, _state(pb.JOB_STATE_QUEUED)),
    "after the job is stored, before the answer": Moment(True, _state(pb.JOB_STATE_QUEUED)),
    "during speech, a sentence not yet stored": Moment(False, _spoken),
    "during speech, a sentence stored": Moment(True, _spoken),
    "during rendering, an attempt begun": Moment(True, _chunk(pb.CHUNK_STATE_RUNNING)),
    "during rendering, a chunk rendered but not yet stored": Moment(False, _chunk(pb.CHUNK_STATE_DONE)),
    "during rendering, a chunk stored": Moment(True, _chunk(pb.CHUNK_STATE_DONE)),
    "between the last chunk and the merge": Moment(False, _state(pb.JOB_STATE_MERGING)),
    "during the merge": Moment(True, _state(pb.JOB_STATE_MERGING)),
    "after the merge, the result not yet stored": Moment(False, _state(pb.JOB_STATE_DONE)),
    "after the merge, before the acknowledgement": Moment(True, _state(pb.JOB_STATE_DONE)),
}


def die(order: Path, event: pb.JobEvent, *, stored: bool) -> None:
    """End here if this is the moment."""
    if not order.exists():
        return
    moment = MOMENTS[order.read_text(encoding="utf-8")]
    if moment.stored is stored and moment.event(event):
        order.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def arm(order: Path) -> None:
    """Put the moments around everything that makes events durable."""
    add_job, record = JobStore.add_job, JobStore.record

    async def deadly_add_job(
        self: JobStore, job: pb.Job, speech_key: str, event: pb.JobEvent, *rest: Any
    ) -> None:
        die(order, event, stored=False)
        await add_job(self, job, speech_key, event, *rest)
        die(order, event, stored=True)

    async def deadly_record(self: JobStore, job: pb.Job, event: pb.JobEvent, **rest: Any) -> None:
        die(order, event, stored=False)
        await record(self, job, event, **rest)
        die(order, event, stored=True)

    JobStore.add_job = deadly_add_job  # type: ignore[method-assign, assignment]
    JobStore.record = deadly_record  # type: ignore[method-assign]


if __name__ == "__main__":
    arm(Path(os.environ[VARIABLE]))
    main()
