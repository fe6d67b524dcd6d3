"""What no policy can beat: a cluster without overheads that always serves the least remaining work."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from statistics import fmean

from mouthpiece.simulate.workload import FPS, Arrival


def ideal_mean(arrivals: Sequence[Arrival], speed: float) -> float:
    """Mean latency in seconds when all workers together render ``speed`` seconds of video per second.

    Each job may use all of it at any moment, may be put aside at no cost, and waits only for its speech.
    """
    releases = [
        (one.at + after, number, grown.ready / float(FPS))
        for number, one in enumerate(arrivals)
        for after, grown in one.speech
    ]
    heapify(releases)
    left = [one.speech[-1][1].ready / float(FPS) for one in arrivals]
    spoken = [0.0] * len(arrivals)
    given = [0.0] * len(arrivals)
    ready: list[tuple[float, int]] = []
    ended = [0.0] * len(arrivals)
    now = 0.0
    while releases or ready:
        until = releases[0][0] if releases else float("inf")
        if not ready or now >= until:
            now, number, total = heappop(releases)
            if given[number] >= spoken[number]:
                heappush(ready, (left[number], number))
            spoken[number] = total
            continue
        _, number = heappop(ready)
        step = min(spoken[number] - given[number], (until - now) * speed)
        now += step / speed
        given[number] += step
        left[number] -= step
        if spoken[number] - given[number] > 1e-9:
            heappush(ready, (left[number], number))
        else:
            given[number] = spoken[number]
            ended[number] = now
    return fmean(end - one.at for end, one in zip(ended, arrivals, strict=True))
