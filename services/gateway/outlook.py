"""What the leader tells the other gateways of how things stand: one row, written once a second."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from mouthpiece.rpc.convert import duration
from mouthpiece.v1.gateway_pb2 import CHUNK_STATE_RUNNING, JOB_STATE_QUEUED, Job
from services.gateway.run import JobRun

Figures = tuple[float, float]
"""How far a job is in percent, and seconds to its end (negative: unknown)."""

Work = tuple[str, int, int]
"""A job, and the frames of it that a worker renders."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """How things stand with the leader."""

    queued: int = 0
    running: int = 0
    refusals: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds until there is room for another job, by engine; engines with room are left out."""
    jobs: dict[str, Figures] = field(default_factory=dict[str, Figures])
    work: dict[str, Work] = field(default_factory=dict[str, Work])
    """What each busy worker renders, by its name."""
    suspects: list[str] = field(default_factory=list[str])
    """Addresses of workers that the scheduler avoids for their recent failures."""

    def show(self, job: Job) -> Job:
        """A stored job with its live figures."""
        if job.id in self.jobs:
            job.percent, left = self.jobs[job.id]
            if left >= 0:
                job.eta.CopyFrom(duration(left))
        return job


_ADAPTER = TypeAdapter(Outlook)


def write_outlook(outlook: Outlook) -> bytes:
    """As it is stored."""
    return _ADAPTER.dump_json(outlook)


def read_outlook(content: bytes) -> Outlook:
    """As it was stored; one of another release counts as empty."""
    try:
        return _ADAPTER.validate_json(content)
    except ValueError:
        return Outlook()


def survey(runs: list[JobRun], refusals: dict[str, float], suspects: list[str]) -> Outlook:
    """How things stand now."""
    queued = sum(run.job.state == JOB_STATE_QUEUED for run in runs)
    figures = {run.id: _figures(run) for run in runs}
    return Outlook(queued, len(runs) - queued, refusals, figures, _work(runs), suspects)


def _figures(run: JobRun) -> Figures:
    left = run.estimate.done if run.estimate is not None else -1.0
    return round(run.percent, 1), round(left, 1)


def _work(runs: list[JobRun]) -> dict[str, Work]:
    running = (
        (run.id, attempt.chunk)
        for run in runs
        for attempt in run.attempts.values()
        if attempt.chunk.state == CHUNK_STATE_RUNNING
    )
    return {chunk.worker: (job, chunk.frames.first, chunk.frames.end) for job, chunk in running}


def engine_key(name: str, version: str) -> str:
    """Names an engine in `Outlook.refusals`."""
    return f"{name} {version}"
