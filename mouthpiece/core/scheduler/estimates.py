"""When jobs will end, and whether there is room for another."""

from __future__ import annotations

from collections.abc import Iterator

from mouthpiece.core.scheduler.events import Eta
from mouthpiece.core.scheduler.policy import key
from mouthpiece.core.scheduler.state import Job, State


def estimates(state: State) -> Iterator[Eta]:
    """What to expect of every job, in the order in which they are served.

    A fluid estimate: the work of the jobs before it at the speed of the cluster, then its own on as many
    heads as it can use.
    """
    ahead = 0.0
    waiting = 0
    for job in sorted(state.jobs.values(), key=lambda job: (key(state, job), job.spec.job)):
        heads = max(state.pool(job.engine).heads, 1)
        left = state.seconds_left(job)
        begun = bool(job.running) or job.tape.finished > 0
        wait = ahead / heads
        start = 0.0 if begun else state.costs_of(job.engine).start(warm=False)
        first = _first(state, job) if begun else wait + start + _opening(state, job)
        own = left / max(min(job.most_heads or heads, heads, left), 1.0)
        yield Eta(job.spec.job, first, max(first, wait + own + start), 0 if begun else waiting)
        ahead += left
        waiting += not begun


def refusal(state: State, engine: tuple[str, str]) -> float:
    """Seconds until there is room for another job; 0 when there is room now."""
    tuning = state.tuning
    heads = max(state.pool(engine).heads, 1)
    queued = sum(state.seconds_left(job) for job in state.jobs.values()) / heads
    if len(state.jobs) >= tuning.queue_jobs:
        return max(1.0, queued / len(state.jobs))
    return max(1.0, queued - tuning.queue_seconds) if queued > tuning.queue_seconds else 0.0


def _first(state: State, job: Job) -> float:
    """Seconds until the chunk at frame 0 of a job that has begun will be there."""
    if job.tape.front:
        return 0.0
    ends = [attempt.ends_at(state.now) for attempt in job.running.values() if attempt.span.first == 0]
    return min(ends) - state.now if ends else _opening(state, job)


def _opening(state: State, job: Job) -> float:
    """Render time of the first chunk."""
    tuning = state.tuning
    speech = float(tuning.first_speech * job.spec.fps) / state.mean_rate(job)
    return min(tuning.first_render, speech, state.seconds_left(job))
