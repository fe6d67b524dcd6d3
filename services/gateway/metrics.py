"""The gateway's figures. Engine names are those of the workers, states those of the API."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from mouthpiece.core.scheduler.events import ChunkDone, ChunkFailed, Event
from mouthpiece.v1.gateway_pb2 import JobState, JobStatistics

_jobs = Gauge(
    "mouthpiece_gateway_jobs", "Jobs that have not ended, by state; queued is the queue.", ["state"]
)
_leads = Gauge("mouthpiece_gateway_leads", "1 while this gateway leads the scheduling.")
_ended = Counter("mouthpiece_jobs_ended", "Jobs that ended, by state.", ["state"])
_first_chunk = Histogram(
    "mouthpiece_gateway_first_chunk_seconds",
    "Time from a job's acceptance to its first chunk, by engine.",
    ["engine"],
    buckets=(0.5, 1, 2, 4, 8, 15, 30, 60, 300, 1800),
)
_total = Histogram(
    "mouthpiece_gateway_job_seconds",
    "Time from a job's acceptance to its video, by engine.",
    ["engine"],
    buckets=(1, 2, 5, 15, 60, 300, 1800, 7200),
)
_chunk = Histogram(
    "mouthpiece_gateway_chunk_seconds",
    "Time that attempts took that gave a chunk, by engine.",
    ["engine"],
    buckets=(0.25, 0.5, 1, 2, 4, 8, 16, 60, 300),
)
_attempts = Counter(
    "mouthpiece_attempts_ended", "Attempts that ended, by engine and outcome.", ["engine", "outcome"]
)


def leads(*, now: bool) -> None:
    """This gateway leads from now on, or follows."""
    _leads.set(now)


def job_taken(state: JobState.ValueType) -> None:
    """A job was accepted, or taken up after a restart."""
    _jobs.labels(_name(state)).inc()


def job_moved(before: JobState.ValueType, after: JobState.ValueType) -> None:
    """A job went over to a state that is not its last."""
    _jobs.labels(_name(before)).dec()
    _jobs.labels(_name(after)).inc()


def job_left(state: JobState.ValueType) -> None:
    """A job in a state is left to another gateway, or to another term of this one."""
    _jobs.labels(_name(state)).dec()


def job_ended(before: JobState.ValueType, state: JobState.ValueType) -> None:
    """A job ended, after it was in the state `before`."""
    _jobs.labels(_name(before)).dec()
    _ended.labels(_name(state)).inc()


def video_made(engine: str, figures: JobStatistics) -> None:
    """A job has its video."""
    _first_chunk.labels(engine).observe(figures.first_chunk.ToNanoseconds() / 1e9)
    _total.labels(engine).observe(figures.total.ToNanoseconds() / 1e9)


def attempt_ended(engine: str, event: Event) -> None:
    """An attempt ended with an event."""
    match event:
        case ChunkDone(timings=timings):
            _attempts.labels(engine, "done").inc()
            if timings is not None:
                _chunk.labels(engine).observe(timings.prep + timings.setup + timings.render)
        case ChunkFailed():
            _attempts.labels(engine, event.fault.value).inc()
        case _:
            pass


def _name(state: JobState.ValueType) -> str:
    return JobState.Name(state).removeprefix("JOB_STATE_").lower()
