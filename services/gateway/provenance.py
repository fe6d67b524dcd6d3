"""The record of what makes a video: begun when a job is accepted, completed when all of it is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf import json_format

from mouthpiece import __version__
from mouthpiece.core.timeline import Span
from mouthpiece.media.quality import Encoder
from mouthpiece.rpc.convert import span_to_proto
from mouthpiece.v1.common_pb2 import (
    FALLBACK_TAKEN_ENGINE,
    FALLBACK_TAKEN_REFERENCE,
    FALLBACK_TAKEN_UNSPECIFIED,
    FallbackTaken,
    Label,
    Provenance,
    ProvenanceChunk,
    Speaker,
)
from mouthpiece.v1.gateway_pb2 import Job, JobSpec
from mouthpiece.v1.tts_pb2 import SpeechOutline
from services.gateway.records import StoredSentence
from services.gateway.speaking import REFERENCE_VOICE


def begun(spec: JobSpec, outline: SpeechOutline, label: Label | None) -> Provenance:
    """What is settled with the acceptance of a job, and what could not be found out later."""
    record = Provenance(
        consent_reference=spec.consent_reference, normalization=outline.normalization, label=label
    )
    if outline.engine:
        record.voice.CopyFrom(
            Speaker(engine=outline.engine, engine_version=outline.engine_version, voice=outline.voice)
        )
    return record


def completed(
    job: Job,
    sentences: Sequence[StoredSentence],
    chunks: Iterable[tuple[Span, str]],
    speech_sha256: str,
    *,
    approximate: bool,
) -> Provenance:
    """All of it. ``chunks`` are those that are shown: their frames, and the names of their artifacts."""
    settled, spec = job.provenance, job.spec
    speakers = _speakers(sentences)
    return Provenance(
        generator=f"mouthpiece {__version__}",
        job_id=job.id,
        created=job.created,
        engine=job.engine.name,
        engine_version=job.engine.version,
        weights=job.engine.weights,
        seed=job.seed,
        encoder=job.encoder or Encoder.X264,
        avatar_sha256=spec.avatar_sha256,
        recording_sha256=spec.audio_sha256,
        voice_reference_sha256=spec.voice_reference_sha256,
        background_sha256=spec.background.picture_sha256,
        voice=settled.voice if settled.HasField("voice") else None,
        speakers=speakers,
        fallback=_fallback(job, speakers),
        normalization=settled.normalization,
        speech_sha256=speech_sha256,
        consent_reference=settled.consent_reference,
        label=settled.label if settled.HasField("label") else None,
        approximate=approximate,
        chunks=[ProvenanceChunk(frames=span_to_proto(span), sha256=sha256) for span, sha256 in chunks],
    )


def as_json(record: Provenance) -> str:
    """A record as it stands in a file."""
    return json_format.MessageToJson(record, preserving_proto_field_name=True, indent=None)


def _speakers(sentences: Iterable[StoredSentence]) -> list[Speaker]:
    """All that spoke, each once, in the order of their first sentence."""
    found: list[Speaker] = []
    for stored in sentences:
        speaker = stored.sentence.spoken_by
        if speaker.engine and speaker not in found:
            found.append(speaker)
    return found


def _fallback(job: Job, speakers: Sequence[Speaker]) -> FallbackTaken.ValueType:
    if job.voice == REFERENCE_VOICE:
        return FALLBACK_TAKEN_REFERENCE
    others = {speaker.engine for speaker in speakers} - {job.provenance.voice.engine}
    return FALLBACK_TAKEN_ENGINE if others else FALLBACK_TAKEN_UNSPECIFIED
