"""CPU time of one decision of the scheduler in big clusters: `python -m bench.simulate_decisions`."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

from mouthpiece.core.scheduler import ChunkDone, Render, Scheduler, SpeechGrew, Timings
from mouthpiece.core.scheduler.events import Offer, WorkerUp
from mouthpiece.simulate.workload import ENGINE, MEDIUM, SHORT, VERSION, Arrival, Mixture, arrival

SIZES = ((8, 20), (64, 200), (1000, 200), (1000, 1000))
EVENTS = 1000


def decision_time(workers: int, jobs: int) -> float:
    """Mean milliseconds of CPU time of a `handle` while so many jobs keep so many workers busy."""
    random = Random(1)
    scheduler = Scheduler()
    running: list[Render] = []
    for number in range(jobs):
        job = arrival(random, Mixture(), f"j{number}", 0.0, MEDIUM if number % 2 else SHORT)
        scheduler.handle(0.0, replace(job.job, restored=True))
        scheduler.handle(0.0, _spoken(job))
    for number in range(workers):
        running += _renders(scheduler, 0.0, WorkerUp(f"w{number}", (Offer(ENGINE, VERSION),)))
    begun, events = time.process_time(), 0
    while running and events < EVENTS:
        events += 1
        render = running.pop(random.randrange(len(running)))
        done = ChunkDone(render.job, render.attempt, Timings(0.0, 0.1, render.expected))
        running += _renders(scheduler, 0.01 * events, done)
    return 1000 * (time.process_time() - begun) / events


def _renders(scheduler: Scheduler, now: float, event: WorkerUp | ChunkDone) -> list[Render]:
    return [command for command in scheduler.handle(now, event) if isinstance(command, Render)]


def _spoken(job: Arrival) -> SpeechGrew:
    """The whole speech at once."""
    marks = tuple(mark for _, grown in job.speech for mark in grown.marks)
    return replace(job.speech[-1][1], marks=marks)


if __name__ == "__main__":
    for workers, jobs in SIZES:
        print(f"{workers:5} workers {jobs:5} jobs: {decision_time(workers, jobs):6.2f} ms a decision")
