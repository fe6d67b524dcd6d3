"""The rules of the systems that this one replaces, as policies over the same events.

All of them are given more than they have: their chunks are rendered as soon as the speech for them exists.
Jobs are served in the order in which they came.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

from mouthpiece.core.scheduler.events import (
    ChunkDone,
    ChunkFailed,
    ChunkStopped,
    Command,
    Complete,
    Eta,
    Event,
    JobSubmitted,
    Prepare,
    Render,
    Segment,
    SpeechGrew,
    WorkerDown,
    WorkerUp,
)
from mouthpiece.core.scheduler.tape import Tape
from mouthpiece.core.timeline import Span


@dataclass(slots=True)
class _Job:
    spec: JobSubmitted
    tape: Tape = field(default_factory=Tape)
    parts: int = 0
    """Into how many equal parts it was decided to cut it; 0 before it begins."""
    attempts: int = 0
    running: dict[str, tuple[str, Span]] = field(default_factory=dict[str, tuple[str, Span]])
    homes: list[str] = field(default_factory=list[str])
    """Workers that are its own."""

    @property
    def frames(self) -> int:
        return self.tape.ready if self.tape.final else max(self.spec.expected_frames, self.tape.ready)


class Rival(ABC):
    """What the rules have in common: a queue, retries, delivery in order."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}
        self._idle: dict[str, None] = {}
        self._workers: dict[str, None] = {}

    def handle(self, now: float, event: Event) -> list[Command]:
        """Take in an event and say what to do."""
        del now
        return [*self._learn(event), *self._decide()]

    def hints(self) -> list[Prepare]:
        """None of them prepares anything ahead."""
        return []

    @abstractmethod
    def _decide(self) -> Iterator[Command]: ...

    def _learn(self, event: Event) -> Iterator[Command]:
        match event:
            case WorkerUp(worker):
                self._workers[worker] = self._idle[worker] = None
            case WorkerDown(worker):
                self._lose(worker)
            case JobSubmitted():
                self._jobs[event.job] = _Job(event)
                yield Eta(event.job, 0.0, 0.0)
            case SpeechGrew(name, ready, marks, final):
                self._jobs[name].tape.grow(ready, marks, final=final)
                yield from self._deliver(self._jobs[name])
            case ChunkDone(name, attempt):
                job = self._jobs[name]
                worker, span = job.running.pop(attempt)
                self._idle[worker] = None
                job.tape.finish(span)
                yield from self._deliver(job)
            case ChunkFailed(name, attempt) | ChunkStopped(name, attempt):
                job = self._jobs[name]
                worker, span = job.running.pop(attempt)
                self._idle[worker] = None
                self._idle = dict.fromkeys(sorted(self._idle, key=lambda one: one == worker))
                job.homes = [home for home in job.homes if home != worker]
                job.tape.give_back(span)
            case _:
                pass

    def _lose(self, worker: str) -> None:
        self._workers.pop(worker, None)
        self._idle.pop(worker, None)
        for job in self._jobs.values():
            if worker in job.homes:
                job.homes.remove(worker)
            for attempt, (holder, span) in list(job.running.items()):
                if holder == worker:
                    del job.running[attempt]
                    job.tape.give_back(span)

    def _deliver(self, job: _Job) -> Iterator[Command]:
        for span in job.tape.deliver():
            yield Segment(job.spec.job, span)
        if job.tape.complete:
            del self._jobs[job.spec.job]
            yield Complete(job.spec.job)

    def _begin(self, job: _Job, worker: str, span: Span) -> Command:
        job.attempts += 1
        attempt = f"a{job.attempts}"
        job.tape.take(span)
        job.running[attempt] = (worker, span)
        del self._idle[worker]
        return Render(job.spec.job, attempt, worker, span, 0.0)

    def _next(self, job: _Job, length: int) -> Span | None:
        """The first chunk of about ``length`` frames for which there is speech."""
        for stretch in job.tape.free:
            end = job.tape.cut_fixed(stretch, max(length, 1))
            if end > stretch.first:
                return Span(stretch.first, end)
        return None

    def _spread(self, job: _Job, length: int, most: int) -> Iterator[Command]:
        """Chunks of a length to idle workers, at most so many at a time."""
        while self._idle and len(job.running) < most and (span := self._next(job, length)):
            yield self._begin(job, next(iter(self._idle)), span)


class EqualSplit(Rival):
    """One job at a time, cut into as many equal parts as there are workers."""

    def _decide(self) -> Iterator[Command]:
        job = next(iter(self._jobs.values()), None)
        if job and self._workers:
            job.parts = job.parts or len(self._workers)
            yield from self._spread(job, -(-job.frames // job.parts), len(self._workers))


class WorkerPerJob(Rival):
    """Each job has one worker from its beginning to its end, which follows the speech."""

    def _decide(self) -> Iterator[Command]:
        homes = {home for job in self._jobs.values() for home in job.homes}
        for job in self._jobs.values():
            if not job.homes:
                free = next((worker for worker in self._idle if worker not in homes), None)
                if free is None:
                    continue
                job.homes.append(free)
                homes.add(free)
            if job.homes[0] in self._idle and job.tape.free:
                stretch = job.tape.free[0]
                end = job.tape.cut(stretch, len(stretch))
                if end > stretch.first:
                    yield self._begin(job, job.homes[0], Span(stretch.first, end))


class IdleShare(Rival):
    """A job that begins gets an equal share of the workers that are idle, as equal parts of at least 5 s.

    The share is decided once; the next job begins as soon as a worker is idle.
    """

    shortest = 5

    def _decide(self) -> Iterator[Command]:
        for job in self._jobs.values():
            if not self._idle:
                return
            if not job.parts:
                waiting = sum(not other.parts for other in self._jobs.values())
                longest = max(1, int(job.frames / job.spec.fps / self.shortest))
                job.parts = min(max(1, len(self._idle) // waiting), longest)
            yield from self._spread(job, -(-job.frames // job.parts), job.parts)


class ChunkQueue(Rival):
    """Jobs over 20 s are cut into chunks of 10 s that any idle worker takes, the oldest job first."""

    threshold = 20
    length = 10

    def _decide(self) -> Iterator[Command]:
        for job in self._jobs.values():
            fps = job.spec.fps
            whole = job.frames <= self.threshold * fps
            yield from self._spread(
                job, job.frames if whole else round(self.length * fps), len(self._workers)
            )
