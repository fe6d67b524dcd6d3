"""What made a video, in lines for a person."""

from __future__ import annotations

from collections.abc import Iterator

from mouthpiece.cli.words import excerpt
from mouthpiece.v1.common_pb2 import FALLBACK_TAKEN_REFERENCE, Provenance, Speaker

_SHOWN = 12
"""Digits of a hash that are enough to recognise it."""


def made_with(record: Provenance) -> Iterator[str]:
    """Lines for what is known; none for a record that is empty."""
    if record.engine:
        yield ", ".join([f"{record.engine} {record.engine_version}", *_weights(record)])
    if record.speakers:
        yield "voice " + ", then ".join(map(_speaker, record.speakers))
    elif record.voice.engine and record.fallback != FALLBACK_TAKEN_REFERENCE:
        yield "voice " + _speaker(record.voice)
    yield from _fallback(record)
    given = {
        "face": record.avatar_sha256,
        "recording": record.recording_sha256,
        "voice of": record.voice_reference_sha256,
        "background": record.background_sha256,
    }
    named = [f"{name} {sha256[:_SHOWN]}…" for name, sha256 in given.items() if sha256]
    if named:
        yield ", ".join(named)
    if record.consent_reference:
        yield f"consent {excerpt(record.consent_reference, 60)}"
    if record.HasField("label"):
        yield f"labelled “{record.label.text}”"
    if record.signed_by:
        yield f"signed by {record.signed_by}"


def _weights(record: Provenance) -> Iterator[str]:
    for model in record.weights:
        yield f"{model.name} {model.sha256[:_SHOWN]}…" if model.sha256 else model.name


def _speaker(speaker: Speaker) -> str:
    return f"{speaker.voice} of {speaker.engine} {speaker.engine_version}"


def _fallback(record: Provenance) -> Iterator[str]:
    if record.fallback == FALLBACK_TAKEN_REFERENCE:
        yield "instead of a voice in its manner, the voice reference itself"
    elif record.fallback:
        yield f"instead of {_speaker(record.voice)}"
