"""The trace of a job, written from what is stored of it: see `mouthpiece/rpc/tracing.py`."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from mouthpiece.core.timeline import Span
from mouthpiece.rpc.states import chunk_state_name, state_name
from mouthpiece.rpc.tracing import JobTrace, Value
from mouthpiece.v1.gateway_pb2 import (
    CHUNK_STATE_DONE,
    CHUNK_STATE_FAILED,
    JOB_STATE_DONE,
    JOB_STATE_FAILED,
    Chunk,
    Job,
)


def tell_of_queue(trace: JobTrace, job: Job) -> None:
    """A job was begun."""
    trace.write("queue", _ns(job.created), _ns(job.started))


def tell_of_speech(trace: JobTrace, job: Job, end: int, sentences: int, recalled: int) -> None:
    """All is spoken, or nothing more will be. `recalled` sentences were known."""
    said: dict[str, Value] = {"sentences": sentences, "recalled": recalled, "samples": job.samples}
    trace.write("speech", _ns(job.started), end, problem=job.error.message, attributes=said)


def tell_of_attempt(trace: JobTrace, job: Job, chunk: Chunk, others: Iterable[Chunk]) -> None:
    """An attempt ended. `others` are those of the same job, before it and after."""
    before = [other for other in others if _repeats(chunk, other)]
    attributes: dict[str, Value] = {
        "attempt": chunk.id,
        "worker": chunk.worker,
        "engine": job.engine.name,
        "first_frame": chunk.frames.first,
        "end_frame": chunk.frames.end,
        "frames_done": chunk.frames_done,
        "kind": _kind(chunk, before),
        "outcome": chunk_state_name(chunk.state),
    }
    trace.write(
        attempt_key(chunk.id),
        _ns(chunk.started),
        _ns(chunk.finished),
        problem=chunk.error if chunk.state == CHUNK_STATE_FAILED else "",
        links=[attempt_key(other.id) for other in before],
        attributes=attributes,
    )


def tell_of_job(trace: JobTrace, job: Job, attempts: Iterable[Chunk]) -> None:
    """A job ended. Its merge is told of, too: it begins with the first chunk of the video."""
    end = _ns(job.finished)
    done = [chunk for chunk in attempts if chunk.state == CHUNK_STATE_DONE]
    begun = [_ns(chunk.finished) for chunk in done if not chunk.frames.first]
    problem = job.error.message if job.state == JOB_STATE_FAILED else ""
    if begun:
        state = "done" if job.state == JOB_STATE_DONE else "left"
        trace.write("merge", min(begun), end, attributes={"outcome": state})
    attributes: dict[str, Value] = {
        "job": job.id,
        "tenant": job.tenant,
        "engine": job.engine.name,
        "frames": job.frames,
        "chunks": len(done),
        "cached_chunks": sum(chunk.cached for chunk in done),
        "outcome": state_name(job.state),
    }
    trace.write("job", _ns(job.created), end, problem=problem, attributes=attributes)


def attempt_key(attempt: str) -> str:
    """Key of an attempt's span."""
    return f"attempt/{attempt}"


def _repeats(chunk: Chunk, other: Chunk) -> bool:
    """Whether another attempt at some of the same frames was there before."""
    shared = Span(chunk.frames.first, chunk.frames.end).overlaps(Span(other.frames.first, other.frames.end))
    return other.id != chunk.id and shared and _ns(other.started) < _ns(chunk.started)


def _kind(chunk: Chunk, before: Iterable[Chunk]) -> str:
    """A hedge begins while another attempt is under way, a retry after it."""
    ends = [_ns(other.finished) if other.HasField("finished") else None for other in before]
    if any(end is None or end > _ns(chunk.started) for end in ends):
        return "hedge"
    return "retry" if ends else "first"


def _ns(moment: Timestamp) -> int:
    return moment.ToNanoseconds()
