"""How long jobs wait while nobody can render them."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from mouthpiece.core.scheduler.events import Command, Fail, Fault, Stuck
from mouthpiece.core.scheduler.outcomes import drop, said
from mouthpiece.core.scheduler.state import Job, State, Worker

LOOK_EVERY = 1.0
"""Seconds between two looks at who can render what."""
TOLD_AFTER = 5.0
"""Seconds for which a job is stuck before anybody hears of it: most of what goes wrong is over by then."""
LEAST_AFTER_RESTART = 60.0
"""Seconds that workers get to appear after a restart, however long a job was stuck before it."""


def heed(worker: Worker, engine: tuple[str, str], fault: Fault, reason: str) -> None:
    """Note that a worker refused to render with an engine; if it failed otherwise, then it did try."""
    if fault is Fault.NOBODY:
        worker.refused[engine] = reason
    else:
        worker.refused.pop(engine, None)


def recall(state: State, job: Job) -> None:
    """Go on with the wait of a restored job. Who has its engine may be one of those that refused."""
    most = max(0.0, state.tuning.most_stuck - LEAST_AFTER_RESTART)
    job.stuck_since = state.now - min(job.spec.stuck, most)
    job.stuck_told = True
    for worker in state.workers.values():
        worker.refused.setdefault(job.engine, "nothing came from it since the gateway restarted")


def lose_patience(state: State) -> Iterator[Command]:
    """Tell which jobs nobody can render, and give up those for which that has lasted too long.

    Only a chunk that is done proves a worker wrong that refused before. But nobody is told that an engine is
    missing, and no job is given up for it, while somebody renders with it.
    """
    offered = {
        engine
        for worker in state.workers.values()
        if not worker.draining
        for engine in worker.offers.keys() - worker.refused.keys()
    }
    at_work = {
        job.engine
        for job in state.jobs.values()
        if any(attempt.frames_done for attempt in job.running.values())
    }
    for job in list(state.jobs.values()):
        missed = job.left > 0 and job.engine not in offered
        job.stuck_since = min(job.stuck_since, state.now) if missed else inf
        yield from _tell(state, job, stuck=missed and job.engine not in at_work)


def _tell(state: State, job: Job, *, stuck: bool) -> Iterator[Command]:
    waited = state.now - job.stuck_since
    if stuck and waited >= state.tuning.most_stuck:
        yield from drop(state, job)
        yield Fail(job.spec.job, _refusals(state, job.engine), waited)
    elif stuck and waited >= TOLD_AFTER and not job.stuck_told:
        job.stuck_told = True
        yield Stuck(job.spec.job, waited, _refusals(state, job.engine))
    elif job.stuck_told and not stuck:
        job.stuck_told = False
        yield Stuck(job.spec.job, 0.0)


def _refusals(state: State, engine: tuple[str, str]) -> str:
    """What those say who have an engine and do not render with it."""
    able = (worker for worker in state.workers.values() if engine in worker.offers)
    refused = ((worker.title, worker.refused.get(engine)) for worker in able)
    return said((title, reason) for title, reason in refused if reason is not None)
