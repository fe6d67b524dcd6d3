"""Figures of one run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean

from mouthpiece.simulate.workload import FPS
from mouthpiece.simulate.world import Lane, Record


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, over the jobs that were done. ``stall`` is how long playback stood still after its first
    picture, ``fairness`` Jain's index over the tenants' mean slowdowns (1 is fair), ``waste`` the part of
    busy worker time that did not render a frame of a result, ``eta_error`` the median relative error of
    the estimate at half time."""

    jobs: int
    failed: int
    mean: float
    p50: float
    p95: float
    p99: float
    first_mean: float
    first_p95: float
    stall: float
    fairness: float
    waste: float
    eta_error: float


def measure(records: Iterable[Record], lanes: Iterable[Lane]) -> Figures:
    """Sum a run up."""
    records = list(records)
    done = [record for record in records if record.outcome == "done"]
    latency = [record.ended - record.arrival.at for record in done]
    first = [record.segments[0][0] - record.arrival.at for record in done]
    return Figures(
        jobs=len(done),
        failed=len(records) - len(done),
        mean=_mean(latency),
        p50=quantile(latency, 0.5),
        p95=quantile(latency, 0.95),
        p99=quantile(latency, 0.99),
        first_mean=_mean(first),
        first_p95=quantile(first, 0.95),
        stall=_mean([stall(record) for record in done]),
        fairness=_fairness(done),
        waste=_waste(list(lanes)),
        eta_error=quantile([error for record in done if (error := _eta_error(record)) is not None], 0.5),
    )


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least ``part`` of all do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else 0.0


def stall(record: Record) -> float:
    """How long playback that begins with the first segment stands still, in all."""
    begun = shown = record.segments[0][0]
    for at, span in record.segments:
        shown = max(shown, at) + len(span) / float(FPS)
    return shown - begun - record.segments[-1][1].end / float(FPS)


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _fairness(done: Sequence[Record]) -> float:
    slowdowns: dict[str, list[float]] = {}
    for record in done:
        slowdown = (record.ended - record.arrival.at) / record.arrival.seconds
        slowdowns.setdefault(record.arrival.job.tenant, []).append(slowdown)
    means = [fmean(values) for values in slowdowns.values()]
    return sum(means) ** 2 / (len(means) * sum(mean**2 for mean in means)) if means else 1.0


def _waste(lanes: Sequence[Lane]) -> float:
    busy = sum(lane.end - lane.start for lane in lanes)
    useful = sum(lane.useful for lane in lanes if lane.outcome == "done")
    return max(0.0, 1 - useful / busy) if busy else 0.0


def _eta_error(record: Record) -> float | None:
    half = (record.arrival.at + record.ended) / 2
    told = [end for at, end in record.forecasts if at <= half]
    return abs(told[-1] - record.ended) / (record.ended - half) if told and record.ended > half else None
