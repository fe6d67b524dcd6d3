"""What the scheduler promises about single matters: order, restarts, lost chunks, lateness."""

from __future__ import annotations

import pickle
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.core.scheduler import (
    Abort,
    ChunkDone,
    ChunkFailed,
    ChunkLost,
    ChunkProgressed,
    Command,
    Complete,
    Eta,
    Mode,
    Render,
    Scheduler,
    Segment,
    SpeechGrew,
    Tick,
    Timings,
    Tuning,
    WakeAt,
    WorkerDraining,
)
from mouthpiece.core.scheduler.beliefs import Calibration, Estimate
from mouthpiece.core.scheduler.estimates import shared
from mouthpiece.core.scheduler.tape import Tape
from mouthpiece.core.timeline import Span
from tests.support.scheduler_world import marks, submit, up

FEW = settings(max_examples=60, deadline=None)


def renders(commands: list[Command]) -> list[Render]:
    return [command for command in commands if isinstance(command, Render)]


def segments(commands: list[Command]) -> list[Span]:
    return [command.span for command in commands if isinstance(command, Segment)]


def spoken(scheduler: Scheduler, now: float, job: str, frames: int, every: int = 10) -> list[Command]:
    """Let a whole speech be there, with a mark now and then."""
    return scheduler.handle(now, SpeechGrew(job, frames, marks(*range(every, frames, every)), final=True))


def begun(frames: int = 400, workers: int = 1, every: int = 10) -> tuple[Scheduler, list[Render]]:
    """A job at work."""
    scheduler = Scheduler()
    for number in range(workers):
        scheduler.handle(0.0, up(f"w{number}"))
    scheduler.handle(0.0, submit(expected_frames=frames))
    return scheduler, renders(spoken(scheduler, 0.0, "j1", frames, every))


def finish_all(scheduler: Scheduler, now: float, running: list[Render]) -> list[Command]:
    """From now on every attempt succeeds, one after another; what was commanded meanwhile."""
    told: list[Command] = []
    while running:
        now += 0.1
        render = running.pop(0)
        commands = scheduler.handle(now, ChunkDone(render.job, render.attempt))
        running += renders(commands)
        called_off = {command.attempt for command in commands if isinstance(command, Abort)}
        running = [one for one in running if one.attempt not in called_off]
        told += commands
    return told


@FEW
@given(old=st.integers(1, 100_000), new=st.integers(1, 100_000), later=st.floats(0, 1000))
def test_nobody_who_comes_much_later_is_served_before(old: int, new: int, later: float) -> None:
    tuning = Tuning(most_stuck=inf)
    scheduler = Scheduler(tuning)
    waiting = (old + new) / tuning.rate
    bound = max(tuning.least_passing, tuning.passing * waiting)
    scheduler.handle(0.0, submit("old", tenant="alice", expected_frames=old, restored=True))
    spoken(scheduler, 0.0, "old", old)
    scheduler.handle(bound + later, submit("new", tenant="bob", expected_frames=new, restored=True))
    spoken(scheduler, bound + later, "new", new)
    (first,) = renders(scheduler.handle(bound + later, up("w0")))
    assert first.job == "old"


@FEW
@given(small=st.integers(25, 5000), times=st.integers(2, 20))
def test_of_two_that_come_together_the_shorter_is_served_first(small: int, times: int) -> None:
    scheduler = Scheduler()
    for name, frames in (("a-long", small * times), ("b-short", small)):
        scheduler.handle(0.0, submit(name, tenant=name, expected_frames=frames, restored=True))
        spoken(scheduler, 0.0, name, frames)
    (first,) = renders(scheduler.handle(0.0, up("w0")))
    assert first.job == "b-short"


@FEW
@given(
    jobs=st.lists(
        st.tuples(st.integers(1, 3000), st.integers(0, 500), st.booleans()), min_size=1, max_size=6
    ),
    workers=st.integers(1, 6),
    data=st.data(),
)
def test_what_is_rebuilt_from_the_store_goes_on_as_what_has_lived(
    jobs: list[tuple[int, int, bool]], workers: int, data: st.DataObject
) -> None:
    live, rebuilt = (Scheduler(Tuning(most_stuck=inf)) for _ in range(2))
    now = 0.0
    stored = []
    for number, (frames, wait, final) in enumerate(jobs):
        name = f"j{number}"
        grown = SpeechGrew(name, frames, marks(*range(25, frames, 25)), final)
        cached = [Span(at, at + 25) for at in range(0, frames - 25, 25) if data.draw(st.booleans())]
        spec = submit(name, tenant=name, avatar=name, expected_frames=frames)
        live.handle(now, spec)
        live.handle(now, grown)
        live.handle(now, replace(grown, cached=tuple(cached)))
        stored.append((now, spec, grown, cached))
        now += wait
    for at, spec, grown, cached in stored:
        rebuilt.handle(now, replace(spec, restored=True, age=now - at, done=tuple(cached)))
        rebuilt.handle(now, grown)
    live.handle(now, Tick())
    for number in range(workers):
        lived = renders(live.handle(now, up(f"w{number}")))
        again = renders(rebuilt.handle(now, up(f"w{number}")))
        assert [(one.job, one.span, one.worker) for one in again] == [
            (one.job, one.span, one.worker) for one in lived
        ]


@FEW
@given(data=st.data(), workers=st.integers(1, 4))
def test_a_lost_chunk_is_rendered_and_given_again_with_all_behind_it(
    data: st.DataObject, workers: int
) -> None:
    scheduler, running = begun(workers=workers)
    given_out: list[Span] = []
    for step in range(data.draw(st.integers(1, 6))):
        if not running or (len(given_out) and given_out[-1].end == 400):
            break
        render = running.pop(data.draw(st.integers(0, len(running) - 1)))
        commands = scheduler.handle(1.0 + step, ChunkDone("j1", render.attempt))
        given_out += segments(commands)
        running += renders(commands)
        if Complete("j1") in commands:
            return
    if not given_out:
        return
    lost = data.draw(st.sampled_from(given_out))
    commands = scheduler.handle(9.0, ChunkLost("j1", lost))
    assert segments(commands) == []
    told = finish_all(scheduler, 10.0, running + renders(commands))
    again = segments(told)
    assert again[0].first == lost.first
    assert [span.first for span in again[1:]] == [span.end for span in again[:-1]]
    assert again[-1].end == 400
    assert Complete("j1") in told


def test_a_chunk_may_be_lost_again_and_again() -> None:
    tape = Tape()
    tape.grow(100, (), final=True)
    for _ in range(3):
        for span in (Span(0, 40), Span(40, 100)):
            if tape.done.get(span.first) != span:
                tape.take(span)
                tape.finish(span)
        assert list(tape.deliver()) == tape.delivered == [Span(0, 40), Span(40, 100)]
        assert tape.lose(Span(0, 40))
        assert (tape.front, tape.delivered, tape.free) == (0, [], [Span(0, 40)])
        assert tape.done == {40: Span(40, 100)}


def test_what_was_never_a_chunk_cannot_be_lost() -> None:
    scheduler, _ = begun()
    before = pickle.dumps(scheduler.state.jobs["j1"].tape)
    assert renders(scheduler.handle(1.0, ChunkLost("j1", Span(0, 3)))) == []
    assert scheduler.handle(1.0, ChunkLost("j9", Span(0, 3))) == []
    assert pickle.dumps(scheduler.state.jobs["j1"].tape) == before


def test_a_chunk_that_fails_at_the_front_is_taken_by_whoever_is_free_next() -> None:
    scheduler, running = begun(frames=2000, workers=3)
    front = next(render for render in running if render.span.first == 0)
    assert renders(scheduler.handle(0.5, ChunkFailed("j1", front.attempt, "broken"))) == []
    other = next(render for render in running if render is not front)
    (next_one,) = renders(scheduler.handle(1.0, ChunkDone("j1", other.attempt)))
    assert next_one.span.first == 0
    assert next_one.worker == other.worker


def test_somebody_wakes_when_the_pause_of_a_failing_worker_ends() -> None:
    scheduler = Scheduler(Tuning(eta_every=0.0))
    scheduler.handle(0.0, up("w0"))
    scheduler.handle(0.0, submit(expected_frames=50))
    (first,) = renders(spoken(scheduler, 0.0, "j1", 50))
    (wake,) = scheduler.handle(1.0, ChunkFailed("j1", first.attempt, "broken"))
    assert isinstance(wake, WakeAt)
    assert wake.at == 1.0 + Tuning().first_pause
    assert renders(scheduler.handle(wake.at, Tick()))


def test_the_first_chunk_is_short_also_where_nobody_knows_the_speed() -> None:
    _, (first,) = begun(frames=2000)
    assert first.span.first == 0
    assert len(first.span) <= Tuning().first_speech * 25


def test_an_idle_worker_repeats_what_is_late_and_the_slow_one_is_not_trusted() -> None:
    scheduler, running = begun(frames=25, workers=2)
    (slow,) = running
    late = slow.expected * Tuning().idle_late_factor + Tuning().idle_late_slack + 0.01
    assert renders(scheduler.handle(slow.expected, Tick())) == []
    hedges: list[Render] = []
    now = late
    while not hedges:
        hedges = renders(scheduler.handle(now, Tick()))
        now += 0.25
    (hedge,) = hedges
    assert (hedge.hedge, hedge.span) == (slow.attempt, slow.span)
    assert hedge.worker != slow.worker
    assert now < 2.5 * slow.expected
    commands = scheduler.handle(now + 1.0, ChunkDone("j1", hedge.attempt))
    assert Abort("j1", slow.attempt) in commands
    assert scheduler.state.workers[slow.worker].suspect
    assert not scheduler.state.workers[hedge.worker].suspect


def test_when_one_of_two_fails_the_other_goes_on_with_the_frames() -> None:
    for failing in (0, 1):
        scheduler, running = begun(frames=25, workers=2)
        now = 0.0
        while len(running) < 2:
            now += 1.0
            running += renders(scheduler.handle(now, Tick()))
        assert renders(scheduler.handle(now, ChunkFailed("j1", running[failing].attempt, "broken"))) == []
        told = scheduler.handle(now + 1.0, ChunkDone("j1", running[1 - failing].attempt))
        assert segments(told) == [Span(0, 25)]
        assert Complete("j1") in told
        assert not any(isinstance(command, Abort) for command in told)


def test_chunks_of_a_wanted_length_are_taken_one_after_another_by_all_workers() -> None:
    scheduler = Scheduler()
    for number in range(3):
        scheduler.handle(0.0, up(f"w{number}"))
    scheduler.handle(0.0, submit(expected_frames=200, mode=Mode.CHUNKED, chunk_frames=50))
    running = renders(spoken(scheduler, 0.0, "j1", 200, every=50))
    assert [render.span for render in running] == [Span(0, 50), Span(50, 100), Span(100, 150)]
    (last,) = renders(scheduler.handle(1.0, ChunkDone("j1", running[2].attempt)))
    assert last.span == Span(150, 200)


@pytest.mark.parametrize("frames", [100, 200, 2000])
def test_who_stands_before_what_is_left_takes_it_and_not_who_would_have_to_begin(frames: int) -> None:
    scheduler = Scheduler()
    scheduler.handle(0.0, up("idle"))
    scheduler.handle(0.0, WorkerDraining("idle"))
    for name in ("w1", "w2"):
        scheduler.handle(0.0, up(name))
    scheduler.handle(0.0, submit(expected_frames=frames))
    running = renders(spoken(scheduler, 0.0, "j1", frames, every=5))
    assert len(running) == 2
    scheduler.state.arrivals = 1000.0
    assert renders(scheduler.handle(0.1, up("idle"))) == []
    ahead = next(one for one in running if scheduler.state.jobs["j1"].tape.stretch_at(one.span.end))
    (begun,) = renders(scheduler.handle(ahead.expected, ChunkDone("j1", ahead.attempt)))
    assert (begun.worker, begun.span.first) == (ahead.worker, ahead.span.end)


def test_preparing_that_began_before_is_not_taken_for_short() -> None:
    scheduler = Scheduler()
    scheduler.handle(0.0, up("w0"))
    scheduler.handle(0.0, submit(expected_frames=50))
    prep = scheduler.state.costs_of(("viseme", "1")).prep
    (hint,) = scheduler.hints()
    assert hint.worker == "w0"
    (first,) = renders(spoken(scheduler, prep - 1.0, "j1", 50))
    took = Timings(prep=1.0, setup=0.5, render=2.0)
    scheduler.handle(prep + 3.0, ChunkDone("j1", first.attempt, took))
    assert scheduler.state.costs_of(("viseme", "1")).prep == pytest.approx(prep)


@pytest.mark.parametrize("event", ["done", "failed", "spoken"])
def test_a_job_that_is_left_for_now_is_looked_at_again_when_something_happens_to_it(event: str) -> None:
    scheduler, (render,) = begun(frames=200)
    job = scheduler.state.jobs["j1"]
    job.rests_until = 1e9
    scheduler.handle(0.5, Tick())
    assert job.rests_until == 1e9
    scheduler.handle(0.5, WorkerDraining("w0"))
    match event:
        case "done":
            scheduler.handle(1.0, ChunkDone("j1", render.attempt))
        case "failed":
            scheduler.handle(1.0, ChunkFailed("j1", render.attempt, "broken"))
        case _:
            scheduler.handle(1.0, SpeechGrew("j1", 200, final=True))
    assert job.rests_until <= 1.0


def test_the_end_of_a_job_in_flight_is_foretold_to_the_moment() -> None:
    scheduler, running = begun(frames=25)
    (render,) = running
    (eta,) = scheduler.estimates()
    assert eta.done == pytest.approx(render.expected)


def etas(commands: list[Command]) -> dict[str, float]:
    """When jobs are told to end."""
    return {command.job: command.done for command in commands if isinstance(command, Eta)}


@pytest.mark.parametrize("others", [0, 100])
def test_what_happens_to_a_job_is_told_at_once_unless_there_are_many(others: int) -> None:
    scheduler = Scheduler()
    scheduler.handle(0.0, up("w0"))
    for number in range(others):
        scheduler.handle(0.0, submit(f"other{number}", expected_frames=400))
    scheduler.handle(0.0, submit(expected_frames=1000))
    before = etas(scheduler.handle(1.0, Tick()))["j1"]
    told = etas(scheduler.handle(1.2, SpeechGrew("j1", 100, final=True)))
    assert list(told) == ([] if others else ["j1"])
    later = etas(scheduler.handle(2.2, Tick()))
    assert (told or later)["j1"] < before - 20.0
    assert len(later) == others + 1


def test_estimates_learn_from_their_own_kind_and_hardly_from_odd_jobs() -> None:
    calibration = Calibration()
    one = Estimate(0.0, 8.0, spoken=True, flying=False, halfway=False, heads=1)
    many = replace(one, heads=8)
    for number in range(200):
        calibration.learn(one, 12.0)
        calibration.learn(many, 8.0 if number % 5 else 80.0)
    assert calibration.correct(one) == pytest.approx(12.0, rel=0.01)
    assert calibration.correct(many) == pytest.approx(8.0, rel=0.1)


@FEW
@given(
    runs=st.lists(st.tuples(st.floats(0, 50), st.floats(0, 20)), min_size=1, max_size=8),
    free=st.lists(st.floats(0, 60), max_size=8),
    pieces=st.lists(st.floats(0.1, 20), max_size=4),
)
def test_shared_work_ends_no_sooner_than_its_last_chunk_and_no_later_than_alone(
    runs: list[tuple[float, float]], free: list[float], pieces: list[float]
) -> None:
    runs = [(chunk + ahead, chunk) for ahead, chunk in runs]
    end = shared(runs, free, pieces, 1.0, 0.3)
    assert end >= max(chunk for _, chunk in runs)
    alone = max(last for last, _ in runs)
    assert end <= alone + sum(pieces) + len(pieces) + 1e-9
    assert end <= shared(runs, [], pieces, 1.0, 0.3) + 1e-9 or pieces


def test_nobody_begins_where_another_arrives_in_a_moment() -> None:
    scheduler, (first,) = begun(frames=60, every=5)
    assert first.span.end < 60
    assert renders(scheduler.handle(0.9 * first.expected, up("w1"))) == []


def test_frames_that_come_back_join_those_around_them() -> None:
    scheduler, running = begun(frames=2000)
    scheduler.handle(0.5, ChunkFailed("j1", running[0].attempt, "broken"))
    assert scheduler.state.jobs["j1"].tape.free == [Span(0, 2000)]


def test_progress_shows_early_that_a_worker_is_slow() -> None:
    scheduler, running = begun(frames=25, workers=2)
    (slow,) = running
    hedged: list[float] = []
    for second in range(3, 40):
        commands = scheduler.handle(float(second), ChunkProgressed("j1", slow.attempt, second - 2))
        if renders(commands):
            hedged.append(second)
            break
    assert hedged
    assert hedged[0] < 2.5 * slow.expected


def test_an_estimate_comes_with_every_admission_and_grows_with_the_queue() -> None:
    scheduler = Scheduler()
    scheduler.handle(0.0, up("w0"))
    ends: list[float] = []
    for number in range(5):
        commands = scheduler.handle(0.0, submit(f"j{number}", expected_frames=1000))
        ends += [
            command.done for command in commands if isinstance(command, Eta) and command.job == f"j{number}"
        ]
    assert len(ends) >= 5
    assert ends == sorted(ends)
    assert ends[-1] > 4 * ends[0]
