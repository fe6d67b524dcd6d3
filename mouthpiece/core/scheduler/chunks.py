"""Where on a tape a head begins, and how far it goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mouthpiece.core.scheduler.events import Mode
from mouthpiece.core.scheduler.state import Attempt, Head, Job, State
from mouthpiece.core.scheduler.tape import GRADE_COST
from mouthpiece.core.timeline import Span


@dataclass(frozen=True, slots=True)
class Start:
    """A chunk that a head could begin."""

    span: Span
    overhead: float
    prep: float
    expected: float
    resumed: bool = False
    hedge: Attempt | None = None


def resume(state: State, job: Job, head: Head) -> Start | None:
    """Go on where the head stands, if that is on this job's tape; sooner at the front if nobody is near."""
    if head.job != job.spec.job:
        return None
    places = [stretch for stretch in orphans(job)[:1] if stretch.first == job.tape.front]
    if stretch := job.tape.stretch_at(head.at):
        places.append(stretch)
    return next((start for place in places if (start := _begin(state, job, head, place))), None)


def nearly_there(state: State, job: Job, head: Head) -> bool:
    """Whether what lies before a head takes it no longer than another would take to begin."""
    ahead = job.tape.stretch_at(head.at) if job.tape.final else None
    cost = state.costs_of(job.engine).start(warm=True)
    return ahead is not None and len(ahead) <= cost * state.rate(head.worker, job)


def begin(state: State, job: Job, head: Head) -> Start | None:
    """The best place for a free head."""
    late = repeat_late(state, job, head)
    return late or resume(state, job, head) or orphan(state, job, head) or _split(state, job, head)


class Hands:
    """What idle heads have to offer at best: the avatars that one of them knows, the speed of the fastest."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self._workers = [head.worker for head in heads]
        self._warm = set[str]().union(*(worker.warm for worker in self._workers))
        self._fastest: dict[tuple[str, str], float] = {}

    def could_help(self, state: State, job: Job) -> bool:
        """Whether it is worth looking for a chunk to begin. A yes may be wrong, a no never is."""
        fastest = self._rate(job.engine)
        if not fastest:
            return False
        overhead = state.costs_of(job.engine).start(warm=job.spec.avatar in self._warm)
        return needs_help(state, job) or _could_split(state, job, fastest * job.pace.value, overhead)

    def _rate(self, engine: tuple[str, str]) -> float:
        if engine not in self._fastest:
            rates = (worker.rates[engine].value for worker in self._workers if engine in worker.offers)
            self._fastest[engine] = max(rates, default=0.0)
        return self._fastest[engine]


def needs_help(state: State, job: Job) -> bool:
    """Whether something can be begun that no head will reach by itself, or is late."""
    return any(_can_cut(job, stretch) for stretch in orphans(job)) or _has_late(state, job)


def orphan(state: State, job: Job, head: Head) -> Start | None:
    """The first free stretch that no head is about to reach."""
    starts = (_begin(state, job, head, stretch) for stretch in orphans(job))
    return next((start for start in starts if start), None)


def orphans(job: Job) -> list[Span]:
    """The free stretches that no head is about to reach, ascending; all, when it is cut in order."""
    if job.in_order:
        return job.tape.free
    if not job.tape.free:
        return []
    reached = {attempt.span.end for attempt in job.running.values() if goes_on(attempt)}
    return [stretch for stretch in job.tape.free if stretch.first not in reached]


def _can_cut(job: Job, stretch: Span) -> bool:
    limit = job.fixed_length or job.spec.max_chunk_frames or bool(job.spec.max_chunk_seconds)
    return job.tape.can_cut(stretch, limit)


def _has_late(state: State, job: Job) -> bool:
    return any(not attempt.twin and attempt.late_at <= state.now for attempt in job.running.values())


def repeat_late(
    state: State, job: Job, head: Head, times: float | None = None, slack: float | None = None
) -> Start | None:
    """A second attempt at a chunk that takes far too long."""
    times = state.tuning.late_factor if times is None else times
    slack = state.tuning.late_slack if slack is None else slack
    for attempt in job.running.values():
        same = attempt.head.worker is head.worker
        if same or attempt.twin or attempt.late_since(times, slack) > state.now:
            continue
        start = _timed(state, job, head, attempt.span, hedge=attempt)
        sooner = start.expected < attempt.doubt(state.now)
        if sooner and not barred(state, job, head, attempt.span):
            return start
    return None


def barred(state: State, job: Job, head: Head, span: Span) -> bool:
    """Whether a worker already failed on some of the frames while there are others that have not."""
    failed = {failure.worker for failure in job.failures if failure.span.overlaps(span)}
    if head.worker.name not in failed:
        return False
    able = (worker for worker in state.workers.values() if job.engine in worker.offers)
    return any(worker.usable(state.now) and worker.name not in failed for worker in able)


def goes_on(attempt: Attempt) -> bool:
    """Whether a head will probably reach what follows: of two that race, the second will."""
    worker = attempt.head.worker
    return not (worker.draining or worker.late or (attempt.twin and not attempt.hedge))


def _split(state: State, job: Job, head: Head) -> Start | None:
    """Share the run that would end last, so that both heads end together; take it all if that is sooner."""
    if job.in_order or head.worker.suspect:
        return None
    run = _last_run(state, job)
    if run is None:
        return None
    end, stretch, rate = run
    own = state.rate(head.worker, job)
    overhead, _ = _overhead(state, job, head, stretch.end)
    here = end - len(stretch) / rate
    rest = (end - state.now - overhead) * own
    meet = stretch.first + round(len(stretch) - max(rest, 0) * rate / (own + rate))
    first = stretch.first if meet <= stretch.first else _mark_near(job, stretch, meet)
    if first is None:
        return None
    both = max(here + (first - stretch.first) / rate, state.now + overhead + (stretch.end - first) / own)
    if end - both < state.tuning.least_saving:
        return None
    return _begin(state, job, head, Span(first, stretch.end))


def _could_split(state: State, job: Job, own: float, overhead: float) -> bool:
    """Whether a head of that speed would save enough if the run that ends last could be cut anywhere."""
    run = None if job.in_order else _last_run(state, job)
    if run is None:
        return False
    end, _, rate = run
    return (end - state.now - overhead) * own / (own + rate) >= state.tuning.least_saving


def _last_run(state: State, job: Job) -> tuple[float, Span, float] | None:
    return max(_runs(state, job), key=lambda run: run[0], default=None)


def _runs(state: State, job: Job) -> Iterator[tuple[float, Span, float]]:
    """Free stretches that a head will go on into: when it will have done them, and how fast it is."""
    if not job.tape.free:
        return
    for attempt in job.running.values():
        stretch = job.tape.stretch_at(attempt.span.end)
        if stretch and goes_on(attempt):
            rate = state.rate(attempt.head.worker, job)
            yield attempt.ends_at(state.now) + len(stretch) / rate, stretch, rate


def _mark_near(job: Job, stretch: Span, wanted: int) -> int | None:
    if not stretch.first < wanted < stretch.end:
        return None
    reach = max(min(wanted - stretch.first, stretch.end - wanted), 1)
    marks = job.tape.marks_within(Span(wanted - reach, wanted + reach))
    best = min(marks, key=lambda mark: abs(mark[0] - wanted) / reach + GRADE_COST * mark[1], default=None)
    return best[0] if best else None


def _begin(state: State, job: Job, head: Head, stretch: Span) -> Start | None:
    """Cut a chunk off the beginning of a free stretch; None when it cannot be cut yet."""
    spec, tape = job.spec, job.tape
    if spec.mode is Mode.SINGLE and not tape.final:
        return None
    if spec.chained and (tape.taken or stretch.first > tape.front):
        return None
    limit = _limit(state, job, head)
    if job.fixed_length:
        end = tape.cut_fixed(stretch, job.fixed_length, limit)
    elif spec.mode is Mode.SINGLE:
        end = tape.cut(stretch, limit or len(stretch), limit)
    else:
        end = tape.cut(stretch, _length(state, job, head, stretch), limit)
    span = Span(stretch.first, end)
    if not span or barred(state, job, head, span):
        return None
    return _timed(state, job, head, span)


def _limit(state: State, job: Job, head: Head) -> int:
    """Most frames of a chunk by the engine's rules, with a margin of two for its time limit; 0 is none."""
    limit = job.spec.max_chunk_frames
    if job.spec.max_chunk_seconds:
        timed = max(1, int(job.spec.max_chunk_seconds * state.rate(head.worker, job) / 2))
        limit = min(limit, timed) if limit else timed
    return limit


def _length(state: State, job: Job, head: Head, stretch: Span) -> int:
    """Wanted length of a chunk in frames.

    Long enough to pay for the cut, the more so the busier the cluster; short enough that a worker is free
    soon and that the heads of a job end together; the first one of a job is short so that the picture starts.
    """
    tuning = state.tuning
    rate = state.rate(head.worker, job)
    goes_on = head.worker.offers[job.engine].resumes
    heads = state.pool(job.engine).heads
    most = min(max(heads / 2, 2.0), tuning.most_chunk) if goes_on else tuning.most_chunk_fresh
    costs = state.costs_of(job.engine)
    cost = costs.resume if goes_on else costs.start(warm=True)
    least = max(tuning.least_chunk, tuning.thrift * cost)
    share = most
    if job.heads:
        share = job.left / (2 * (job.heads + 1) * rate)
    seconds = min(most, max(least, share))
    if stretch.first == 0 and goes_on:
        seconds = min(seconds, tuning.first_render, float(tuning.first_speech * job.spec.fps) / rate)
    return max(1, round(seconds * rate))


def _resumes(job: Job, head: Head, first: int) -> bool:
    """Whether a chunk that begins at ``first`` goes on just where the head stopped."""
    return (head.job, head.at) == (job.spec.job, first) and head.worker.offers[job.engine].resumes


def _overhead(state: State, job: Job, head: Head, first: int) -> tuple[float, float]:
    """Seconds before the first frame, and how many of them prepare the avatar."""
    costs = state.costs_of(job.engine)
    if _resumes(job, head, first):
        return costs.resume, 0.0
    ready = head.worker.warm.get(job.spec.avatar)
    prep = costs.prep if ready is None else max(0.0, ready - state.now)
    return costs.setup + prep, prep


def _timed(state: State, job: Job, head: Head, span: Span, hedge: Attempt | None = None) -> Start:
    overhead, prep = _overhead(state, job, head, span.first)
    expected = overhead + len(span) / state.rate(head.worker, job)
    return Start(span, overhead, prep, expected, _resumes(job, head, span.first), hedge)
