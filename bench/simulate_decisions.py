"""How long one decision of the scheduler takes in big clusters."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random
from statistics import fmean

from mouthpiece.core.scheduler import ChunkDone, Render, Scheduler, SpeechGrew, Timings
from mouthpiece.core.scheduler.events import Event, Offer, WorkerUp
from mouthpiece.simulate.metrics import quantile
from mouthpiece.simulate.workload import ENGINE, MEDIUM, SHORT, VERSION, Arrival, Mixture, arrival


def decision_times(workers: int, jobs: int, events: int = 2000) -> list[float]:
    """Milliseconds of each `handle` while so many jobs keep so many workers busy."""
    random = Random(1)
    scheduler = Scheduler()
    queue: list[Event] = [WorkerUp(f"w{number}", (Offer(ENGINE, VERSION),)) for number in range(workers)]
    for number in range(jobs):
        job = arrival(random, Mixture(), f"j{number}", 0.0, MEDIUM if number % 2 else SHORT)
        queue += [job.job, _spoken(job)]
    now, times = 0.0, list[float]()
    running: list[Render] = []
    while len(times) < events and (queue or running):
        if queue:
            event = queue.pop(0)
        else:
            render = running.pop(random.randrange(len(running)))
            event = ChunkDone(render.job, render.attempt, Timings(0.0, 0.1, render.expected))
        now += 0.01
        begun = time.perf_counter()
        commands = scheduler.handle(now, event)
        if not queue:
            times.append(1000 * (time.perf_counter() - begun))
        running += [command for command in commands if isinstance(command, Render)]
    return times


def _spoken(job: Arrival) -> SpeechGrew:
    """The whole speech at once."""
    marks = tuple(mark for _, grown in job.speech for mark in grown.marks)
    return replace(job.speech[-1][1], marks=marks)


if __name__ == "__main__":
    for workers, jobs in ((8, 20), (64, 200), (1000, 200), (1000, 1000)):
        times = decision_times(workers, jobs)
        print(
            f"{workers:5} workers {jobs:5} jobs: mean {fmean(times):.2f} ms, "
            f"p50 {quantile(times, 0.5):.2f} p99 {quantile(times, 0.99):.2f} max {max(times):.2f}"
        )
