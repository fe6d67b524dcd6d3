"""What the job store keeps, as values, and how they become rows and come back."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mouthpiece.artifacts import Artifact
from mouthpiece.core.timeline import Span
from mouthpiece.rpc.convert import unix
from mouthpiece.v1 import common_pb2
from mouthpiece.v1.gateway_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_DONE,
    JOB_STATE_FAILED,
    Chunk,
    Job,
    JobEvent,
    JobSpec,
)

ENDED = frozenset({JOB_STATE_DONE, JOB_STATE_FAILED, JOB_STATE_CANCELLED})

Row = dict[str, str | int | float | bytes | None]
"""Values of a row by column."""


def assets(spec: JobSpec) -> tuple[str, str, str, str]:
    """The artifacts that a spec names: speech, face, voice and background; empty where there is none."""
    background = spec.background.picture_sha256
    return spec.audio_sha256, spec.avatar_sha256, spec.voice_reference_sha256, background


@dataclass(frozen=True, slots=True)
class StoredSentence:
    """A sentence without its sound, and the artifact that holds it up to the silence at its end."""

    sentence: common_pb2.Sentence
    pcm: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """Frames that exist: which, the digest of what else the engine was told, and the artifact that has them,
    after ``skip`` and before ``rest`` frames that are not meant."""

    frames: Span
    speech: str
    chunk: Artifact
    codec: str
    skip: int = 0
    rest: int = 0

    @property
    def frames_stored(self) -> int:
        """All frames of the artifact."""
        return self.skip + len(self.frames) + self.rest


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as it is kept: what clients see, and its result when it is done."""

    chunk: Chunk
    result: Rendered | None = None
    pieces: tuple[Rendered, ...] = ()
    """The stretches of the result that other jobs may reuse; known only while it is being stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job that ended took, in seconds, and what came of it."""

    engine: str
    took: float
    video_seconds: float
    worker_seconds: float
    wasted_seconds: float
    frames: int
    cached_frames: int


def request_key(request_id: str, tenant: str) -> str:
    """Request ids are unique within a tenant."""
    if not request_id or not tenant:
        return request_id
    return hashlib.sha256(f"{tenant}/{request_id}".encode()).hexdigest()


def job_of(row: Any) -> Job:
    """A job, brought up to date with its last event and sentence."""
    job = Job.FromString(row.document)
    job.last_sequence = row.last or job.last_sequence
    job.samples = max(job.samples, row.spoken or 0)
    return job


def event_row(event: JobEvent) -> Row:
    """What is stored of an event."""
    return {"job_id": event.job_id, "sequence": event.sequence, "document": event.SerializeToString()}


def change_row(job: Job) -> Row:
    """Parameters that change a job to what it is by now."""
    return {
        "job": job.id,
        "new_state": job.state,
        "new_document": job.SerializeToString(),
        "new_finished": unix(job.finished) if job.state in ENDED else None,
        "new_video": job.result.video.sha256,
        "new_vtt": job.result.captions_vtt.sha256,
        "new_srt": job.result.captions_srt.sha256,
        "new_poster": job.result.poster.sha256,
    }


def attempt_row(job_id: str, attempt: Attempt) -> Row:
    """What is stored of an attempt."""
    result = attempt.result
    return {
        "job_id": job_id,
        "attempt": attempt.chunk.id,
        "state": attempt.chunk.state,
        "sha256": result.chunk.sha256 if result else "",
        "size_bytes": result.chunk.size_bytes if result else 0,
        "speech": result.speech if result else "",
        "codec": result.codec if result else "",
        "skip": result.skip if result else 0,
        "rest": result.rest if result else 0,
        "document": attempt.chunk.SerializeToString(),
    }


def attempt_of(row: sa.Row[Any]) -> Attempt:
    """An attempt without its pieces."""
    chunk = Chunk.FromString(row.document)
    if not row.sha256:
        return Attempt(chunk)
    return Attempt(chunk, rendered_of(row, Span(chunk.frames.first, chunk.frames.end)))


def rendered_of(row: sa.Row[Any], frames: Span) -> Rendered:
    """The stored frames of a row of attempts or of the cache."""
    chunk = Artifact(row.sha256, row.size_bytes)
    return Rendered(frames, row.speech, chunk, row.codec, row.skip, row.rest)


def sentence_row(job_id: str, stored: StoredSentence) -> Row:
    """What is stored of a sentence."""
    return {
        "job_id": job_id,
        "position": stored.sentence.index,
        "pcm": stored.pcm,
        "document": stored.sentence.SerializeToString(),
        "samples": stored.sentence.samples.end,
    }


def callback_row(job_id: str, due: float, tries: int) -> Row:
    """Whom to tell of a job's end, when (seconds since 1970), after so many tries."""
    return {"job_id": job_id, "due": due, "tries": tries}


def segment_row(job_id: str, segment: common_pb2.Segment) -> Row:
    """What is stored of a segment."""
    return {
        "job_id": job_id,
        "position": segment.index,
        "media": segment.media.sha256,
        "init": segment.init.sha256,
        "document": segment.SerializeToString(),
    }


def rendered_row(recipe: str, rendered: Rendered) -> Row:
    """What is stored of frames that can be reused, used just now."""
    return {
        "recipe": recipe,
        "first": rendered.frames.first,
        "end": rendered.frames.end,
        "speech": rendered.speech,
        "sha256": rendered.chunk.sha256,
        "size_bytes": rendered.chunk.size_bytes,
        "codec": rendered.codec,
        "skip": rendered.skip,
        "rest": rendered.rest,
        "used": time.time(),
    }
