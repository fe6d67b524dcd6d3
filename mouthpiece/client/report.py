"""A job as plain data: what `--stats`, `--json` and people's scripts read.

Times are seconds, rounded to milliseconds; moments are seconds since acceptance, or ISO 8601 in UTC.
Names stay as they are: scripts depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.rpc.convert import seconds
from mouthpiece.rpc.states import chunk_state_name, state_name
from mouthpiece.v1 import common_pb2, gateway_pb2

Plain = dict[str, Any]


def frame_rate(fps: common_pb2.Rational) -> Fraction:
    """A frame rate as a number; 0 when it is not set."""
    return Fraction(fps.numerator, fps.denominator) if fps.denominator else Fraction(0)


def moment(job: gateway_pb2.Job, time: Timestamp) -> float:
    """Seconds from a job's acceptance to `time`."""
    return (time.ToNanoseconds() - job.created.ToNanoseconds()) / 1e9


def job_report(job: gateway_pb2.Job) -> Plain:
    """Everything about a job. Parts that are not known yet are left out."""
    report = job_summary(job)
    report["spec"] = _spec(job.spec)
    report["warnings"] = list(job.warnings)
    report["chunks"] = [_chunk(job, chunk) for chunk in job.chunks]
    report["workers"] = worker_report(job.chunks)
    if job.HasField("provenance"):
        report["provenance"] = plain(job.provenance)
    if job.HasField("result"):
        report |= _result(job.result)
    return report


def job_summary(job: gateway_pb2.Job) -> Plain:
    """The line about a job in a list of jobs."""
    fps = frame_rate(job.format.fps)
    summary: Plain = {
        "job": job.id,
        "title": job.spec.title,
        "state": state_name(job.state),
        "percent": round(job.percent, 1),
        "created": job.created.ToJsonString(),
        "frames": job.frames,
        "fps": f"{fps.numerator}/{fps.denominator}",
        "width": job.format.width,
        "height": job.format.height,
        "speech_seconds": round(job.samples / SPEECH_RATE, 6),
        "final": job.speech_final,
        "engine": job.engine.name,
        "engine_version": job.engine.version,
        "voice": job.voice,
        "language": job.language,
        "seed": job.seed,
    }
    for name, time in (("started", job.started), ("finished", job.finished)):
        if time.ToNanoseconds():
            summary[name] = time.ToJsonString()
    if job.HasField("waiting"):
        summary["waiting"] = plain(job.waiting)
    if job.state == gateway_pb2.JOB_STATE_FAILED:
        summary["error"] = job.error.message
    return summary


def worker_report(chunks: Sequence[gateway_pb2.Chunk]) -> list[Plain]:
    """What each worker did, by name: attempts, frames that it delivered, seconds that it was busy."""
    found: dict[str, Plain] = {}
    for chunk in chunks:
        if chunk.cached or not chunk.worker:
            continue
        worker = found.setdefault(
            chunk.worker, {"worker": chunk.worker, "attempts": 0, "frames": 0, "busy_seconds": 0.0}
        )
        worker["attempts"] += 1
        if chunk.state == gateway_pb2.CHUNK_STATE_DONE:
            worker["frames"] += chunk.frames.end - chunk.frames.first
        worker["busy_seconds"] = round(worker["busy_seconds"] + busy_seconds(chunk), 3)
    return [found[name] for name in sorted(found)]


def busy_seconds(chunk: gateway_pb2.Chunk) -> float:
    """How long an attempt took; 0 while it runs."""
    if not chunk.finished.ToNanoseconds():
        return 0.0
    return max(0.0, (chunk.finished.ToNanoseconds() - chunk.started.ToNanoseconds()) / 1e9)


def _chunk(job: gateway_pb2.Job, chunk: gateway_pb2.Chunk) -> Plain:
    plain: Plain = {
        "id": chunk.id,
        "first_frame": chunk.frames.first,
        "end_frame": chunk.frames.end,
        "state": chunk_state_name(chunk.state),
        "worker": chunk.worker,
        "frames_done": chunk.frames_done,
        "cached": chunk.cached,
        "start": round(moment(job, chunk.started), 3),
    }
    if chunk.finished.ToNanoseconds():
        plain["end"] = round(moment(job, chunk.finished), 3)
    if chunk.error:
        plain["error"] = chunk.error
    return plain


def _result(result: gateway_pb2.JobResult) -> Plain:
    told = result.statistics
    stages = {name: getattr(told, name) for name in ("queue", "speech", "render", "merge", "first_chunk")}
    return {
        "video": {"sha256": result.video.sha256, "bytes": result.video.size_bytes},
        "frames": result.frames,
        "speech_seconds": round(result.samples / SPEECH_RATE, 6),
        "total_seconds": _seconds(told.total),
        "stages": {f"{name}_seconds": _seconds(value) for name, value in stages.items()},
        "worker_seconds": _seconds(told.worker_time),
        "wasted_worker_seconds": _seconds(told.wasted_worker_time),
        "attempts": told.attempts,
        "failed_attempts": told.failed_attempts,
        "cache": {"chunks": told.cached_chunks, "frames": told.cached_frames},
        "realtime_factor": round(told.realtime_factor, 3),
    }


def _spec(spec: gateway_pb2.JobSpec) -> Plain:
    """The spec as it was given: only what was said."""
    told: Plain = {}
    for field, value in spec.ListFields():
        match value:
            case Duration():
                told[field.name] = _seconds(value)
            case common_pb2.Rational():
                told[field.name] = f"{value.numerator}/{value.denominator}"
            case int() if field.enum_type is not None:
                name = field.enum_type.values_by_number[value].name
                told[field.name] = name.removeprefix(f"{field.name.upper()}_").lower()
            case Timestamp():
                told[field.name] = value.ToJsonString()
            case Message():
                told[field.name] = plain(value)
            case Sequence() if field.message_type is not None:
                told[field.name] = [plain(one) for one in value]
            case _:
                told[field.name] = value
    return told


def plain(message: Message) -> Plain:
    """A message by the names of its fields; what is not set is left out."""
    return MessageToDict(message, preserving_proto_field_name=True)


def _seconds(value: Duration) -> float:
    return round(seconds(value), 3)


def plan_report(plan: gateway_pb2.PlanJobResponse) -> Plain:
    """What would be done with a spec."""
    fps = frame_rate(plan.format.fps)
    return {
        "frames": plan.frames,
        "fps": f"{fps.numerator}/{fps.denominator}",
        "width": plan.format.width,
        "height": plan.format.height,
        "speech_seconds": round(plan.samples / SPEECH_RATE, 6),
        "exact": plan.exact,
        "chunks": [
            {
                "first_frame": chunk.frames.first,
                "end_frame": chunk.frames.end,
                "worker": chunk.worker,
                "start": _seconds(chunk.start),
                "end": _seconds(chunk.end),
            }
            for chunk in plan.chunks
        ],
        "first_chunk_seconds": _seconds(plan.first_chunk),
        "total_seconds": _seconds(plan.total),
        "single_worker_seconds": _seconds(plan.total_single),
        "total_seconds_range": _range(plan),
        "cached_frames": plan.cached_frames,
        "cached_sentences": plan.cached_sentences,
        "advice": plan.advice,
        "warnings": list(plan.warnings),
    }


def _range(plan: gateway_pb2.PlanJobResponse) -> list[float] | None:
    """Where eight in ten jobs end, in seconds; None when too few have."""
    return [_seconds(plan.total_low), _seconds(plan.total_high)] if plan.learned_from else None


def cluster_report(cluster: gateway_pb2.Cluster) -> Plain:
    """Workers and queue."""
    return {
        "release": cluster.release,
        "queued_jobs": cluster.queued_jobs,
        "running_jobs": cluster.running_jobs,
        "workers": [_worker(member) for member in cluster.workers],
        "statistics": [_statistics(figures) for figures in cluster.statistics],
    }


def _statistics(figures: gateway_pb2.ClusterStatistics) -> Plain:
    return {
        "period_seconds": _seconds(figures.period),
        "done": figures.done,
        "failed": figures.failed,
        "cancelled": figures.cancelled,
        "video_seconds": _seconds(figures.video),
        "frames": figures.frames,
        "cached_frames": figures.cached_frames,
        "worker_seconds": _seconds(figures.worker_time),
        "wasted_worker_seconds": _seconds(figures.wasted_worker_time),
    }


def _worker(member: gateway_pb2.ClusterWorker) -> Plain:
    worker = member.worker
    return {
        "name": worker.name or member.address,
        "address": member.address,
        "state": gateway_pb2.WorkerState.Name(member.state).removeprefix("WORKER_STATE_").lower(),
        "suspect": member.suspect,
        "device": {"kind": worker.device.kind, "name": worker.device.name, "index": worker.device.index},
        "telemetry": {figure.name: value for figure, value in worker.telemetry.ListFields()},
        "encoders": list(worker.encoders),
        "engines": [engine.name for engine in worker.engines],
        "frames_per_second": {name: round(speed, 1) for name, speed in worker.frames_per_second.items()},
        "slots": worker.slots,
        "busy_slots": worker.busy_slots,
        "uptime_seconds": _seconds(worker.uptime),
        "job": member.job_id,
        "first_frame": member.frames.first,
        "end_frame": member.frames.end,
        "release": worker.release,
    }
