"""A small world that keeps the truth about a scheduler's jobs and checks every command against it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from mouthpiece.core.scheduler import (
    Abort,
    ChunkDone,
    ChunkFailed,
    ChunkLost,
    ChunkProgressed,
    ChunkStopped,
    Command,
    Complete,
    Eta,
    Event,
    Fail,
    Fault,
    JobCancelled,
    JobSubmitted,
    Mode,
    Offer,
    Refuse,
    Render,
    Scheduler,
    Segment,
    SpeechGrew,
    Stuck,
    Tick,
    Timings,
    WakeAt,
    WorkerDown,
    WorkerDraining,
    WorkerUp,
)
from mouthpiece.core.speech import CutGrade, CutMark
from mouthpiece.core.timeline import Span

FPS = Fraction(25)


def submit(job: str = "j1", **options: object) -> JobSubmitted:
    """A job of two seconds with everything ordinary but what is said."""
    plain: dict[str, object] = {
        "job": job,
        "tenant": "alice",
        "avatar": "face",
        "engine": "viseme",
        "version": "1",
        "fps": FPS,
        "expected_frames": 50,
    }
    return JobSubmitted(**{**plain, **options})  # type: ignore[arg-type] # the names are checked by the class


def up(worker: str, *, engine: str = "viseme", version: str = "1", slots: int = 1) -> WorkerUp:
    """A worker with one engine."""
    return WorkerUp(worker, (Offer(engine, version),), slots)


def marks(*frames: int, grade: CutGrade = CutGrade.SENTENCE) -> tuple[CutMark, ...]:
    """Marks of one grade."""
    return tuple(CutMark(frame, grade) for frame in frames)


@dataclass
class TrueAttempt:
    """An attempt that runs."""

    render: Render
    started: float
    aborted: bool = False


@dataclass
class TrueJob:
    """A job that was admitted and has not ended."""

    spec: JobSubmitted
    at: float
    ready: int = 0
    final: bool = False
    marks: dict[int, CutGrade] = field(default_factory=dict[int, CutGrade])
    front: int = 0
    done: dict[int, Span] = field(default_factory=dict[int, Span])
    attempts: set[str] = field(default_factory=set[str])
    kept: list[Span] = field(default_factory=list[Span])
    """Chunks of an earlier life that the speech has not reached again."""
    wall: int = 0
    """Where viewers are: nothing that is rendered anew crosses it."""
    rendered: list[int] = field(default_factory=list[int])
    """How often each frame was rendered to the end by an attempt whose result was taken and not lost."""


class ModelWorld:
    """Drives a scheduler; every command that breaks a promise is an assertion error."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.now = 0.0
        self.workers: dict[str, WorkerUp] = {}
        self.draining: set[str] = set()
        self.blamed: set[str] = set()
        self.jobs: dict[str, TrueJob] = {}
        self.attempts: dict[tuple[str, str], TrueAttempt] = {}
        self.ended: dict[str, str] = {}
        self.segments: dict[str, list[Span]] = {}
        self.history: list[tuple[float, Event, list[Command]]] = []
        self.wake: float | None = None

    def tell(self, event: Event) -> list[Command]:
        """Let an event happen now, and check what follows."""
        self._believe(event)
        commands = self.scheduler.handle(self.now, event)
        self.history.append((self.now, event, commands))
        for command in commands:
            self._check(command)
        return commands

    # -------------------------------------------------------- events

    def worker_up(self, event: WorkerUp) -> None:
        self.workers[event.worker] = event
        self.draining.discard(event.worker)
        self.tell(event)

    def worker_draining(self, worker: str) -> None:
        self.draining.add(worker)
        self.tell(WorkerDraining(worker))

    def worker_down(self, worker: str) -> None:
        del self.workers[worker]
        self.draining.discard(worker)
        self.blamed.add(worker)
        lost = [key for key, attempt in self.attempts.items() if attempt.render.worker == worker]
        for key in lost:
            del self.attempts[key]
        self.tell(WorkerDown(worker))

    def finish(self, key: tuple[str, str], timings: Timings | None = None) -> None:
        attempt = self.attempts.pop(key)
        self.blamed.discard(attempt.render.worker)
        if not attempt.aborted:
            self._count(self.jobs[key[0]], attempt.render.span)
        self.tell(ChunkDone(*key, timings))

    def _count(self, job: TrueJob, span: Span) -> None:
        job.done[span.first] = span
        for frame in span:
            job.rendered[frame] += 1

    def fail(self, key: tuple[str, str], fault: Fault) -> None:
        attempt = self.attempts.pop(key)
        self.blamed.add(attempt.render.worker)
        self.tell(ChunkFailed(*key, "because", fault))

    def stop(self, key: tuple[str, str]) -> None:
        del self.attempts[key]
        self.tell(ChunkStopped(*key))

    def cached(self, job: str, span: Span) -> None:
        """Report a cached chunk; it is taken when all its frames are free."""
        true = self.jobs[job]
        if any(stretch.contains(span) for stretch in self.scheduler.state.jobs[job].tape.free):
            self._count(true, span)
        self.tell(SpeechGrew(job, true.ready, final=true.final, cached=(span,)))

    def lose(self, name: str, span: Span, published: int = 0) -> None:
        """The artifact of a chunk that was done is gone; so much of the video was published."""
        job, segments = self.jobs[name], self.segments[name]
        job.wall = published
        if span in segments:
            at = segments.index(span)
            job.done.update((one.first, one) for one in segments[at:])
            job.front = span.first
            del segments[at:]
        del job.done[span.first]
        for frame in span:
            job.rendered[frame] -= 1
        self.tell(ChunkLost(name, span, published))

    def progress(self, key: tuple[str, str], frames: int) -> None:
        self.tell(ChunkProgressed(*key, frames))

    def cancel(self, job: str) -> None:
        self.ended[job] = "cancelled"
        del self.jobs[job]
        self.tell(JobCancelled(job))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.tell(Tick())

    def restart(self) -> None:
        """The scheduler dies and is built anew from what a store would hold."""
        stored, self.jobs = self.jobs, {}
        self.scheduler = Scheduler()
        self.history.clear()
        self.attempts.clear()
        self.blamed.clear()
        for worker in list(self.workers.values()):
            self.worker_up(worker)
        for name, job in stored.items():
            done = tuple(self._usable(job, [*self.segments.pop(name), *job.done.values()]))
            last = max((int(attempt[1:]) for attempt in job.attempts), default=0)
            before = set(done)
            self.tell(
                replace(
                    job.spec,
                    restored=True,
                    age=self.now - job.at,
                    done=done,
                    attempts=last,
                    published=job.wall,
                )
            )
            self.jobs[name].attempts, self.jobs[name].wall = job.attempts, job.wall
            known = tuple(CutMark(*mark) for mark in sorted(job.marks.items()))
            self.tell(SpeechGrew(name, job.ready, known, job.final))
            if name in self.jobs:
                assert {*self.segments[name], *self.jobs[name].done.values()} <= before
                assert self.jobs[name].rendered == job.rendered, "what was done is done"

    def _usable(self, job: TrueJob, done: list[Span]) -> Iterator[Span]:
        """What is there and does not cross the wall; the rest is given up."""
        for span in done:
            if not span.first < job.wall < span.end:
                yield span
                continue
            for frame in span:
                job.rendered[frame] -= 1

    def calm(self) -> None:
        """From now on nothing goes wrong: everybody speaks to the end, every attempt takes a second."""
        for job in list(self.jobs.values()):
            if not job.final:
                self.tell(SpeechGrew(job.spec.job, job.ready + 30, marks(job.ready + 30), final=True))
        for worker in ("w0", "w1"):
            self.worker_up(up(worker))
        for _ in range(10_000):
            if not self.jobs:
                return
            if not self.attempts:
                assert self.wake is not None, "nothing is asked for"
                assert self.wake > self.now, "what was asked for is over"
                self.pass_time(self.wake - self.now)
            for key in list(self.attempts):
                self.now += 0.1
                if key in self.attempts:
                    (self.stop if self.attempts[key].aborted else self.finish)(key)
        raise AssertionError(f"never ends: {list(self.jobs)}")

    # -------------------------------------------------------- checks

    def _believe(self, event: Event) -> None:
        if isinstance(event, SpeechGrew) and event.job in self.jobs:
            job = self.jobs[event.job]
            for mark in event.marks:
                job.marks[mark.frame] = min(mark.grade, job.marks.get(mark.frame, CutGrade.ANYWHERE))
            job.ready, job.final = max(job.ready, event.ready), job.final or event.final
            job.rendered += [0] * (job.ready - len(job.rendered))
            for span in [span for span in job.kept if span.end <= job.ready]:
                job.kept.remove(span)
                self._count(job, span)
        if isinstance(event, JobSubmitted) and event.job not in self.jobs:
            self.jobs[event.job] = TrueJob(event, self.now, kept=list(event.done))
            self.segments.setdefault(event.job, [])

    def _check(self, command: Command) -> None:
        match command:
            case Render():
                self._check_render(command)
            case Abort(owner, attempt):
                running = self.attempts[owner, attempt]
                assert not running.aborted, "called off twice"
                running.aborted = True
            case Segment(name, span):
                job = self.jobs[name]
                assert span.first == job.front, "a gap or a repetition"
                assert job.done.pop(span.first) == span, "nobody rendered it"
                job.front = span.end
                self.segments[name].append(span)
            case Complete(name):
                job = self.jobs.pop(name)
                assert job.final
                assert job.front == job.ready
                assert all(count <= 1 for count in job.rendered)
                self.ended[name] = "done"
            case Fail(name):
                del self.jobs[name]
                self.ended[name] = "failed"
            case Refuse(name):
                del self.jobs[name]
                self.ended[name] = "refused"
            case Eta(name, first, done):
                assert name in self.jobs
                assert 0 <= first <= done
            case Stuck(name):
                assert name in self.jobs
            case WakeAt(at):
                assert at > self.now
                self.wake = at

    def _check_render(self, render: Render) -> None:
        job, span = self.jobs[render.job], render.span
        worker = self.workers[render.worker]
        assert render.worker not in self.draining, "the worker drains"
        assert (job.spec.engine, job.spec.version) in {
            (offer.engine, offer.version) for offer in worker.offers
        }
        assert len(self.held(render.worker)) < worker.slots, "the worker is busy"
        assert render.attempt not in job.attempts, "the attempt id was used"
        assert span
        assert span.end <= job.ready
        assert not any(job.rendered[frame] for frame in span), "rendered already"
        assert not span.first < job.wall < span.end, "viewers are in the middle of it"
        assert render.expected > 0
        others = [one for one in self.attempts.values() if one.render.job == render.job and not one.aborted]
        if render.hedge:
            self._check_hedge(render, others)
        else:
            assert not any(one.render.span.overlaps(span) for one in others), "in flight already"
            self._check_cut(job, span)
            self._check_bounds(job, span, others)
        job.attempts.add(render.attempt)
        self.attempts[render.job, render.attempt] = TrueAttempt(render, self.now)

    def _check_hedge(self, render: Render, others: list[TrueAttempt]) -> None:
        same = [one for one in others if one.render.span.overlaps(render.span)]
        assert [one.render.attempt for one in same] == [render.hedge], "a twin of exactly one"
        assert same[0].render.span == render.span
        assert same[0].render.worker != render.worker, "no use to repeat it there"

    def _check_cut(self, job: TrueJob, span: Span) -> None:
        limit = job.spec.max_chunk_frames
        assert not limit or len(span) <= limit
        edges = {one.render.span.first for one in self.attempts.values() if one.render.job == job.spec.job}
        edges |= set(job.done) | {job.front, job.wall}
        natural = span.end in job.marks or span.end in edges or (job.final and span.end == job.ready)
        between = [frame for frame in job.marks if span.first < frame <= span.end]
        if natural:
            return
        if job.spec.chunk_frames:
            assert len(span) in (job.spec.chunk_frames, limit), "neither a mark nor the wanted length"
        else:
            assert len(span) == limit, "shorter than it may be"
            assert not between, "inside a word without need"

    def _check_bounds(self, job: TrueJob, span: Span, others: list[TrueAttempt]) -> None:
        spans = {one.render.span for one in others}
        single = job.spec.mode is Mode.SINGLE
        bound = 1 if single or job.spec.chained else job.spec.max_workers
        assert not bound or len(spans) < bound, "more workers than wanted"
        if single:
            assert job.final
            assert span.end == job.ready or job.spec.max_chunk_frames or self._is_edge(job, span.end)
        if job.spec.chained:
            assert span.first == job.front

    def _is_edge(self, job: TrueJob, frame: int) -> bool:
        return frame in job.done or frame in (job.front, job.wall)

    def check_tapes(self) -> None:
        """The tape is a partition of what is ready."""
        for name, true in self.jobs.items():
            tape = self.scheduler.state.jobs[name].tape
            parts = [*tape.free, *tape.taken.values(), *tape.done.values()]
            parts += [span for kept in tape.kept if (span := kept.clip(Span(0, tape.ready)))]
            at = tape.front
            for part in sorted(parts):
                assert part.first == at, f"{name}: gap or overlap at {at}: {parts}"
                at = part.end
            assert max(at, tape.front) == max(tape.ready, tape.front)
            assert tape.front == true.front
            running = {
                one.render.span
                for one in self.attempts.values()
                if one.render.job == name and not one.aborted
            }
            assert set(tape.taken.values()) == running
            assert tape.finished == true.front + sum(map(len, true.done.values()))

    def waiting(self) -> list[tuple[str, str]]:
        """Trusted workers that are idle, each with a job of which nobody is heading for some stretch."""
        found: list[tuple[str, str]] = []
        for name, worker in self.workers.items():
            if name in self.draining or name in self.blamed or len(self.held(name)) >= worker.slots:
                continue
            able = {(offer.engine, offer.version) for offer in worker.offers}
            for job in self.jobs.values():
                mine = (job.spec.engine, job.spec.version) in able and job.spec.mode is Mode.AUTO
                if mine and self._orphan(job):
                    found.append((name, job.spec.job))
        return found

    def held(self, worker: str) -> list[TrueAttempt]:
        """Attempts that a worker is at, those called off included."""
        return [one for one in self.attempts.values() if one.render.worker == worker]

    def _orphan(self, job: TrueJob) -> Span | None:
        """A stretch that could be begun."""
        spec = job.spec
        running = [one for one in self.attempts.values() if one.render.job == spec.job and not one.aborted]
        bound = 1 if spec.chained else spec.max_workers
        if spec.chunk_frames or (bound and len({one.render.span for one in running}) >= bound):
            return None
        reached = {one.render.span.end for one in running if one.render.worker not in self.draining}
        for stretch in self.scheduler.state.jobs[spec.job].tape.free:
            cut = [frame for frame in job.marks if stretch.first < frame <= stretch.end]
            begun = stretch.first in reached or not (cut or job.final or stretch.end < job.ready)
            if not begun and (not spec.chained or stretch.first == job.front):
                return stretch
        return None

    def replay(self) -> None:
        """The same history gives the same commands, also when the machine is pickled between any two."""
        twin = Scheduler()
        for now, event, commands in self.history:
            twin = pickle.loads(pickle.dumps(twin))
            again = twin.handle(now, event)
            assert again == commands, f"{event}: {set(again) ^ set(commands)}"
