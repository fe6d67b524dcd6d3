"""What would happen to a job if everything went as expected: the scheduler itself, in virtual time."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from mouthpiece.core.scheduler.events import (
    Abort,
    ChunkDone,
    ChunkStopped,
    Complete,
    Event,
    Fail,
    JobSubmitted,
    Render,
    Segment,
    SpeechGrew,
    Tick,
    Timings,
    WakeAt,
)
from mouthpiece.core.scheduler.scheduler import Scheduler
from mouthpiece.core.scheduler.state import Job
from mouthpiece.core.speech import CutGrade, CutMark
from mouthpiece.core.timeline import Span

_MOST_STEPS = 20_000


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """What would be rendered where; seconds from now."""

    span: Span
    worker: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """A job's course: its chunks by start, and the seconds until its first segment and its end.

    Both are infinite when nobody can render the job.
    """

    chunks: tuple[PlannedChunk, ...]
    first: float
    total: float


def forecast(
    scheduler: Scheduler, now: float, job: JobSubmitted, speech: Sequence[tuple[float, SpeechGrew]]
) -> Forecast:
    """The course of a job that is submitted now, while nothing else comes; the scheduler is left as it is.

    ``speech`` is when (seconds from now) the job's speech would grow; the last must be final. The speech of
    other jobs is taken to be complete now, at its expected length.
    """
    return _Dream(scheduler, now, job, speech).run()


def even_marks(first: int, end: int, every: int) -> tuple[CutMark, ...]:
    """Cut marks for speech that nobody has spoken yet."""
    return tuple(CutMark(frame, CutGrade.PAUSE) for frame in range(first + every, end, every))


class _Dream:
    """A copy of a scheduler in a world without surprises."""

    def __init__(
        self, scheduler: Scheduler, now: float, job: JobSubmitted, speech: Sequence[tuple[float, SpeechGrew]]
    ) -> None:
        self._scheduler: Scheduler = pickle.loads(pickle.dumps(scheduler))
        self._born = self._now = max(now, scheduler.state.now)
        self._job = job.job
        self._queue: list[tuple[float, int, Event]] = []
        self._steps = 0
        self._renders: dict[str, tuple[Render, float]] = {}
        self._chunks: list[PlannedChunk] = []
        self._first = self._total = float("inf")
        for attempt in self._scheduler.state.attempts.values():
            ended = ChunkStopped if attempt.aborted else ChunkDone
            self._later(attempt.ends_at(self._now), ended(attempt.job, attempt.id))
        for other in self._scheduler.state.jobs.values():
            self._later(self._now, _rest(other))
        self._later(self._now, replace(job, restored=True))
        for after, grown in speech:
            self._later(self._now + after, grown)

    def run(self) -> Forecast:
        """Live through it."""
        while self._queue and self._total == float("inf") and self._steps < _MOST_STEPS:
            self._now, _, event = heappop(self._queue)
            if isinstance(event, ChunkDone):
                event = self._timed(event)
            for command in self._scheduler.handle(self._now, event):
                match command:
                    case Render():
                        self._render(command)
                    case Abort(job, attempt):
                        self._later(self._now, ChunkStopped(job, attempt))
                    case WakeAt(at):
                        self._later(at, Tick())
                    case Segment(self._job):
                        self._first = min(self._first, self._now - self._born)
                    case Complete(self._job) | Fail(self._job):
                        self._total = self._now - self._born
                    case _:
                        pass
        return Forecast(tuple(sorted(self._chunks, key=lambda chunk: chunk.start)), self._first, self._total)

    def _render(self, command: Render) -> None:
        self._later(self._now + command.expected, ChunkDone(command.job, command.attempt))
        if command.job == self._job:
            start = self._now - self._born
            self._chunks.append(PlannedChunk(command.span, command.worker, start, start + command.expected))

    def _timed(self, event: ChunkDone) -> ChunkDone:
        """With just the timings that were expected: the avatar is warm then, and nothing else learned."""
        state = self._scheduler.state
        attempt = state.attempts.get((event.job, event.attempt))
        if attempt is None or attempt.aborted:
            return event
        job, worker = state.jobs[event.job], attempt.head.worker
        prep = 0.0 if attempt.resumed or job.spec.avatar in worker.warm else state.costs_of(job.engine).prep
        render = len(attempt.span) / state.rate(worker, job)
        return replace(event, timings=Timings(prep, max(attempt.overhead - prep, 0.0), render))

    def _later(self, at: float, event: Event) -> None:
        self._steps += 1
        heappush(self._queue, (at, self._steps, event))


def _rest(job: Job) -> SpeechGrew:
    marks = even_marks(job.tape.ready, job.total, max(1, round(job.spec.fps)))
    return SpeechGrew(job.spec.job, job.total, marks, final=True)
