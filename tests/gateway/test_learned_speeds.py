"""What the leader has learned of its workers reaches the other gateways, and whoever leads next."""

from __future__ import annotations

from mouthpiece.core.scheduler import ChunkDone, Offer, Render, Scheduler, SpeechGrew, Timings, WorkerUp
from services.gateway.outlook import Outlook, read_outlook, survey, write_outlook
from tests.support.scheduler_world import submit, up

FRAMES = 4000


def taught(speeds: dict[str, float], rounds: int = 20) -> Scheduler:
    """A scheduler whose workers have rendered for a while at so many frames per second."""
    scheduler, running, now = Scheduler(), list[Render](), 0.0
    for name in speeds:
        scheduler.handle(now, up(name))
    scheduler.handle(now, submit(expected_frames=FRAMES))
    commands = scheduler.handle(now, SpeechGrew("j1", FRAMES, final=True, cached=()))
    for _ in range(rounds):
        running += [command for command in commands if isinstance(command, Render)]
        if not running:
            break
        render, now = running.pop(0), now + 1.0
        took = Timings(0.0, 0.1, len(render.span) / speeds[render.worker])
        commands = scheduler.handle(now, ChunkDone(render.job, render.attempt, took))
    return scheduler


def test_the_next_scheduler_begins_with_the_speeds_that_were_learned() -> None:
    before = taught({"fast": 100.0})
    told = read_outlook(write_outlook(survey([], before.state)))
    after = Scheduler()
    after.handle(0.0, told.remind(up("fast")))
    engine = ("viseme", "1")
    learned = before.state.workers["fast"].rates[engine].value
    assert learned > 1.5 * Scheduler().state.tuning.rate
    assert abs(after.state.workers["fast"].rates[engine].value / learned - 1) < 0.01


def test_who_is_unknown_keeps_what_it_measured_itself() -> None:
    offered = WorkerUp("new", (Offer("viseme", "1", 30.0), Offer("wav2lip", "2")))
    assert Outlook().remind(offered) == offered
    known = Outlook(speeds={"new": {"wav2lip 2": 7.0}, "old": {"viseme 1": 9.0}})
    assert [offer.rate for offer in known.remind(offered).offers] == [30.0, 7.0]
