"""Jobs and workers in the words of older clients."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.rpc.convert import seconds, unix
from mouthpiece.rpc.states import state_name
from mouthpiece.v1 import gateway_pb2 as pb
from mouthpiece.v1.lipsync_pb2 import Telemetry

_STATUS = {
    pb.JOB_STATE_QUEUED: "queued",
    pb.JOB_STATE_DONE: "completed",
    pb.JOB_STATE_FAILED: "failed",
    pb.JOB_STATE_CANCELLED: "cancelled",
}
_WORKER_STATUS = {
    pb.WORKER_STATE_IDLE: "idle",
    pb.WORKER_STATE_BUSY: "busy",
    pb.WORKER_STATE_DRAINING: "draining",
    pb.WORKER_STATE_LOST: "lost",
}
_Figure = Literal[
    "memory_used_bytes", "utilization", "power_watts", "power_limit_watts", "temperature_celsius"
]
_FIGURES: dict[str, _Figure] = {
    "memory_used": "memory_used_bytes",
    "utilization": "utilization",
    "power_watts": "power_watts",
    "power_limit_watts": "power_limit_watts",
    "temperature": "temperature_celsius",
}


def status_of(job: pb.Job, cluster: pb.Cluster, waiting: Sequence[pb.Job]) -> dict[str, Any]:
    """How far a task is: `progress` is 0 to 100, `gpu_id` the device used last, times are seconds."""
    done = job.state == pb.JOB_STATE_DONE
    position = next((place for place, other in enumerate(waiting, 1) if other.id == job.id), 0)
    return {
        "task_id": job.id,
        "status": _STATUS.get(job.state, "processing"),
        "stage": state_name(job.state),
        "progress": round(job.percent, 1),
        "gpu_id": _gpu_id(job, cluster),
        "queue_position": position,
        "timing": _timing(job),
        "result_url": f"/api/download/{job.id}" if done else None,
        "stream_url": f"/api/stream/{job.id}/index.m3u8",
        "error": job.error.message or None,
        "waiting_for": job.waiting.reason or None,
        "processing_details": processing_details(job),
    }


def processing_details(job: pb.Job) -> dict[str, Any]:
    """What it took. A chunk counts as failed when none of its attempts gave frames."""
    figures = job.result.statistics
    total, good, failed = _chunks(job)
    parallel = job.spec.mode != pb.MODE_SINGLE
    return {
        "chunks": total,
        "total_chunks": total,
        "successful_chunks": good,
        "failed_chunks": failed,
        "chunk_duration": _chunk_seconds(job, total),
        "parallel_processing": parallel,
        "optimization_level": pb.Mode.Name(job.spec.mode or pb.MODE_AUTO).removeprefix("MODE_").lower(),
        "workers": len(figures.workers),
        "retried_attempts": figures.failed_attempts,
        "total_processing_time": seconds(figures.total),
        "audio_generation_time": seconds(figures.speech),
        "video_generation_time": seconds(figures.render),
    }


def queue_of(cluster: pb.Cluster, waiting: Sequence[pb.Job]) -> dict[str, Any]:
    """Tasks that wait, in the order in which they came, and how many run."""
    return {
        "queue_length": len(waiting),
        "running": cluster.running_jobs,
        "queue": [{"task_id": job.id, "position": place} for place, job in enumerate(waiting, 1)],
    }


def gpu_of(worker: pb.ClusterWorker) -> dict[str, Any]:
    """A worker's device, how it fares (None: not known) and what it does."""
    device, fares = worker.worker.device, worker.worker.telemetry
    return {
        "gpu_id": device.index,
        "name": device.name,
        "kind": device.kind,
        "worker": worker.worker.name,
        "status": _WORKER_STATUS.get(worker.state, "unknown"),
        "memory_total": device.memory_bytes,
        **{name: _known(fares, field) for name, field in _FIGURES.items()},
        "current_task": worker.job_id or None,
        "engines": [engine.name for engine in worker.worker.engines],
    }


def _known(fares: Telemetry, field: _Figure) -> float | None:
    return getattr(fares, field) if fares.HasField(field) else None


def _gpu_id(job: pb.Job, cluster: pb.Cluster) -> int | None:
    devices = {worker.worker.name: worker.worker.device.index for worker in cluster.workers}
    begun = [chunk for chunk in job.chunks if chunk.worker in devices]
    latest = max(begun, key=lambda chunk: chunk.started.ToNanoseconds(), default=None)
    return devices[latest.worker] if latest else None


def _timing(job: pb.Job) -> dict[str, float]:
    """Seconds of speech, of rendering, and in all; until the end only the time since acceptance is known."""
    figures = job.result.statistics
    end = unix(job.finished) if job.HasField("finished") else time.time()
    total = seconds(figures.total) or end - unix(job.created)
    return {
        "tts_time": seconds(figures.speech),
        "video_time": seconds(figures.render),
        "total_time": round(max(0.0, total), 3),
    }


def _chunks(job: pb.Job) -> tuple[int, int, int]:
    """Chunks in all, done and failed."""
    if job.state == pb.JOB_STATE_DONE:
        return job.result.statistics.chunks, job.result.statistics.chunks, 0
    done = {chunk.frames.first for chunk in job.chunks if chunk.state == pb.CHUNK_STATE_DONE}
    begun = {chunk.frames.first for chunk in job.chunks}
    failed = begun - done if job.state == pb.JOB_STATE_FAILED else set[int]()
    return len(begun), len(done), len(failed)


def _chunk_seconds(job: pb.Job, chunks: int) -> float:
    """Length of chunks: as wanted, else their mean."""
    return seconds(job.spec.chunk_length) or round(job.samples / SPEECH_RATE / max(1, chunks), 3)
