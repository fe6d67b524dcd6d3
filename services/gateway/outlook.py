"""What the leader tells the other gateways of how things stand: one row, written once a second."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

from mouthpiece.core.scheduler.estimates import refusal
from mouthpiece.core.scheduler.events import WorkerUp
from mouthpiece.core.scheduler.state import State, Worker
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
    speeds: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    """Frames per second that each live worker was learned to render, by its address and engine."""

    def remind(self, worker: WorkerUp) -> WorkerUp:
        """A worker with the speeds that were learned, where it is known."""
        known = self.speeds.get(worker.worker, {})
        offers = (
            replace(offer, rate=known.get(engine_key(offer.engine, offer.version), offer.rate))
            for offer in worker.offers
        )
        return replace(worker, offers=tuple(offers))

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


def survey(runs: list[JobRun], state: State) -> Outlook:
    """How things stand now."""
    engines = {engine for worker in state.workers.values() for engine in worker.offers}
    waits = {engine_key(*engine): refusal(state, engine) for engine in engines}
    refusals = {key: wait for key, wait in waits.items() if wait}
    suspects = [name for name, worker in state.workers.items() if worker.suspect]
    speeds = {name: _speeds(worker) for name, worker in state.workers.items()}
    queued = sum(run.job.state == JOB_STATE_QUEUED for run in runs)
    figures = {run.id: _figures(run) for run in runs}
    return Outlook(queued, len(runs) - queued, refusals, figures, _work(runs), suspects, speeds)


def _speeds(worker: Worker) -> dict[str, float]:
    return {engine_key(*engine): round(worker.rates[engine].value, 2) for engine in worker.offers}


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
    """Names an engine in `Outlook.refusals` and `Outlook.speeds`."""
    return f"{name} {version}"
