"""A cluster in virtual time: it does what a policy commands and tells it what came of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Protocol

from mouthpiece.core.scheduler.events import (
    Abort,
    ChunkDone,
    ChunkFailed,
    ChunkProgressed,
    ChunkStopped,
    Command,
    Complete,
    Eta,
    Event,
    Fail,
    Fault,
    Offer,
    Prepare,
    Refuse,
    Render,
    Segment,
    Stuck,
    Tick,
    Timings,
    WakeAt,
    WorkerDown,
    WorkerUp,
)
from mouthpiece.core.timeline import Span
from mouthpiece.simulate.workload import ENGINE, FPS, VERSION, Arrival


class Policy(Protocol):
    """Whoever decides: the scheduler or a rival."""

    def handle(self, now: float, event: Event) -> list[Command]:
        """Take in an event and say what to do."""
        ...

    def hints(self) -> list[Prepare]:
        """Say what idle workers may prepare."""
        ...


@dataclass(frozen=True, slots=True)
class Costs:
    """What rendering costs beside frames, in seconds. ``context`` is speech rendered besides a chunk."""

    prep: float = 3.0
    setup: float = 0.5
    context: float = 0.4
    resume: float = 0.02
    stop: float = 0.2
    noise: float = 0.1
    """Relative standard deviation of render times."""
    warm: int = 8
    """Prepared avatars that a worker keeps."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong. Chances are for each chunk."""

    crash: float = 0.0
    """The worker dies in the middle and is back after `repair` seconds."""
    straggle: float = 0.0
    """The chunk takes ten times as long."""
    freeze: float = 0.0
    """The worker stands still until it is given up, as if it had crashed."""
    repair: float = 20.0
    notice: float = 15.0
    """After so long without sign of life a frozen worker is given up."""
    broken: int = 0
    """So many workers fail every chunk after half a second,"""
    stuck: int = 0
    """and so many others freeze in every chunk."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers by speed: 1.0 renders as fast as the video plays."""

    speeds: tuple[float, ...]
    costs: Costs = Costs()
    faults: Faults = Faults()
    resumes: bool = True
    progress: float = 2.0
    """Seconds between signs of life of an attempt."""
    warm: tuple[str, ...] = ()
    """Avatars that every worker has prepared at first."""


@dataclass(slots=True)
class Lane:
    """One attempt as it really was, for pictures and sums."""

    job: str
    attempt: str
    worker: str
    span: Span
    start: float
    end: float
    useful: float
    outcome: str = ""


@dataclass(slots=True)
class Record:
    """One job as it really was; times are absolute, ``inf`` until it happened."""

    arrival: Arrival
    ended: float = float("inf")
    outcome: str = ""
    segments: list[tuple[float, Span]] = field(default_factory=list[tuple[float, Span]])
    forecasts: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """Moments, and the end that was expected then."""


@dataclass(slots=True)
class _Worker:
    name: str
    speed: float
    vice: str
    warm: dict[str, float] = field(default_factory=dict[str, float])
    last: tuple[str, int] = ("", 0)
    alive: bool = True
    lane: Lane | None = None


@dataclass(frozen=True, slots=True)
class _Course:
    """How an attempt will go."""

    timings: Timings
    fate: str


class World:
    """Runs arrivals against a policy until nothing is left to happen."""

    def __init__(self, cluster: Cluster, arrivals: Sequence[Arrival], policy: Policy, seed: int = 0) -> None:
        self.now = 0.0
        self.records = {one.job.job: Record(one) for one in arrivals}
        self.lanes: list[Lane] = []
        self._cluster, self._policy, self._random = cluster, policy, Random(seed)
        self._queue: list[tuple[float, int, Event | _End]] = []
        self._numbers = count()
        self._wake = float("inf")
        vices = ["failed"] * cluster.faults.broken + ["frozen"] * cluster.faults.stuck
        vices += [""] * len(cluster.speeds)
        names = [f"w{number:02d}" for number in range(len(cluster.speeds))]
        self._workers = {
            name: _Worker(name, speed, vice, dict.fromkeys(cluster.warm, 0.0))
            for name, speed, vice in zip(names, cluster.speeds, vices, strict=False)
        }
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._open = len(arrivals)
        for name in names:
            self._later(0.0, self._up(name))
        for one in arrivals:
            self._later(one.at, one.job)

    def run(self, until: float = float("inf")) -> None:
        """Let everything happen; stops early when every job has ended."""
        while self._open and self._queue and self._queue[0][0] <= until:
            self.now, _, event = heappop(self._queue)
            if isinstance(event, _End):
                self._end(event)
            else:
                self._tell(event)
        if self._open and not self._queue:
            names = [name for name, record in self.records.items() if not record.outcome]
            raise RuntimeError(f"nothing happens any more, but these jobs have not ended: {names[:5]}")

    def _later(self, at: float, event: Event | _End) -> None:
        heappush(self._queue, (at, next(self._numbers), event))

    def _up(self, name: str) -> WorkerUp:
        offer = Offer(ENGINE, VERSION, resumes=self._cluster.resumes)
        return WorkerUp(name, (offer,), warm=tuple(self._workers[name].warm))

    def _tell(self, event: Event) -> None:
        match event:
            case Tick() if self.now < self._wake:
                return
            case Tick():
                self._wake = float("inf")
            case ChunkProgressed(job, attempt) if (job, attempt) not in self._lanes:
                return
            case WorkerUp(worker):
                self._workers[worker].alive = True
            case _:
                pass
        for command in self._policy.handle(self.now, event):
            self._obey(command)
        for hint in self._policy.hints():
            self._prepare(self._workers[hint.worker], self.records[hint.job].arrival.job.avatar)

    def _obey(self, command: Command) -> None:
        match command:
            case Render():
                self._render(command)
            case Abort(job, attempt):
                self._abort(job, attempt)
            case Segment(job, span):
                self.records[job].segments.append((self.now, span))
            case Complete(job):
                self._close(job, "done")
            case Fail(job):
                self._close(job, "failed")
            case Refuse(job):
                self._close(job, "refused")
            case Eta(job, _, done):
                self._admit(job, done)
            case Stuck():
                pass
            case WakeAt(at):
                self._wake = at
                self._later(at, Tick())

    def _admit(self, job: str, done: float) -> None:
        record = self.records[job]
        if not record.forecasts:
            for after, grown in record.arrival.speech:
                self._later(self.now + after, grown)
        record.forecasts.append((self.now, self.now + done))

    def _close(self, job: str, outcome: str) -> None:
        record = self.records[job]
        record.ended, record.outcome = self.now, outcome
        self._open -= 1

    def _render(self, command: Render) -> None:
        worker = self._workers[command.worker]
        if worker.lane or not worker.alive:
            raise RuntimeError(f"{command.worker} cannot take {command.span} of {command.job}")
        course = self._course(worker, command)
        begun = course.timings.prep + course.timings.setup
        takes = begun + course.timings.render
        if course.fate == "failed":
            takes = 0.5
        elif course.fate in ("crashed", "frozen"):
            takes *= self._random.random()
        wait = self._cluster.faults.notice if course.fate == "frozen" else 0.0
        useful = len(command.span) / float(FPS) / worker.speed
        lane = Lane(
            command.job, command.attempt, worker.name, command.span, self.now, self.now + takes + wait, useful
        )
        worker.lane = self._lanes[command.job, command.attempt] = lane
        self.lanes.append(lane)
        self._later(lane.end, _End(lane, course))
        at = self.now + self._cluster.progress
        while at < self.now + takes:
            frames = int(len(command.span) * max(0.0, at - self.now - begun) / course.timings.render)
            if frames:
                self._later(at, ChunkProgressed(command.job, command.attempt, min(frames, len(command.span))))
            at += self._cluster.progress

    def _course(self, worker: _Worker, command: Render) -> _Course:
        costs, faults, random = self._cluster.costs, self._cluster.faults, self._random
        avatar = self.records[command.job].arrival.job.avatar
        self._prepare(worker, avatar)
        prep = max(0.0, worker.warm[avatar] - self.now)
        goes_on = self._cluster.resumes and worker.last == (command.job, command.span.first)
        setup = costs.resume if goes_on else costs.setup + costs.context / worker.speed
        worker.last = (command.job, command.span.end)
        noise = min(max(random.gauss(1.0, costs.noise), 0.5), 2.0)
        render = len(command.span) / float(FPS) / worker.speed * noise
        fate = worker.vice
        draw = random.random()
        for name, chance in (("crashed", faults.crash), ("frozen", faults.freeze), ("slow", faults.straggle)):
            if not fate and draw < chance:
                fate = name
            draw -= chance
        return _Course(Timings(prep, setup, render * 10 if fate == "slow" else render), fate)

    def _prepare(self, worker: _Worker, avatar: str) -> None:
        ready = worker.warm.pop(avatar, self.now + self._cluster.costs.prep)
        worker.warm[avatar] = ready
        if len(worker.warm) > self._cluster.costs.warm:
            del worker.warm[next(iter(worker.warm))]

    def _abort(self, job: str, attempt: str) -> None:
        lane = self._lanes[job, attempt]
        lane.outcome = "aborted"
        if self._workers[lane.worker].alive:
            stop = min(lane.end, self.now + self._cluster.costs.stop)
            self._later(stop, _End(lane, None))

    def _end(self, end: _End) -> None:
        lane = end.lane
        worker = self._workers[lane.worker]
        if worker.lane is not lane or (
            end.course and lane.outcome == "aborted" and end.course.fate != "frozen"
        ):
            return
        del self._lanes[lane.job, lane.attempt]
        worker.lane = None
        lane.end = self.now
        if end.course is None:
            self._tell(ChunkStopped(lane.job, lane.attempt))
            return
        if end.course.fate in ("crashed", "frozen"):
            lane.outcome = end.course.fate
            worker.alive, worker.warm, worker.last = False, {}, ("", 0)
            self._later(self.now + self._cluster.faults.repair, self._up(worker.name))
            self._tell(WorkerDown(worker.name))
        elif end.course.fate == "failed":
            lane.outcome = "failed"
            self._tell(ChunkFailed(lane.job, lane.attempt, "it always fails", Fault.ATTEMPT))
        else:
            lane.outcome = "done"
            self._tell(ChunkDone(lane.job, lane.attempt, end.course.timings))


@dataclass(frozen=True, slots=True)
class _End:
    """An attempt ends; without a course, because it was called off."""

    lane: Lane
    course: _Course | None
