"""The state machine: it learns from events, then decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf

from mouthpiece.core.scheduler.decide import decide, prepare
from mouthpiece.core.scheduler.estimates import estimates, refusal
from mouthpiece.core.scheduler.events import (
    ChunkDone,
    ChunkFailed,
    ChunkLost,
    ChunkProgressed,
    ChunkStopped,
    Command,
    Eta,
    Event,
    Fault,
    JobCancelled,
    JobSubmitted,
    Prepare,
    Refuse,
    SpeechGrew,
    WakeAt,
    WorkerDown,
    WorkerDraining,
    WorkerUp,
)
from mouthpiece.core.scheduler.outcomes import blame, deliver, drop, end_attempt, fail, succeed
from mouthpiece.core.scheduler.patience import LOOK_EVERY, heed, lose_patience, recall
from mouthpiece.core.scheduler.policy import birth, weigh
from mouthpiece.core.scheduler.state import Attempt, Job, State
from mouthpiece.core.scheduler.tuning import Tuning

_PATIENCE = 1.0
"""Seconds until what could not be helped is looked at again."""
_BRIEF = 30.0
"""What a job has left when a second more or less matters to its estimate, in seconds of one mean worker."""
_SPARING = 0.005
"""An estimate looks at every job: one for the sake of news waits so many seconds for each after the last."""


class Scheduler:
    """Owns every decision about who renders what; see the package for how it is driven.

    Picklable; a copy that sees the same events gives the same commands.
    """

    def __init__(self, tuning: Tuning | None = None) -> None:
        self.state = State(tuning or Tuning())
        self._wake: float | None = None
        self._told = self._looked = -inf
        """When estimates of all jobs were given, and when any were."""
        self._news: set[str] = set()
        """Jobs to which something happened since."""
        self._asked = -inf
        """When it was last looked who can render what."""

    def handle(self, now: float, event: Event) -> list[Command]:
        """Take in what happened at ``now`` (seconds, never before an earlier call) and say what to do."""
        self.state.advance(now)
        commands = [*self._learn(event)]
        self._note(event)
        commands += decide(self.state)
        commands += self._ask()
        commands += self._tell()
        wake = self._next_wake()
        if wake is not None and wake != self._wake:
            commands.append(WakeAt(wake))
        self._wake = wake
        return commands

    def hints(self) -> list[Prepare]:
        """What idle workers may as well do, as of the last event. Each is given once; ask after `handle`."""
        return list(prepare(self.state))

    def estimates(self) -> list[Eta]:
        """What to expect of every job, as of the last event."""
        return list(estimates(self.state))

    def _learn(self, event: Event) -> Iterable[Command]:
        state = self.state
        match event:
            case JobSubmitted():
                return self._submit(event)
            case SpeechGrew():
                return self._grow(event)
            case WorkerUp():
                state.greet(event)
            case WorkerDraining(worker) if worker in state.workers:
                state.workers[worker].draining = True
                state.refresh()
            case WorkerDown():
                return self._lose(event)
            case ChunkLost(job, span, published) if job in state.jobs:
                state.jobs[job].tape.build_wall(published)
                state.jobs[job].tape.lose(span)
                weigh(state, state.jobs[job])
            case JobCancelled(job) if job in state.jobs:
                return drop(state, state.jobs[job])
            case ChunkDone() | ChunkFailed() | ChunkStopped() | ChunkProgressed():
                return self._attend(event)
            case _:
                pass
        return ()

    def _submit(self, event: JobSubmitted) -> Iterator[Command]:
        state = self.state
        if event.job in state.jobs:
            return
        engine = (event.engine, event.version)
        if wait := 0.0 if event.restored else refusal(state, engine):
            yield Refuse(event.job, wait)
            return
        job = Job(event, engine, state.now, event.expected_frames, event.attempts)
        job.spoken_at = job.begun_at = state.now
        job.spoken_rate = state.tuning.speech_rate * float(event.fps)
        job.piece = min(round(state.tuning.speech_piece * event.fps), event.expected_frames)
        if event.stuck:
            recall(state, job)
        job.born = birth(state, job)
        job.tape.kept, job.tape.wall = sorted(event.done), event.published
        state.admit(job)
        weigh(state, job)
        yield next(eta for eta in estimates(state) if eta.job == event.job)

    def _grow(self, event: SpeechGrew) -> Iterator[Command]:
        job = self.state.jobs.get(event.job)
        if job is None:
            return
        job.expected = event.expected_frames or job.expected
        job.hear(self.state.now, event.ready)
        job.rests_until = 0.0
        job.tape.grow(event.ready, event.marks, final=event.final)
        for span in event.cached:
            job.tape.adopt(span)
        weigh(self.state, job)
        yield from deliver(self.state, job)

    def _attend(self, event: ChunkDone | ChunkFailed | ChunkStopped | ChunkProgressed) -> Iterable[Command]:
        attempt = self.state.attempts.get((event.job, event.attempt))
        if attempt is None:
            return ()
        match event:
            case ChunkDone(timings=timings):
                return succeed(self.state, attempt, timings)
            case ChunkFailed(reason=reason, fault=fault, retry_after=wait):
                if job := end_attempt(self.state, attempt):
                    heed(attempt.head.worker, job.engine, fault, reason)
                    blame(self.state, attempt.head.worker, fault, wait)
                    return fail(self.state, job, attempt, reason, fault)
            case ChunkStopped():
                if job := end_attempt(self.state, attempt):
                    return fail(self.state, job, attempt, "stopped", Fault.NOBODY)
            case ChunkProgressed(frames_done=frames):
                self._hear(attempt, frames)
        return ()

    def _hear(self, attempt: Attempt, frames: int) -> None:
        tuning = self.state.tuning
        attempt.hear(self.state.now, frames)
        attempt.late_at = attempt.late_since(tuning.idle_late_factor, tuning.idle_late_slack)

    def _lose(self, event: WorkerDown) -> Iterator[Command]:
        worker = self.state.workers.get(event.worker)
        if worker is None:
            return
        held = [head.attempt for head in worker.heads if head.attempt]
        lost = [(job, attempt) for attempt in held if (job := end_attempt(self.state, attempt))]
        self.state.forget(worker)
        if lost:
            blame(self.state, worker, Fault.ATTEMPT, 0.0)
        for job, attempt in lost:
            if job.spec.job in self.state.jobs:
                yield from fail(self.state, job, attempt, event.reason, Fault.ATTEMPT)

    def _note(self, event: Event) -> None:
        """Remember whose end is to be expected anew: for a short job a second later is late."""
        match event:
            case SpeechGrew() | ChunkDone() | ChunkFailed() | ChunkProgressed():
                job = self.state.jobs.get(event.job)
                if job and job.work < _BRIEF:
                    self._news.add(event.job)
            case _:
                pass

    def _ask(self) -> Iterable[Command]:
        if not self.state.jobs or self.state.now < self._asked + LOOK_EVERY:
            return ()
        self._asked = self.state.now
        return lose_patience(self.state)

    def _tell(self) -> Iterable[Command]:
        state = self.state
        if state.jobs and state.now >= self._estimates_due():
            self._told = self._looked = state.now
            self._news.clear()
            for job in state.jobs.values():
                weigh(state, job)
            return estimates(state)
        if self._news and state.tuning.eta_every and state.now >= self._looked + _SPARING * len(state.jobs):
            self._looked = state.now
            news, self._news = self._news, set()
            return (eta for eta in estimates(state) if eta.job in news)
        return ()

    def _estimates_due(self) -> float:
        return self._told + (self.state.tuning.eta_every or inf)

    def _next_wake(self) -> float | None:
        """When to look again although nothing happens: somebody may be missed or wait for estimates, a pause
        ends, an attempt is late.

        What could not be helped when it was due is looked at again after a while.
        """
        state, tuning = self.state, self.state.tuning
        later = self._wake if self._wake and self._wake > state.now else state.now + _PATIENCE
        times = [state.pause_ends] if state.pause_ends < inf else []
        times += [
            attempt.late_at if attempt.late_at > state.now else later
            for attempt in state.attempts.values()
            if not attempt.twin
        ]
        if state.jobs:
            times.append(self._asked + LOOK_EVERY)
        if state.jobs and tuning.eta_every:
            times.append(self._estimates_due())
        return min(times, default=None)
