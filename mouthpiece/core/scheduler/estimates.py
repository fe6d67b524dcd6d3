"""When jobs will end, and whether there is room for another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush, heapreplace

from mouthpiece.core.scheduler.beliefs import Estimate
from mouthpiece.core.scheduler.chunks import goes_on, orphans
from mouthpiece.core.scheduler.events import Eta
from mouthpiece.core.scheduler.policy import ranked, to_come, worth
from mouthpiece.core.scheduler.state import Head, Job, State

_CLOSING = 0.5
"""Part of the last piece of speech that a job's end is expected to wait for."""


def estimates(state: State) -> Iterator[Eta]:
    """What to expect of every job, in the order in which they are served.

    Job by job, the heads that it deserves and that are free first are filled with its work until all of
    them end together. Speech that is not there yet may end later than that.
    """
    order = ranked(state)
    coming = to_come(state)
    crew = _Crew(state)
    waiting = 0
    for place, job in enumerate(order):
        behind = len(order) - 1 - place
        start, done = crew.fill(job, worth(state, job, behind + coming))
        first = _first(state, job, start)
        begun = bool(job.tape.taken or job.tape.finished)
        done = max(first, done, _closed(state, job))
        halfway = state.now - job.begun_at > done
        estimate = Estimate(state.now, done, job.tape.final, not job.tape.free, halfway, job.heads)
        job.remember(estimate)
        corrected = max(first, state.calibration.correct(estimate))
        yield Eta(job.spec.job, first, corrected, 0 if begun else waiting)
        waiting += not begun


def refusal(state: State, engine: tuple[str, str]) -> float:
    """Seconds until there is room for another job; 0 when there is room now."""
    tuning = state.tuning
    heads = max(state.pool(engine).heads, 1)
    queued = sum(state.seconds_left(job) for job in state.jobs.values()) / heads
    if len(state.jobs) >= tuning.queue_jobs:
        return max(1.0, queued / len(state.jobs))
    return max(1.0, queued - tuning.queue_seconds) if queued > tuning.queue_seconds else 0.0


class _Crew:
    """The heads of the cluster, and when (seconds from now) each will be free for the next job."""

    def __init__(self, state: State) -> None:
        self._state = state
        heads = [head for worker in state.workers.values() for head in worker.heads[: worker.slots]]
        self._heads = [head for head in heads if not head.worker.draining]
        self._free = [self._ends(head) for head in self._heads]
        self._claimed = [False] * len(self._heads)
        self._queue = [(free, number) for number, free in enumerate(self._free)]
        heapify(self._queue)
        self._own: dict[str, list[int]] = {}
        for number, head in enumerate(self._heads):
            if head.attempt and not head.attempt.aborted:
                self._own.setdefault(head.attempt.job, []).append(number)

    def fill(self, job: Job, most: int) -> tuple[float, float]:
        """Give a job's work to at most so many heads; when it begins, and when it ends.

        When there is nobody, it is told as if one worker came at once.
        """
        state = self._state
        costs = state.costs_of(job.engine)
        crew = [number for number in self._own.get(job.spec.job, ()) if not self._claimed[number]][:most]
        runs = self._runs(job, crew)
        others = self._others(job, most - len(crew), crew)
        if not runs and not others:
            return costs.start(warm=False), costs.start(warm=False) + state.seconds_left(job)
        rate = state.mean_rate(job)
        level = 0.0
        if job.total > job.tape.ready:
            unspoken = (job.total - job.tape.ready) / rate
            level = _level([*(end for end, _ in runs), *(start for start, _ in others)], unspoken)
        pieces = [len(stretch) / rate for stretch in orphans(job)]
        done = shared(
            [(max(end, level), chunk) for end, chunk in runs]
            + [(level, start) for start, _ in others if start < level],
            [start for start, _ in others if start >= level],
            pieces,
            costs.start(warm=True),
            state.tuning.least_saving,
        )
        starts = [*((self._free[number], number) for number in crew), *others]
        for start, number in starts:
            if start < done:
                self._claimed[number] = True
                self._free[number] = done
            heappush(self._queue, (self._free[number], number))
        return min(start for start, _ in starts), done

    def _runs(self, job: Job, crew: Sequence[int]) -> list[tuple[float, float]]:
        """When a job's own heads will have done what lies before them, and when the chunks they are at."""
        runs: list[tuple[float, float]] = []
        for number in crew:
            attempt = None if job.in_order else self._heads[number].attempt
            ahead = job.tape.stretch_at(attempt.span.end) if attempt and goes_on(attempt) else None
            rest = len(ahead) / self._state.rate(self._heads[number].worker, job) if ahead else 0.0
            runs.append((self._free[number] + rest, self._free[number]))
        return runs

    def _others(self, job: Job, most: int, crew: Sequence[int]) -> list[tuple[float, int]]:
        state = self._state
        costs = state.costs_of(job.engine)
        speech = _spoken(state, job) / max(most, 1)
        found: list[tuple[float, int]] = []
        passed: list[tuple[float, int]] = []
        while self._queue and len(found) < most:
            free, number = heappop(self._queue)
            worker = self._heads[number].worker
            if free != self._free[number] or number in crew:
                continue
            if job.engine in worker.offers:
                start = max(free, speech * len(found)) + costs.start(warm=job.spec.avatar in worker.warm)
                found.append((start, number))
            else:
                passed.append((free, number))
        for entry in passed:
            heappush(self._queue, entry)
        return found

    def _ends(self, head: Head) -> float:
        now = self._state.now
        paused = max(head.worker.paused_until - now, 0.0)
        race = [attempt for attempt in (head.attempt, head.attempt and head.attempt.twin) if attempt]
        return max(min((one.ends_at(now) for one in race), default=now) - now, paused)


def shared(
    runs: Sequence[tuple[float, float]],
    free: Sequence[float],
    pieces: Sequence[float],
    switch: float,
    least: float,
) -> float:
    """When the last of some heads ends if whoever becomes free takes a piece, or halves what would end last.

    ``runs`` are the ends of those at work and the moments before which they cannot be relieved, ``free`` the
    moments at which others could begin, ``pieces`` the seconds of work that nobody heads for; ``switch`` is
    what it costs those at work to begin elsewhere, ``least`` the saving for which that is done.
    """
    last = [(-end, chunk) for end, chunk in runs]
    starts = [*free, *(end + switch for end, _ in runs)]
    heapify(last)
    heapify(starts)
    for piece in pieces:
        start = heappop(starts)
        heappush(last, (-start - piece, start))
        heappush(starts, start + piece + switch)
    while last and starts:
        end, chunk = -last[0][0], last[0][1]
        half = max((end + starts[0]) / 2, chunk)
        if end - half < least:
            break
        heapreplace(last, (-half, chunk))
        heappush(last, (-half, heapreplace(starts, half + switch)))
        heappush(starts, half + switch)
    return -last[0][0] if last else min(free)


def _level(starts: Sequence[float], work: float) -> float:
    """When work is done that is poured over heads which begin at different times."""
    starts = sorted(starts)
    total = 0.0
    level = starts[0]
    for number, start in enumerate(starts, 1):
        total += start
        level = (work + total) / number
        if number < len(starts) and level <= starts[number]:
            break
    return level


def _spoken(state: State, job: Job) -> float:
    """Seconds until the speech is complete."""
    if job.tape.final:
        return 0.0
    return max(job.spoken_at + (job.total - job.tape.ready) / job.spoken_rate - state.now, 0.0)


def _closed(state: State, job: Job) -> float:
    """Seconds until the last piece of speech can be rendered."""
    if job.tape.final:
        return 0.0
    closing = state.costs_of(job.engine).setup + _CLOSING * job.piece / state.mean_rate(job)
    return _spoken(state, job) + closing


def _first(state: State, job: Job, start: float) -> float:
    """Seconds until the chunk at frame 0 will be there."""
    if job.tape.front:
        return 0.0
    ends = [attempt.ends_at(state.now) for attempt in job.running.values() if attempt.span.first == 0]
    return min(ends) - state.now if ends else start + _opening(state, job)


def _opening(state: State, job: Job) -> float:
    """Render time of the first chunk."""
    tuning = state.tuning
    speech = float(tuning.first_speech * job.spec.fps) / state.mean_rate(job)
    return min(tuning.first_render, speech, state.seconds_left(job))
