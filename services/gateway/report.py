"""What a job took, told from its attempts."""

from __future__ import annotations

from collections.abc import Iterable

from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.rpc.convert import duration, seconds, unix
from mouthpiece.v1.common_pb2 import ChunkReport
from mouthpiece.v1.gateway_pb2 import CHUNK_STATE_FAILED, Chunk, JobStatistics
from services.gateway.records import Attempt, Outcome
from services.gateway.run import JobRun


def statistics(run: JobRun, speech_end: float, now: float) -> JobStatistics:
    """Figures of a job that ends `now`, and was all spoken at `speech_end` (both seconds since 1970)."""
    attempts = list(run.attempts.values())
    rendered = [attempt for attempt in attempts if not attempt.chunk.cached]
    created, started = unix(run.job.created), unix(run.job.started)
    starts = [unix(attempt.chunk.started) for attempt in attempts]
    ends = [unix(attempt.chunk.finished) for attempt in attempts if attempt.result]
    used = [attempt for attempt in attempts if attempt.result and attempt.result.frames in run.segments]
    cached = [attempt.chunk for attempt in used if attempt.chunk.cached]
    first = [unix(attempt.chunk.finished) for attempt in used if attempt.chunk.frames.first == 0]
    begin, end = min(starts, default=now), max(ends, default=now)
    return JobStatistics(
        total=duration(now - created),
        queue=duration(max(0.0, begin - created)),
        speech=duration(max(0.0, speech_end - started)),
        render=duration(max(0.0, end - begin)),
        merge=duration(max(0.0, now - max(end, speech_end))),
        first_chunk=duration(max(0.0, min(first, default=now) - created)),
        worker_time=duration(_busy(rendered)),
        wasted_worker_time=duration(_busy(attempt for attempt in rendered if attempt not in used)),
        chunks=len(run.segments),
        attempts=len(rendered),
        failed_attempts=sum(attempt.chunk.state == CHUNK_STATE_FAILED for attempt in rendered),
        cached_chunks=len(cached),
        cached_frames=sum(len(_span(chunk)) for chunk in cached),
        workers=sorted({attempt.chunk.worker for attempt in used if attempt.chunk.worker}),
        sentences=len(run.sentences),
        cached_sentences=run.recalled,
        realtime_factor=run.samples / SPEECH_RATE / max(1e-3, now - created),
    )


def report(run: JobRun) -> ChunkReport | None:
    """What was seen of the chunks that were rendered for a job, together; None when none was."""
    done = [a.chunk.report for a in run.attempts.values() if a.result and a.chunk.HasField("report")]
    if not done:
        return None
    speaking = sum(seen.speaking_frames for seen in done)
    resting = sum(seen.frames - seen.speaking_frames for seen in done)
    moved = sum(seen.speaking_motion * seen.speaking_frames for seen in done)
    swayed = sum(seen.resting_motion * (seen.frames - seen.speaking_frames) for seen in done)
    return ChunkReport(
        frames=speaking + resting,
        speaking_frames=speaking,
        speaking_motion=moved / max(1, speaking),
        resting_motion=swayed / max(1, resting),
    )


def outcome(run: JobRun, now: float) -> Outcome:
    """What the history keeps of a job that ends `now` (seconds since 1970)."""
    figures = statistics(run, now, now)
    done = run.complete
    return Outcome(
        engine=run.engine.name,
        took=seconds(figures.total),
        video_seconds=run.samples / SPEECH_RATE if done else 0.0,
        worker_seconds=seconds(figures.worker_time),
        wasted_seconds=seconds(figures.wasted_worker_time if done else figures.worker_time),
        frames=run.job.frames if done else 0,
        cached_frames=figures.cached_frames if done else 0,
    )


def _span(chunk: Chunk) -> Span:
    return Span(chunk.frames.first, chunk.frames.end)


def _busy(attempts: Iterable[Attempt]) -> float:
    return sum(max(0.0, unix(attempt.chunk.finished) - unix(attempt.chunk.started)) for attempt in attempts)
