"""Workers, jobs and attempts as the scheduler knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp, inf

from mouthpiece.core.scheduler.beliefs import Calibration, Costs, Estimate, Factor, factor
from mouthpiece.core.scheduler.events import JobSubmitted, Mode, Offer, WorkerUp
from mouthpiece.core.scheduler.tape import Tape
from mouthpiece.core.scheduler.tuning import Tuning
from mouthpiece.core.timeline import Span

_UNKNOWN_RATE = 0.5
_TOLD_RATE = 0.05
_UNKNOWN_PACE = 0.25
"""Variances of beliefs at birth."""
_OVERDUE = 0.5
_JITTER = 0.1
_TRUST = 0.5
"""For how many seconds of progress the expected rate counts; beside the uncertain overhead, at first."""
_REMEMBERED = 256
"""Workers that are remembered when they are gone."""


@dataclass(slots=True, eq=False)
class Attempt:
    """One chunk on one head. ``expected`` seconds include ``overhead``, those before the first frame."""

    id: str
    job: str
    head: Head
    span: Span
    started: float
    expected: float
    overhead: float
    prep: float
    """How much of that preparing the avatar was thought to take."""
    resumed: bool
    late_at: float
    """When a worker without other work may repeat it, unless something is heard of it."""
    hedge: str = ""
    twin: Attempt | None = None
    aborted: bool = False
    frames_done: int = 0
    heard: float = 0.0
    """What was heard of it last, and when."""
    seen: tuple[int, float] | None = None
    """The same when it was first heard to render."""

    def hear(self, now: float, frames: int) -> None:
        """It has rendered so many frames."""
        self.frames_done, self.heard = frames, now
        if frames and self.seen is None:
            self.seen = frames, now

    def ends_at(self, now: float) -> float:
        """When it will probably be done: from its progress, else as expected.

        What is overdue takes half as long again as it is overdue, and a little more.
        """
        end = self.started + self.expected
        if self.seen:
            end = self.heard + (len(self.span) - self.frames_done) / self._pace(*self.seen)
        return end if now < end else now + _OVERDUE * (now - end) + _JITTER * (end - self.started)

    def _pace(self, frames: int, since: float) -> float:
        """Frames per second, from the progress since it was first heard to render, else as expected.

        A single sign of life tells of the overhead as much as of the speed.
        """
        nominal = len(self.span) / max(self.expected - self.overhead, 1e-3)
        if self.heard > since:
            return (self.frames_done - frames + _TRUST * nominal) / (self.heard - since + _TRUST)
        rendering = max(since - self.started - self.overhead, 0.0)
        trust = _TRUST + self.overhead
        return (frames + trust * nominal) / (rendering + trust)

    def doubt(self, now: float) -> float:
        """Seconds that it may still take: whoever is overdue may go on being silent for as long again."""
        rest = self.ends_at(now) - now
        return rest if now < self.started + self.expected else max(rest, now - self.heard)

    def late_since(self, times: float, slack: float) -> float:
        """When it is known to take more than ``times`` as long as expected plus ``slack`` seconds, if
        nothing more is heard of it."""
        limit = self.started + times * self.expected + slack
        return self.heard if self.ends_at(self.heard) > limit else limit


@dataclass(slots=True, eq=False)
class Head:
    """One slot of a worker."""

    worker: Worker
    slot: int
    attempt: Attempt | None = None
    job: str = ""
    at: int = 0
    """Where it stopped: the job, and the frame after its last."""


@dataclass(slots=True, eq=False)
class Worker:
    """One lip-sync service."""

    name: str
    title: str = ""
    """Its name for people."""
    offers: dict[tuple[str, str], Offer] = field(default_factory=dict[tuple[str, str], Offer])
    slots: int = 0
    heads: list[Head] = field(default_factory=list[Head])
    draining: bool = False
    warm: dict[str, float] = field(default_factory=dict[str, float])
    """Prepared avatars, the most recently used last, and when they will be ready."""
    rates: dict[tuple[str, str], Factor] = field(default_factory=dict[tuple[str, str], Factor])
    late: bool = False
    strikes: int = 0
    """Failures in a row that count against it,"""
    failed_at: tuple[str, str] | None = None
    """and the avatar and the job of all since it last delivered, each empty when there were several."""
    paused_until: float = 0.0
    refused: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Engines with which it refused to render and has delivered nothing since, and why."""

    @property
    def suspect(self) -> bool:
        """Whether it was late or failed and has not delivered since."""
        return self.late or self.strikes > 0

    def usable(self, now: float) -> bool:
        """Whether it may be given chunks."""
        return not self.draining and now >= self.paused_until


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt."""

    span: Span
    worker: str
    title: str
    reason: str


@dataclass(slots=True, eq=False)
class Job:
    """One accepted job."""

    spec: JobSubmitted
    engine: tuple[str, str]
    """Name and version."""
    born: float
    expected: int
    attempts: int
    rank: tuple[float, str] = (0.0, "")
    """Its place among the jobs, lower first."""
    work: float = 0.0
    """What was left of it when something last happened to it, in seconds of one mean worker,"""
    length: float = 0.0
    """and how long it was then among others: from 0, short, to 1, long."""
    pace: Factor = field(default_factory=lambda: factor(1.0, _UNKNOWN_PACE))
    """How its frames compare with those that the workers' rates were learned from."""
    tape: Tape = field(default_factory=Tape)
    running: dict[str, Attempt] = field(default_factory=dict[str, Attempt])
    failures: list[Failure] = field(default_factory=list[Failure])
    begun_at: float = 0.0
    """When it was admitted here,"""
    spoken_at: float = 0.0
    """when its speech last grew,"""
    piece: int = 0
    """by how many frames,"""
    spoken_rate: float = 1.0
    """and how many frames of it have come per second."""

    stuck_since: float = inf
    """Since when nobody can render it,"""
    stuck_told: bool = False
    """and whether that is known."""
    rests_until: float = 0.0
    """Before that nobody looks for another head for it, for a few could just not help it."""
    estimates: list[Estimate] = field(default_factory=list[Estimate])
    """What was expected of it, ever farther apart."""

    def hear(self, now: float, ready: int) -> None:
        """Note how fast its speech comes."""
        if ready <= self.tape.ready:
            return
        if self.tape.ready:
            gain = (now - self.spoken_at) / (now - self.spoken_at + 1.0)
            measured = (ready - self.tape.ready) / max(now - self.spoken_at, 0.01)
            self.spoken_rate += gain * (measured - self.spoken_rate)
        self.piece = ready - self.tape.ready
        self.spoken_at = now

    def remember(self, estimate: Estimate) -> None:
        """Keep an estimate, to learn from it later."""
        last = self.estimates[-1].at if self.estimates else -inf
        if estimate.at - self.begun_at >= 1.2 * (last - self.begun_at) + 0.5:
            self.estimates.append(estimate)

    @property
    def total(self) -> int:
        """Frames of the whole, as far as known."""
        return self.tape.ready if self.tape.final else max(self.expected, self.tape.ready)

    @property
    def left(self) -> int:
        """Frames that are not done."""
        return max(self.total - self.tape.finished, 0)

    @property
    def fixed_length(self) -> int:
        """Wanted length of chunks in frames, 0 when the scheduler decides."""
        return 0 if self.spec.mode is Mode.SINGLE else self.spec.chunk_frames

    @property
    def in_order(self) -> bool:
        """Whether its chunks are taken from the front of what is free only."""
        return self.spec.mode is Mode.SINGLE or self.spec.chained or self.fixed_length > 0

    @property
    def most_heads(self) -> int:
        """How many heads it may have; 0 is no bound."""
        return 1 if self.spec.mode is Mode.SINGLE or self.spec.chained else self.spec.max_workers

    @property
    def heads(self) -> int:
        """How many heads render it, repeated chunks counted once."""
        return len(self.tape.taken)


@dataclass(frozen=True, slots=True)
class Pool:
    """Usable heads that have one engine, and their mean rate."""

    heads: int
    rate: float


@dataclass(slots=True, eq=False)
class State:
    """Everything the scheduler knows."""

    tuning: Tuning
    now: float = 0.0
    workers: dict[str, Worker] = field(default_factory=dict[str, Worker])
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    attempts: dict[tuple[str, str], Attempt] = field(default_factory=dict[tuple[str, str], Attempt])
    costs: dict[tuple[str, str], Costs] = field(default_factory=dict[tuple[str, str], Costs])
    gone: dict[str, Worker] = field(default_factory=dict[str, Worker])
    arrivals: float = 0.0
    """Jobs that come in a second, averaged,"""
    inflow: float = 0.0
    """and the seconds of one mean worker that they need."""
    calibration: Calibration = field(default_factory=Calibration)
    heads_alive: int = 0
    """All slots of all workers that are not draining."""
    _pools: dict[tuple[str, str], Pool] = field(default_factory=dict[tuple[str, str], Pool])
    _ready: dict[str, int] = field(default_factory=dict[str, int])
    pause_ends: float = inf
    """When the first of the pauses of workers is over."""

    def advance(self, now: float) -> None:
        """Let time pass."""
        now = max(now, self.now)
        keep = exp((self.now - now) / self.tuning.memory)
        self.arrivals *= keep
        self.inflow *= keep
        self.now = now
        if now >= self.pause_ends:
            self.refresh()

    def admit(self, job: Job) -> None:
        """Take in a job, which may have come long ago."""
        self.jobs[job.spec.job] = job
        fresh = exp(-job.spec.age / self.tuning.memory) / self.tuning.memory
        self.arrivals += fresh
        self.inflow += fresh * self.seconds_left(job)

    def refresh(self) -> None:
        """Forget what was derived from the workers: one has changed, or a pause is over."""
        self._pools.clear()
        self._ready.clear()
        self.heads_alive = sum(worker.slots for worker in self.workers.values() if not worker.draining)
        pauses = (worker.paused_until for worker in self.workers.values())
        self.pause_ends = min((until for until in pauses if until > self.now), default=inf)

    def quicken(self, worker: Worker, engine: tuple[str, str], before: float) -> None:
        """A worker's rate has changed: so has the mean of those who can render."""
        pool = self._pools.get(engine)
        if pool and pool.heads and engine in worker.offers and worker.usable(self.now):
            more = worker.slots * (worker.rates[engine].value - before) / pool.heads
            self._pools[engine] = Pool(pool.heads, pool.rate + more)

    def warm_up(self, worker: Worker, avatar: str) -> None:
        """A worker has used an avatar; it forgets the one that it has not used for longest."""
        if worker.warm.pop(avatar, None) is None:
            self._ready.pop(avatar, None)
        worker.warm[avatar] = 0.0
        while len(worker.warm) > self.tuning.warm_avatars:
            forgotten = next(iter(worker.warm))
            del worker.warm[forgotten]
            self._ready.pop(forgotten, None)

    def ready(self, avatar: str) -> int:
        """How many heads have an avatar prepared."""
        if avatar not in self._ready:
            able = (worker.slots for worker in self.workers.values() if avatar in worker.warm)
            self._ready[avatar] = sum(able)
        return self._ready[avatar]

    def idle(self) -> Iterator[Head]:
        """Heads that could begin a chunk now."""
        for worker in self.workers.values():
            free = [head for head in worker.heads if head.attempt is None]
            if free and worker.usable(self.now):
                yield from free[: max(0, worker.slots - len(worker.heads) + len(free))]

    def pool(self, engine: tuple[str, str]) -> Pool:
        """Who can render with an engine. Without anybody, the rate is what an unknown worker would have."""
        if engine not in self._pools:
            able = [worker for worker in self.workers.values() if engine in worker.offers]
            usable = [worker for worker in able if worker.usable(self.now)] or able
            heads = sum(worker.slots for worker in usable)
            speed = sum(worker.slots * worker.rates[engine].value for worker in usable)
            self._pools[engine] = Pool(heads, speed / heads if heads else self.tuning.rate)
        return self._pools[engine]

    def costs_of(self, engine: tuple[str, str]) -> Costs:
        """What attempts cost beside rendering."""
        if engine not in self.costs:
            tuning = self.tuning
            self.costs[engine] = Costs(tuning.prep, tuning.setup, tuning.resume)
        return self.costs[engine]

    def rate(self, worker: Worker, job: Job) -> float:
        """Frames per second that a worker probably renders of a job."""
        return worker.rates[job.engine].value * job.pace.value

    def mean_rate(self, job: Job) -> float:
        """The same for a worker as they are on average."""
        return self.pool(job.engine).rate * job.pace.value

    def seconds_left(self, job: Job) -> float:
        """How long a mean worker needs for what is left of a job."""
        return job.left / self.mean_rate(job)

    def greet(self, event: WorkerUp) -> None:
        """Take note of a worker and what it offers; one that was here before is remembered."""
        worker = self.workers.get(event.worker) or self.gone.pop(event.worker, None) or Worker(event.worker)
        for offer in event.offers:
            engine = (offer.engine, offer.version)
            unknown = factor(self.pool(engine).rate, _UNKNOWN_RATE)
            worker.rates.setdefault(engine, factor(offer.rate, _TOLD_RATE) if offer.rate else unknown)
        worker.offers = {(offer.engine, offer.version): offer for offer in event.offers}
        worker.title = event.title or event.worker
        worker.draining = False
        worker.slots = event.slots
        worker.heads += [Head(worker, slot) for slot in range(len(worker.heads), event.slots)]
        worker.warm.update(dict.fromkeys(event.warm, 0.0))
        self.workers[event.worker] = worker
        self.refresh()

    def forget(self, worker: Worker) -> None:
        """A worker is gone; its speed and its record are remembered for a while."""
        del self.workers[worker.name]
        worker.heads.clear()
        worker.warm.clear()
        self.gone[worker.name] = worker
        while len(self.gone) > _REMEMBERED:
            del self.gone[next(iter(self.gone))]
        self.refresh()
