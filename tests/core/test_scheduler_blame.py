"""Whose fault failures are: a worker's, or that of the one job with which every worker fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mouthpiece.core.scheduler import (
    ChunkDone,
    ChunkFailed,
    ChunkStopped,
    Command,
    Fail,
    Fault,
    Render,
    Scheduler,
    SpeechGrew,
    Tick,
    Timings,
    Tuning,
)
from tests.support.scheduler_world import marks, submit, up

TIMINGS = Timings(1.0, 0.1, 1.0)


class Cluster:
    """A few workers that fail with some avatars, or always."""

    def __init__(self, workers: int, fault: Fault = Fault.ATTEMPT) -> None:
        self.scheduler = Scheduler(Tuning(eta_every=0.0))
        self.fault = fault
        self.now = 0.0
        self.broken: set[str] = set()
        self.tried: list[Render] = []
        self.failed: list[Fail] = []
        for number in range(workers):
            self.scheduler.handle(0.0, up(f"w{number}"))

    def run(self, job: str, avatar: str, *, bad: bool = False, bad_from: int = 10_000) -> None:
        """A job from its submission to its end; ``bad`` if every worker fails with it, or from some frame."""
        self.tried, self.failed = [], []
        waiting = self._after(
            self.scheduler.handle(self.now, submit(job, avatar=avatar, expected_frames=400))
        )
        waiting += self._after(
            self.scheduler.handle(self.now, SpeechGrew(job, 400, marks(*range(10, 400, 10)), final=True))
        )
        while job in self.scheduler.state.jobs:
            self.now += 0.5
            if not waiting:
                waiting += self._after(self.scheduler.handle(self.now, Tick()))
                continue
            render = waiting.pop(0)
            fails = bad or render.worker in self.broken or render.span.end > bad_from
            key = render.job, render.attempt
            event = ChunkFailed(*key, "because", self.fault) if fails else ChunkDone(*key, TIMINGS)
            waiting += self._after(self.scheduler.handle(self.now, event))
        for render in waiting:
            self.scheduler.handle(self.now, ChunkStopped(render.job, render.attempt))

    def _after(self, commands: list[Command]) -> list[Render]:
        found = [command for command in commands if isinstance(command, Render)]
        self.tried += found
        self.failed += [command for command in commands if isinstance(command, Fail)]
        return found

    def distrusted(self) -> set[str]:
        """Workers that are suspect or paused."""
        workers = self.scheduler.state.workers.values()
        return {worker.name for worker in workers if worker.suspect or not worker.usable(self.now)}


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_a_job_with_which_all_fail_leaves_no_worker_under_suspicion(workers: int) -> None:
    cluster = Cluster(workers)
    for number in range(3):  # people try again
        cluster.run(f"bad{number}", "no face at all", bad=True)
        assert [fail.job for fail in cluster.failed] == [f"bad{number}"]
        assert len(cluster.tried) >= Tuning().most_failures
        assert cluster.distrusted() == set()
    cluster.run("good", "face")
    assert {render.worker for render in cluster.tried} == set(cluster.scheduler.state.workers)


def test_words_with_which_all_fail_are_no_fault_of_the_workers_once_the_job_has_failed() -> None:
    cluster = Cluster(3)
    cluster.run("before", "face")
    cluster.run("bad", "face", bad_from=200)
    assert cluster.failed
    assert cluster.distrusted() == set()


def test_workers_that_fail_with_one_job_after_another_are_not_cleared() -> None:
    cluster = Cluster(5)
    cluster.run("before", "face")
    cluster.broken = {"w0", "w1"}
    for number in range(3):
        cluster.run(f"j{number}", "face")
        assert not cluster.failed
    assert cluster.distrusted() == {"w0", "w1"}


def test_workers_that_fail_with_all_avatars_are_cleared_only_at_first() -> None:
    cluster = Cluster(2)
    cluster.broken = {"w0", "w1"}
    cluster.run("j1", "one")
    assert cluster.distrusted() == set()
    cluster.run("j2", "another")
    assert cluster.distrusted() == {"w0", "w1"}


def test_who_cannot_be_trusted_is_not_cleared_by_others_that_cannot_be() -> None:
    cluster = Cluster(2, Fault.WORKER)
    cluster.run("bad", "no face at all", bad=True)
    assert cluster.distrusted() == {"w0", "w1"}


def test_each_reason_is_told_once_with_the_titles_of_all_who_gave_it() -> None:
    scheduler = Scheduler(Tuning(eta_every=0.0))
    for number, title in enumerate(("ada", "bob")):
        scheduler.handle(0.0, replace(up(f"10.0.0.{number}:99"), title=title))
    scheduler.handle(0.0, submit())
    commands = scheduler.handle(0.0, SpeechGrew("j1", 50, final=True))
    for now, reason in enumerate(("no face", "no face", "no memory")):
        attempt = next(command.attempt for command in commands if isinstance(command, Render))
        ended = scheduler.handle(10.0 * now + 5.0, ChunkFailed("j1", attempt, reason))
        commands = [*ended, *scheduler.handle(10.0 * now + 10.0, Tick())]
    told = [command.reason for command in commands if isinstance(command, Fail)]
    assert told == ["frames 0 to 50 failed 3 times: ada, bob: no face; ada: no memory"]
