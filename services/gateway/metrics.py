"""The gateway's figures."""

from __future__ import annotations

from prometheus_client import Counter

from mouthpiece.core.scheduler.events import ChunkDone, ChunkFailed, Event

_jobs = Counter("mouthpiece_jobs_ended", "Jobs that ended, by state.", ["state"])
_attempts = Counter(
    "mouthpiece_attempts_ended", "Attempts that ended, by engine and outcome.", ["engine", "outcome"]
)


def job_ended(state: str) -> None:
    """A job ended in a state such as JOB_STATE_DONE."""
    _jobs.labels(state.removeprefix("JOB_STATE_").lower()).inc()


def attempt_ended(engine: str, event: Event) -> None:
    """An attempt ended with an event."""
    match event:
        case ChunkDone():
            _attempts.labels(engine, "done").inc()
        case ChunkFailed():
            _attempts.labels(engine, event.fault.value).inc()
        case _:
            pass
