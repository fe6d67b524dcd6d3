"""Which head begins what, now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mouthpiece.core.scheduler.chunks import (
    Hands,
    Start,
    begin,
    nearly_there,
    needs_help,
    orphan,
    repeat_late,
    resume,
)
from mouthpiece.core.scheduler.events import Prepare, Render
from mouthpiece.core.scheduler.policy import ranked, repulsion, shares
from mouthpiece.core.scheduler.state import Attempt, Head, Job, State

_CHOICES = 8
"""How many jobs free heads choose among at a time,"""
_HEADS = 64
"""and how many heads choose."""
_REFUSALS = 3
"""A job that so many heads could not begin is left for now:"""
_REST = 0.25
"""for so many seconds, unless a chunk of it begins or ends or its speech grows."""


def decide(state: State) -> Iterator[Render]:
    """Give chunks to idle heads until none of them can help anybody."""
    idle = list(state.idle())
    if not idle or not state.jobs:
        return
    order = _unfinished(state)
    given = shares(state, order)
    yield from _go_on(state, idle, given)
    yield from _hire(state, idle, order, given)
    yield from _help(state, idle, order)


def _go_on(state: State, idle: list[Head], given: dict[str, int]) -> Iterator[Render]:
    """Heads that their job still deserves, or that are nearly there, go on where they stand."""
    for head in [head for head in idle if head.job in given]:
        job = state.jobs[head.job]
        stays = job.heads < given[head.job] or nearly_there(state, job, head)
        if _able(head, job) and stays and (start := resume(state, job, head)):
            idle.remove(head)
            yield _take(state, job, head, start)


def _hire(state: State, idle: list[Head], order: Sequence[Job], given: dict[str, int]) -> Iterator[Render]:
    """Free heads go where they are deserved, the best match first."""
    hands = Hands(idle)
    asking = (job for job in order if job.heads < given[job.spec.job] and state.now >= job.rests_until)
    wanting = [job for job in asking if hands.could_help(state, job)]
    while wanting and idle:
        jobs, heads = wanting[:_CHOICES], idle[:_HEADS]
        matches = sorted(_matches(state, jobs, heads))
        refused = [0] * len(jobs)
        for _, _, number, place in matches:
            head, job = heads[number], jobs[place]
            if head.attempt or job.heads >= given[job.spec.job] or refused[place] >= _REFUSALS:
                continue
            if start := begin(state, job, head):
                idle.remove(head)
                yield _take(state, job, head, start)
            else:
                refused[place] += 1
                job.rests_until = state.now + _REST if refused[place] == _REFUSALS else 0.0
        more = len(heads) == _HEADS and idle[:_HEADS] != heads
        wanting = wanting if more else wanting[_CHOICES:]


def _matches(
    state: State, jobs: Sequence[Job], heads: Sequence[Head]
) -> Iterator[tuple[bool, float, int, int]]:
    """Suspect last, then how badly they match; the places of head and job."""
    for place, job in enumerate(jobs):
        able = [number for number, head in enumerate(heads) if _able(head, job)]
        scores = repulsion(state, job, [heads[number] for number in able])
        for number, score in zip(able, scores, strict=True):
            yield heads[number].worker.suspect, score, number, place


def _help(state: State, idle: list[Head], order: Sequence[Job]) -> Iterator[Render]:
    """Whoever is left takes what nobody is heading for, else repeats what is probably stuck."""
    tuning = state.tuning
    for job in order:
        if not idle:
            return
        if not needs_help(state, job):
            continue
        able = [head for head in idle if _able(head, job)]
        for head in sorted(able, key=lambda head: head.job != job.spec.job):
            start = (resume(state, job, head) or orphan(state, job, head)) if _may_grow(job) else None
            start = start or repeat_late(state, job, head, tuning.idle_late_factor, tuning.idle_late_slack)
            if start:
                idle.remove(head)
                yield _take(state, job, head, start)
            if not needs_help(state, job):
                break


def prepare(state: State) -> Iterator[Prepare]:
    """Workers without work prepare the avatars of jobs that will want them when their speech is there."""
    idle = [head for head in state.idle() if not any(at > state.now for at in head.worker.warm.values())]
    if not idle or all(job.tape.final for job in state.jobs.values()):
        return
    order = _unfinished(state)
    given = shares(state, order)
    for job in order:
        able = [head for head in idle if _able(head, job)]
        able.sort(key=lambda head: job.spec.avatar not in head.worker.warm)
        wanted = 0 if job.tape.final else max(given[job.spec.job] - job.heads, 0)
        for head in able[:wanted]:
            idle.remove(head)
            if job.spec.avatar not in head.worker.warm:
                head.worker.warm[job.spec.avatar] = state.now + state.costs_of(job.engine).prep
                state.refresh()
                yield Prepare(job.spec.job, head.worker.name)


def _unfinished(state: State) -> list[Job]:
    return [job for job in ranked(state) if job.left]


def _able(head: Head, job: Job) -> bool:
    return job.engine in head.worker.offers


def _may_grow(job: Job) -> bool:
    return not job.most_heads or job.heads < job.most_heads


def _take(state: State, job: Job, head: Head, start: Start) -> Render:
    job.attempts += 1
    attempt = Attempt(
        id=f"a{job.attempts}",
        job=job.spec.job,
        head=head,
        span=start.span,
        started=state.now,
        expected=start.expected,
        overhead=start.overhead,
        prep=start.prep,
        resumed=start.resumed,
        late_at=state.now + state.tuning.idle_late_factor * start.expected + state.tuning.idle_late_slack,
        hedge=start.hedge.id if start.hedge else "",
        twin=start.hedge,
        heard=state.now,
    )
    if start.hedge:
        start.hedge.twin = attempt
        tuning = state.tuning
        start.hedge.head.worker.late = (
            start.hedge.late_since(tuning.late_factor, tuning.late_slack) <= state.now
        )
    else:
        job.tape.take(start.span)
    job.rests_until = 0.0
    head.attempt = attempt
    head.job, head.at = job.spec.job, start.span.end
    job.running[attempt.id] = attempt
    state.attempts[job.spec.job, attempt.id] = attempt
    return Render(job.spec.job, attempt.id, head.worker.name, start.span, start.expected, attempt.hedge)
