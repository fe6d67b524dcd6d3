"""What follows when attempts end: delivery, learning, retries, quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mouthpiece.core.scheduler.beliefs import learn_speed
from mouthpiece.core.scheduler.events import Abort, Command, Complete, Fail, Fault, Segment, Timings
from mouthpiece.core.scheduler.policy import weigh
from mouthpiece.core.scheduler.state import Attempt, Failure, Job, State, Worker

_WITNESSES = 2
"""Workers that must fail with the same input until that is to blame."""


def end_attempt(state: State, attempt: Attempt) -> Job | None:
    """Free the head of an attempt; the job it was for, None when its result is not wanted any more."""
    del state.attempts[attempt.job, attempt.id]
    attempt.head.attempt = None
    if attempt.aborted:
        attempt.head.job = ""
        return None
    job = state.jobs[attempt.job]
    del job.running[attempt.id]
    job.rests_until = 0.0
    return job


def succeed(state: State, attempt: Attempt, timings: Timings | None) -> Iterator[Command]:
    """An attempt is done: learn from it, call off its twin, deliver what is next in order."""
    worker = attempt.head.worker
    job = end_attempt(state, attempt)
    worker.late, worker.strikes, worker.failed_at = False, 0, None
    if worker.paused_until:
        worker.paused_until = 0.0
        state.refresh()
    if job is None:
        return
    worker.refused.pop(job.engine, None)
    if timings:
        _learn(state, job, attempt, timings)
    if attempt.twin:
        _outrun(state, job, attempt.twin)
        yield from abort(job, attempt.twin)
    job.tape.finish(attempt.span)
    weigh(state, job)
    yield from deliver(state, job)


def deliver(state: State, job: Job) -> Iterator[Command]:
    """Hand out the chunks that are next in order, and the job when it is complete."""
    for span in job.tape.deliver():
        yield Segment(job.spec.job, span)
    if job.tape.complete:
        for estimate in job.estimates:
            state.calibration.learn(estimate, state.now)
        del state.jobs[job.spec.job]
        yield Complete(job.spec.job)


def fail(state: State, job: Job, attempt: Attempt, reason: str, fault: Fault) -> Iterator[Command]:
    """An attempt has failed: its frames go back unless its twin goes on with them; the job may end."""
    attempt.head.job = ""
    worker = attempt.head.worker
    if fault is not Fault.NOBODY:
        job.failures.append(Failure(attempt.span, worker.name, worker.title, reason))
    if attempt.twin:
        attempt.twin.twin = None
    else:
        job.tape.give_back(attempt.span)
    if fault is Fault.JOB:
        yield from drop(state, job)
        yield Fail(job.spec.job, said([(worker.title, reason)]))
    elif fault is not Fault.NOBODY:
        told = "" if attempt.twin else _hopeless(state, job, attempt)
        _note_failure(state, worker, job, fault)
        _acquit(state, job, over=bool(told))
        if told:
            yield from drop(state, job)
            yield Fail(job.spec.job, told)


def blame(state: State, worker: Worker, fault: Fault, retry_after: float) -> None:
    """Leave a worker alone for a while after it refused or failed."""
    tuning = state.tuning
    if fault is Fault.NOBODY:
        pause = retry_after or tuning.busy_pause
    elif fault is Fault.JOB:
        return
    else:
        least = tuning.fault_pause if fault is Fault.WORKER else 0.0
        pause = min(max(tuning.first_pause * 2**worker.strikes, least), tuning.most_pause)
        worker.strikes += 1
    worker.paused_until = max(worker.paused_until, state.now + pause)
    state.refresh()


def _note_failure(state: State, worker: Worker, job: Job, fault: Fault) -> None:
    """Remember what a worker fails at. One that cannot be trusted, or that died, fails by itself."""
    tried = fault is Fault.ATTEMPT and worker.name in state.workers
    here = (job.spec.avatar, job.spec.job) if tried else ("", "")
    avatar, name = worker.failed_at or here
    worker.failed_at = (avatar if avatar == here[0] else "", name if name == here[1] else "")


def _acquit(state: State, job: Job, *, over: bool) -> None:
    """Take the blame from workers that failed at nothing but this job's input.

    For an avatar that nobody has rendered yet it is enough that two workers fail; otherwise the job must be
    ``over``, so that broken workers do not clear each other again and again while others get on with it.
    """
    avatar, name = job.spec.avatar, job.spec.job
    proven = any(worker.warm.get(avatar) == 0.0 for worker in state.workers.values())
    failed = {failure.worker for failure in job.failures}
    if len(failed) < _WITNESSES or (proven and not over):
        return
    for worker in (state.workers[one] for one in failed & state.workers.keys()):
        at_avatar, at_job = worker.failed_at or ("", "")
        if (at_job == name) if proven else (at_avatar == avatar):
            worker.strikes, worker.paused_until = 0, 0.0
    state.refresh()


def said(reasons: Iterable[tuple[str, str]]) -> str:
    """What workers said, given as their titles and reasons: each reason once, with all who gave it."""
    titles: dict[str, dict[str, None]] = {}
    for title, reason in reasons:
        titles.setdefault(reason, {})[title] = None
    return "; ".join(f"{', '.join(who)}: {reason}" for reason, who in titles.items())


def drop(state: State, job: Job) -> Iterator[Command]:
    """Forget a job and call off its attempts."""
    del state.jobs[job.spec.job]
    for attempt in list(job.running.values()):
        yield from abort(job, attempt)


def abort(job: Job, attempt: Attempt) -> Iterator[Command]:
    """Call an attempt off. Its head is busy until it says that it stopped."""
    del job.running[attempt.id]
    attempt.aborted = True
    yield Abort(attempt.job, attempt.id)


def _hopeless(state: State, job: Job, attempt: Attempt) -> str:
    """Why the frames of a failed attempt will never be rendered; empty while there is hope."""
    failures = [failure for failure in job.failures if failure.span.overlaps(attempt.span)]
    for frame in sorted({max(failure.span.first, attempt.span.first) for failure in failures}):
        here = [failure for failure in failures if failure.span.first <= frame < failure.span.end]
        names = {failure.worker for failure in here}
        able = [worker for worker in state.workers.values() if job.engine in worker.offers]
        untried = [worker for worker in able if worker.name not in names and not worker.draining]
        most = state.tuning.most_failures
        if len(names) >= most or (len(here) >= most and not untried):
            told = said((failure.title, failure.reason) for failure in here)
            return f"frames {attempt.span.first} to {attempt.span.end} failed {len(here)} times: {told}"
    return ""


def _outrun(state: State, job: Job, attempt: Attempt) -> None:
    """An attempt lost its race. The first of two is no faster than that, and its worker is suspect."""
    worker = attempt.head.worker
    elapsed = state.now - attempt.started - attempt.overhead
    if attempt.hedge or elapsed <= 0:
        return
    worker.late = True
    _adjust(state, job, worker, max(attempt.frames_done, 1) / elapsed)


def _learn(state: State, job: Job, attempt: Attempt, timings: Timings) -> None:
    worker = attempt.head.worker
    state.costs_of(job.engine).learn(timings, attempt.prep, resumed=attempt.resumed)
    state.warm_up(worker, job.spec.avatar)
    if timings.render > 0:
        _adjust(state, job, worker, len(attempt.span) / timings.render)


def _adjust(state: State, job: Job, worker: Worker, measured: float) -> None:
    before = worker.rates[job.engine].value
    learn_speed(measured, worker.rates[job.engine], job.pace)
    state.quicken(worker, job.engine, before)
