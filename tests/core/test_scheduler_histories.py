"""Whatever happens, in whatever order: the scheduler keeps its promises."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mouthpiece.core.scheduler import Fault, Mode, SpeechGrew, Timings
from mouthpiece.core.speech import CutGrade, CutMark
from mouthpiece.core.timeline import Span
from tests.support.scheduler_world import ModelWorld, marks, submit, up

WORKERS = [f"w{number}" for number in range(5)]


class Histories(RuleBasedStateMachine):
    """Random events against the model world."""

    def __init__(self) -> None:
        super().__init__()
        self.world = ModelWorld()
        self.submitted = 0

    @initialize(workers=st.integers(1, 4), frames=st.integers(50, 600), every=st.integers(5, 40))
    def begin(self, workers: int, frames: int, every: int) -> None:
        for name in WORKERS[:workers]:
            self.world.worker_up(up(name))
        self.world.tell(submit("j0", expected_frames=frames))
        self.world.tell(SpeechGrew("j0", frames, marks(*range(every, frames, every))))

    @rule(name=st.sampled_from(WORKERS), slots=st.sampled_from([1, 1, 1, 2]))
    def worker_up(self, name: str, slots: int) -> None:
        known = self.world.workers.get(name)
        self.world.worker_up(up(name, slots=known.slots if known else slots))

    @precondition(lambda self: self.world.workers)
    @rule(data=st.data())
    def worker_leaves(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.workers)))
        if data.draw(st.booleans()):
            self.world.worker_draining(name)
        else:
            self.world.worker_down(name)

    @rule(
        frames=st.integers(1, 2000),
        mode=st.sampled_from(list(Mode)),
        chunk=st.sampled_from([0, 0, 12, 50]),
        workers=st.sampled_from([0, 0, 1, 2]),
        limit=st.sampled_from([0, 0, 40, 120]),
        chained=st.sampled_from([False, False, True]),
        tenant=st.sampled_from(["alice", "bob"]),
        avatar=st.sampled_from(["face", "hat"]),
    )
    def submit(
        self,
        frames: int,
        mode: Mode,
        chunk: int,
        workers: int,
        limit: int,
        chained: bool,
        tenant: str,
        avatar: str,
    ) -> None:
        self.submitted += 1
        job = submit(
            f"j{self.submitted}",
            tenant=tenant,
            avatar=avatar,
            expected_frames=frames,
            mode=mode,
            chunk_frames=chunk if mode is Mode.CHUNKED else 0,
            max_workers=workers,
            max_chunk_frames=limit,
            chained=chained,
        )
        self.world.tell(job)

    @precondition(lambda self: any(not job.final for job in self.world.jobs.values()))
    @rule(data=st.data(), frames=st.integers(0, 600), final=st.sampled_from([False, False, True]))
    def speech_grows(self, data: st.DataObject, frames: int, final: bool) -> None:
        growing = sorted(name for name, job in self.world.jobs.items() if not job.final)
        name = data.draw(st.sampled_from(growing))
        job = self.world.jobs[name]
        ready = job.ready + frames
        places = data.draw(st.lists(st.integers(job.ready + 1, ready + 20), max_size=12, unique=True))
        grades = data.draw(st.lists(st.sampled_from(list(CutGrade)[:3]), min_size=12, max_size=12))
        new = tuple(CutMark(*mark) for mark in zip(sorted(places), grades, strict=False))
        self.world.tell(SpeechGrew(name, ready, new, final))

    @precondition(lambda self: any(job.ready for job in self.world.jobs.values()))
    @rule(data=st.data())
    def part_is_cached(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(n for n, job in self.world.jobs.items() if job.ready)))
        job = self.world.jobs[name]
        edges = sorted({0, job.ready, *(frame for frame in job.marks if frame < job.ready)})
        at = data.draw(st.integers(0, len(edges) - 2))
        self.world.cached(name, Span(edges[at], edges[at + 1]))

    def running(self, *, aborted: bool) -> list[tuple[str, str]]:
        return sorted(key for key, one in self.world.attempts.items() if one.aborted is aborted)

    @precondition(lambda self: self.world.attempts)
    @rule(data=st.data(), seconds=st.lists(st.floats(0.01, 20.0), min_size=1, max_size=6))
    def chunks_are_done(self, data: st.DataObject, seconds: list[float]) -> None:
        for took in seconds:
            if self.world.attempts:
                self.world.now += took
                timings = data.draw(st.sampled_from([None, Timings(0.0, 0.1, took), Timings(3.0, 0.1, 1.0)]))
                self.world.finish(data.draw(st.sampled_from(sorted(self.world.attempts))), timings)

    @precondition(lambda self: self.world.attempts)
    @rule(
        data=st.data(),
        faults=st.lists(
            st.sampled_from([Fault.NOBODY, *[Fault.ATTEMPT] * 3, *Fault]), min_size=1, max_size=3
        ),
    )
    def chunks_fail(self, data: st.DataObject, faults: list[Fault]) -> None:
        for fault in faults:
            if self.world.attempts:
                self.world.fail(data.draw(st.sampled_from(sorted(self.world.attempts))), fault)

    @precondition(lambda self: self.running(aborted=False))
    @rule(data=st.data())
    def a_chunk_takes_too_long(self, data: st.DataObject) -> None:
        """Others are done and idle meanwhile."""
        slow = data.draw(st.sampled_from(self.running(aborted=False)))
        for _ in range(40):
            self.world.pass_time(1.0)
            for key in [key for key in sorted(self.world.attempts) if key != slow]:
                if key in self.world.attempts and not self.world.attempts[key].render.hedge:
                    self.world.finish(key)

    @precondition(lambda self: self.finished())
    @rule(data=st.data())
    def artifact_is_lost(self, data: st.DataObject) -> None:
        name, span = data.draw(st.sampled_from(self.finished()))
        self.world.lose(name, span, data.draw(st.integers(0, self.world.jobs[name].front)))

    def finished(self) -> list[tuple[str, Span]]:
        """Chunks that are done, of jobs that have not ended."""
        return [
            (name, span)
            for name, job in sorted(self.world.jobs.items())
            for span in sorted({*self.world.segments[name], *job.done.values()})
        ]

    @precondition(lambda self: self.running(aborted=True))
    @rule(data=st.data())
    def chunk_stops(self, data: st.DataObject) -> None:
        self.world.stop(data.draw(st.sampled_from(self.running(aborted=True))))

    @precondition(lambda self: self.running(aborted=False))
    @rule(data=st.data())
    def chunk_progresses(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.running(aborted=False)))
        self.world.progress(key, data.draw(st.integers(0, len(self.world.attempts[key].render.span))))

    @precondition(lambda self: self.world.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.world.cancel(data.draw(st.sampled_from(sorted(self.world.jobs))))

    @rule(seconds=st.floats(0.0, 60.0))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @precondition(lambda self: len(self.world.history) > 30)
    @rule()
    def scheduler_restarts(self) -> None:
        self.world.restart()

    @invariant()
    def every_frame_is_either_delivered_or_done_or_in_flight_or_free(self) -> None:
        self.world.check_tapes()

    @invariant()
    def no_worker_has_more_chunks_than_slots(self) -> None:
        for name, worker in self.world.workers.items():
            assert len(self.world.held(name)) <= worker.slots

    @invariant()
    def no_frame_is_rendered_by_more_than_two_workers_at_a_time(self) -> None:
        wanted = [one.render for one in self.world.attempts.values() if not one.aborted]
        for render in wanted:
            same = [one for one in wanted if one.job == render.job and one.span.overlaps(render.span)]
            assert len(same) <= 2
            assert {one.span for one in same} == {render.span}

    @invariant()
    def no_trusted_worker_is_idle_while_nobody_heads_for_a_stretch(self) -> None:
        assert self.world.waiting() == []

    @invariant()
    def segments_follow_each_other_without_a_gap(self) -> None:
        for name, job in self.world.jobs.items():
            ends = [0, *(span.end for span in self.world.segments[name])]
            assert [span.first for span in self.world.segments[name]] == ends[:-1]
            assert ends[-1] == job.front

    @invariant()
    def nobody_goes_on_with_what_is_not_wanted(self) -> None:
        for (job, _), attempt in self.world.attempts.items():
            assert attempt.aborted or job in self.world.jobs

    @invariant()
    def time_is_asked_for_while_anything_runs(self) -> None:
        if self.world.attempts or self.world.jobs:
            assert self.world.wake is not None

    def teardown(self) -> None:
        """A calm world ends every job, and the same history gives the same commands."""
        self.world.calm()
        self.world.replay()


Histories.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestHistories = Histories.TestCase
