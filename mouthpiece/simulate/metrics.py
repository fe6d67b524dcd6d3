"""Figures of runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean

from mouthpiece.simulate.workload import FPS
from mouthpiece.simulate.world import Lane, Record


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job. Seconds since it came; only ``done`` ones have figures.

    ``first`` is when its first picture was there, ``stall`` how long playback stood still after that,
    ``eta_error`` the relative error of the estimate at half time, None when none was given before.
    """

    kind: str
    tenant: str
    speech: float
    done: bool
    latency: float = 0.0
    first: float = 0.0
    stall: float = 0.0
    eta_error: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: its jobs, the seconds that workers were busy, and those of them that made a result.

    ``ideal`` is the mean latency that no policy can beat.
    """

    outcomes: tuple[Outcome, ...]
    busy: float
    useful: float
    ideal: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds, over the jobs that were done. ``first_short`` is the 95th percentile of the first picture of
    the jobs that are shortest by kind, ``p99_long`` the 99th of the latency of the longest kind,
    ``fairness`` Jain's index over the tenants' mean slowdowns (1 is fair), ``waste`` the part of busy worker
    time that did not render a frame of a result, ``eta_error`` a median."""

    jobs: int
    failed: int
    ideal: float
    mean: float
    p50: float
    p95: float
    p99: float
    first: float
    first_p95: float
    first_short: float
    p99_long: float
    stall: float
    fairness: float
    waste: float
    eta_error: float


def outcome(record: Record) -> Outcome:
    """Sum one job up."""
    arrival = record.arrival
    known = Outcome(arrival.size.name, arrival.job.tenant, arrival.seconds, record.outcome == "done")
    if not known.done:
        return known
    return Outcome(
        kind=known.kind,
        tenant=known.tenant,
        speech=known.speech,
        done=True,
        latency=record.ended - arrival.at,
        first=record.segments[0][0] - arrival.at,
        stall=stall(record),
        eta_error=_eta_error(record),
    )


def sample(records: Iterable[Record], lanes: Sequence[Lane], ideal: float) -> Sample:
    """Sum a run up."""
    busy = sum(lane.end - lane.start for lane in lanes)
    useful = sum(lane.useful for lane in lanes if lane.outcome == "done")
    return Sample(tuple(map(outcome, records)), busy, useful, ideal)


def measure(samples: Sequence[Sample]) -> Figures:
    """The figures of several runs of one scenario, their jobs thrown together."""
    every = [one for run in samples for one in run.outcomes]
    done = [one for one in every if one.done]
    latency = [one.latency for one in done]
    first = [one.first for one in done]
    sizes = _by_kind(done)
    busy = sum(run.busy for run in samples)
    return Figures(
        jobs=len(done),
        failed=len(every) - len(done),
        ideal=_mean([run.ideal for run in samples]),
        mean=_mean(latency),
        p50=quantile(latency, 0.5),
        p95=quantile(latency, 0.95),
        p99=quantile(latency, 0.99),
        first=_mean(first),
        first_p95=quantile(first, 0.95),
        first_short=quantile([one.first for one in sizes[0]], 0.95) if sizes else 0.0,
        p99_long=quantile([one.latency for one in sizes[-1]], 0.99) if sizes else 0.0,
        stall=_mean([one.stall for one in done]),
        fairness=_fairness(done),
        waste=max(0.0, 1 - sum(run.useful for run in samples) / busy) if busy else 0.0,
        eta_error=quantile([one.eta_error for one in done if one.eta_error is not None], 0.5),
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


def _by_kind(done: Sequence[Outcome]) -> list[list[Outcome]]:
    """Jobs by kind, the kind with the shortest first."""
    kinds: dict[str, list[Outcome]] = {}
    for one in sorted(done, key=lambda one: one.speech):
        kinds.setdefault(one.kind, []).append(one)
    return list(kinds.values())


def _fairness(done: Sequence[Outcome]) -> float:
    slowdowns: dict[str, list[float]] = {}
    for one in done:
        slowdowns.setdefault(one.tenant, []).append(one.latency / one.speech)
    means = [fmean(values) for values in slowdowns.values()]
    return sum(means) ** 2 / (len(means) * sum(mean**2 for mean in means)) if means else 1.0


def _eta_error(record: Record) -> float | None:
    half = (record.arrival.at + record.ended) / 2
    told = [end for at, end in record.forecasts if at <= half]
    return abs(told[-1] - record.ended) / (record.ended - half) if told and record.ended > half else None
