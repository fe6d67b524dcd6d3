"""A job that nobody can render waits, says so, and does not wait for ever."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mouthpiece.core.scheduler import (
    Abort,
    ChunkDone,
    ChunkFailed,
    ChunkProgressed,
    ChunkStopped,
    Command,
    Event,
    Fail,
    Fault,
    JobCancelled,
    JobSubmitted,
    Render,
    Scheduler,
    Segment,
    SpeechGrew,
    Stuck,
    Tick,
    Tuning,
    WakeAt,
    WorkerDown,
    WorkerDraining,
    WorkerUp,
)
from mouthpiece.core.scheduler.patience import LEAST_AFTER_RESTART, LOOK_EVERY, TOLD_AFTER
from mouthpiece.core.timeline import Span
from tests.support.scheduler_world import marks, submit, up

LIMIT = 300.0
FRAMES = 2000


class Clockwork:
    """A scheduler that is woken when it wants to, and what it said about its one job."""

    def __init__(self, job: JobSubmitted | None = None) -> None:
        self.scheduler = Scheduler(Tuning(most_stuck=LIMIT))
        self.now = 0.0
        self.wake = 0.0
        self.said: list[tuple[float, Stuck | Fail]] = []
        self.running: dict[str, Render] = {}
        self.done: list[Span] = []
        self.job = job or submit(expected_frames=FRAMES)

    def begin(self) -> None:
        self.tell(self.job)
        self.tell(SpeechGrew("j1", FRAMES, marks(*range(50, FRAMES, 50)), final=True))

    def tell(self, event: Event) -> list[Command]:
        commands = self.scheduler.handle(self.now, event)
        for command in commands:
            self._note(command)
        return commands

    def _note(self, command: Command) -> None:
        match command:
            case Render(attempt=attempt):
                self.running[attempt] = command
            case Stuck() | Fail():
                self.said.append((self.now, command))
            case Segment(span=span):
                self.done.append(span)
            case WakeAt(at):
                self.wake = at
            case Abort(attempt=attempt):
                del self.running[attempt]
                self.tell(ChunkStopped("j1", attempt))
            case _:
                pass

    def sleep(self, seconds: float) -> None:
        """Let time pass; whoever wants to be woken is."""
        end = self.now + seconds
        while self.now < self.wake <= end:
            self.now = self.wake
            self.tell(Tick())
        self.now = end
        self.tell(Tick())

    def refuse(self, attempt: str, fault: Fault = Fault.NOBODY) -> None:
        del self.running[attempt]
        self.tell(ChunkFailed("j1", attempt, "it is ill", fault))

    def finish(self, attempt: str) -> None:
        del self.running[attempt]
        self.tell(ChunkDone("j1", attempt))

    def restart(self, stuck: float) -> None:
        """Another process goes on; its workers are those that are there."""
        workers = list(self.scheduler.state.workers.values())
        self.scheduler = Scheduler(Tuning(most_stuck=LIMIT))
        self.running.clear()
        for worker in workers:
            self.tell(WorkerUp(worker.name, tuple(worker.offers.values())))
            if worker.draining:
                self.tell(WorkerDraining(worker.name))
        done, self.done = tuple(self.done), []
        self.tell(replace(self.job, restored=True, done=done, attempts=1000, stuck=stuck))
        self.tell(SpeechGrew("j1", FRAMES, marks(*range(50, FRAMES, 50)), final=True))

    @property
    def over(self) -> bool:
        return not self.scheduler.state.jobs


def begun(*workers: str) -> Clockwork:
    clock = Clockwork()
    for worker in workers:
        clock.tell(up(worker))
    clock.begin()
    return clock


def test_a_job_that_nobody_can_render_says_so_and_fails_when_that_lasts() -> None:
    clock = begun("w0")
    clock.tell(WorkerDown("w0"))
    clock.sleep(TOLD_AFTER - 1)
    assert clock.said == []
    clock.sleep(LIMIT)
    (told, stuck), (ended, failed) = clock.said
    assert (told, stuck) == (TOLD_AFTER + LOOK_EVERY, Stuck("j1", TOLD_AFTER))
    assert (ended, failed) == (LIMIT + LOOK_EVERY, Fail("j1", "", LIMIT))
    assert clock.over


def test_it_goes_on_when_somebody_can_again_and_the_next_time_is_counted_anew() -> None:
    clock = begun("w0")
    clock.tell(WorkerDown("w0"))
    clock.sleep(LIMIT - 10)
    clock.tell(up("w1"))
    clock.sleep(2 * LOOK_EVERY)
    assert [said for _, said in clock.said] == [Stuck("j1", TOLD_AFTER), Stuck("j1", 0.0)]
    clock.tell(WorkerDown("w1"))
    clock.sleep(LIMIT - 10)
    assert not clock.over
    clock.sleep(12)
    assert isinstance(clock.said[-1][1], Fail)


def test_workers_that_refuse_for_ever_are_no_help_and_their_words_are_told() -> None:
    clock = begun("w0", "w1")
    while not clock.over:
        for attempt in list(clock.running):
            clock.refuse(attempt)
        clock.sleep(1.0)
    (_, stuck), (at, failed) = clock.said
    assert isinstance(stuck, Stuck)
    assert stuck.reason == "w0, w1: it is ill"
    assert isinstance(failed, Fail)
    assert failed.reason == stuck.reason
    assert LIMIT <= at <= LIMIT + 3


def test_a_worker_that_refused_once_and_renders_now_is_waited_for() -> None:
    clock = begun("w0")
    clock.refuse("a1")
    clock.sleep(2.0)
    (attempt,) = clock.running
    for frames in range(1, 1000):
        clock.tell(ChunkProgressed("j1", attempt, frames))
        clock.sleep(1.0)
    assert clock.said == []
    clock.finish(attempt)
    clock.sleep(2 * TOLD_AFTER)
    assert clock.said == []


def test_a_job_in_a_busy_cluster_is_not_stuck() -> None:
    clock = begun("w0")
    clock.tell(submit("j2", expected_frames=50))
    clock.sleep(2 * LIMIT)
    assert clock.said == []


def test_a_job_that_is_rendered_needs_nobody() -> None:
    clock = begun("w0")
    while clock.running:
        clock.sleep(1.0)
        clock.finish(min(clock.running))
    assert clock.over
    waits = Clockwork(submit(expected_frames=50))
    waits.tell(up("w0"))
    waits.tell(waits.job)
    waits.tell(SpeechGrew("j1", 50, marks(50), expected_frames=50))
    waits.finish("a1")
    waits.tell(WorkerDown("w0"))
    waits.sleep(2 * LIMIT)
    assert waits.said == []
    waits.tell(JobCancelled("j1"))


@pytest.mark.parametrize("before", [20.0, 250.0, 10_000.0])
def test_a_restart_does_not_begin_the_wait_anew_but_lets_workers_appear(before: float) -> None:
    clock = Clockwork()
    clock.restart(before)
    rest = max(LEAST_AFTER_RESTART, LIMIT - before)
    clock.sleep(rest - 1)
    assert clock.said == []
    clock.sleep(1)
    ((_, failed),) = clock.said
    assert failed == Fail("j1", "", LIMIT)


def test_what_was_told_before_a_restart_is_taken_back_when_somebody_renders() -> None:
    clock = Clockwork()
    clock.tell(up("w0"))
    clock.restart(100.0)
    clock.sleep(100.0)
    assert clock.said == []
    (attempt,) = clock.running
    clock.tell(ChunkProgressed("j1", attempt, 1))
    clock.sleep(LIMIT)
    assert [said for _, said in clock.said] == [Stuck("j1", 0.0)]


def test_those_who_come_after_a_restart_are_trusted() -> None:
    clock = Clockwork()
    clock.restart(100.0)
    clock.tell(up("w0"))
    clock.sleep(2 * LIMIT)
    assert [said for _, said in clock.said] == [Stuck("j1", 0.0)]


EVENTS = st.one_of(
    st.tuples(st.sampled_from(["up", "other", "drain", "down", "refuse", "fail", "done"]), st.integers(0, 1)),
    st.tuples(st.sampled_from(["sleep", "sleep", "sleep", "restart"]), st.sampled_from([1, 70, 200])),
)


class Truth:
    """Who can render, kept in the simplest way."""

    def __init__(self) -> None:
        self.offering: set[str] = set()
        self.draining: set[str] = set()
        self.refused: set[str] = set()
        self.since: float | None = None

    def look(self, now: float) -> None:
        if self.offering - self.draining - self.refused:
            self.since = None
        elif self.since is None:
            self.since = now

    def missing(self, now: float) -> float:
        return 0.0 if self.since is None else now - self.since


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=25))
def test_no_job_is_given_up_early_and_none_late(events: list[tuple[str, int]]) -> None:
    clock, truth = Clockwork(), Truth()
    clock.begin()
    truth.look(0.0)
    for kind, number in events:
        _happen(clock, truth, kind, number)
        truth.look(clock.now)
        clock.sleep(LOOK_EVERY)
        given_up = [said for _, said in clock.said if isinstance(said, Fail) and said.stuck]
        if clock.over:
            assert not given_up or truth.missing(clock.now) >= LIMIT
            return
        assert truth.missing(clock.now) < LIMIT + LEAST_AFTER_RESTART + LOOK_EVERY
    _same_when_pickled(clock)


def _happen(clock: Clockwork, truth: Truth, kind: str, number: int) -> None:
    name = f"w{number}"
    match kind:
        case "up" | "other":
            clock.tell(up(name, engine="viseme" if kind == "up" else "other"))
            truth.draining.discard(name)
            (truth.offering.add if kind == "up" else truth.offering.discard)(name)
        case "drain" if name in clock.scheduler.state.workers:
            clock.tell(WorkerDraining(name))
            truth.draining.add(name)
        case "down" if name in clock.scheduler.state.workers:
            held = [one.attempt for one in clock.running.values() if one.worker == name]
            clock.tell(WorkerDown(name))
            for attempt in held:
                clock.running.pop(attempt, None)
            truth.offering.discard(name)
        case "refuse" | "fail" | "done" if clock.running:
            attempt = sorted(clock.running)[number % len(clock.running)]
            worker = clock.running[attempt].worker
            if kind == "done":
                clock.finish(attempt)
            else:
                clock.refuse(attempt, Fault.NOBODY if kind == "refuse" else Fault.ATTEMPT)
            (truth.refused.add if kind == "refuse" else truth.refused.discard)(worker)
        case "sleep":
            clock.sleep(number)
        case "restart":
            told = [said for _, said in clock.said if isinstance(said, Stuck)]
            stuck = truth.missing(clock.now) if told and told[-1].seconds else 0.0
            clock.restart(stuck)
            _restarted(clock, truth, stuck)
        case _:
            pass


def _restarted(clock: Clockwork, truth: Truth, stuck: float) -> None:
    """Refusals are forgotten, but a job that was stuck trusts nobody; what was not told is not stored."""
    truth.refused = set(clock.scheduler.state.workers) if stuck else set()
    truth.since = clock.now - min(stuck, LIMIT - LEAST_AFTER_RESTART) if stuck else None


def _same_when_pickled(clock: Clockwork) -> None:
    twin = pickle.loads(pickle.dumps(clock.scheduler))
    assert twin.handle(clock.now, Tick()) == clock.scheduler.handle(clock.now, Tick())
