"""What a job would take: the scheduler itself, asked in virtual time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import quantiles

from google.protobuf.duration_pb2 import Duration

from mouthpiece.core.scheduler.events import JobSubmitted, Mode, SpeechGrew
from mouthpiece.core.scheduler.forecast import Forecast, even_marks, forecast
from mouthpiece.core.scheduler.scheduler import Scheduler
from mouthpiece.rpc.convert import duration, seconds, span_to_proto
from mouthpiece.v1.gateway_pb2 import Job, PlanJobResponse, PlannedChunk
from services.gateway.admission import Admitted, warnings_of
from services.gateway.fleet import Fleet
from services.gateway.foresight import Known
from services.gateway.run import submission

SPEECH_RATE_FACTOR = 0.02
"""Seconds of synthesis for a second of speech, taken for a plan."""

PAUSE_EVERY_SECONDS = 2
"""Distance of pauses in speech that nobody has spoken yet."""

ENOUGH = 5
"""Jobs that have to have ended before a range is told."""

WORTH_IT = 0.8
"""Share of the single worker's time below which more workers are worth naming."""


def plan(
    scheduler: Scheduler,
    now: float,
    fleet: Fleet,
    planned: Job,
    admitted: Admitted,
    weight: float,
    known: Known,
) -> PlanJobResponse:
    """The course of an admitted job if nothing else happened."""
    samples = planned.samples
    job = submission(planned, admitted.engine, weight)
    frames = job.expected_frames
    every = max(1, round(PAUSE_EVERY_SECONDS * admitted.fps))
    spoken = [
        (
            float(SPEECH_RATE_FACTOR * frames / admitted.fps),
            SpeechGrew(job.job, frames, even_marks(0, frames, every), final=True, cached=known.frames),
        )
    ]
    course = forecast(scheduler, now, job, spoken)
    single = forecast(scheduler, now, replace(job, max_workers=1), spoken)
    return PlanJobResponse(
        format=admitted.format,
        samples=samples,
        frames=frames,
        exact=bool(planned.spec.audio_sha256),
        chunks=_chunks(course, fleet),
        first_chunk=_seconds(course.first),
        total=_seconds(course.total),
        total_single=_seconds(single.total),
        advice=_advice(job, course, single),
        avatar=admitted.avatar,
        cached_frames=sum(map(len, known.frames)),
        cached_sentences=known.sentences,
        warnings=warnings_of(planned.spec, admitted),
        approximate=planned.spec.HasField("crossfade"),
    )


def add_range(plan: PlanJobResponse, surprises: Sequence[float]) -> None:
    """Add the range that the surprises of earlier jobs give: what they took per second that was expected."""
    if len(surprises) < ENOUGH:
        return
    tenths = quantiles(surprises, n=10, method="inclusive")
    total = seconds(plan.total)
    plan.total_low.CopyFrom(duration(total * tenths[0]))
    plan.total_high.CopyFrom(duration(total * tenths[-1]))
    plan.learned_from = len(surprises)


def _chunks(course: Forecast, fleet: Fleet) -> list[PlannedChunk]:
    return [
        PlannedChunk(
            frames=span_to_proto(chunk.span),
            worker=fleet.members[chunk.worker].name,
            start=duration(chunk.start),
            end=duration(chunk.end),
        )
        for chunk in course.chunks
    ]


def _seconds(value: float) -> Duration | None:
    return duration(value) if math.isfinite(value) else None


def _advice(job: JobSubmitted, course: Forecast, single: Forecast) -> str:
    if not math.isfinite(course.total):
        return "No worker can render this now."
    workers = len({chunk.worker for chunk in course.chunks})
    share = course.total / single.total if single.total else 1.0
    if job.mode is Mode.SINGLE:
        return "One worker renders it in one piece; mode auto lets idle workers help."
    if workers > 1 and share < WORTH_IT:
        return f"{workers} workers make it {1 / share:.1f} times as fast as one."
    if workers > 1:
        return f"{workers} workers help a little: the video is short, or the others are busy."
    return "One worker does it: too short for more, or no other is free."
