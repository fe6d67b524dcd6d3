"""Values of the core as messages, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mouthpiece.artifacts import Artifact
from mouthpiece.core.engines import EngineClass, EngineInfo, Weights
from mouthpiece.core.motion import Crossing
from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.v1 import common_pb2


def span_to_proto(span: Span) -> common_pb2.Span:
    """Span as message."""
    return common_pb2.Span(first=span.first, end=span.end)


def span_from_proto(span: common_pb2.Span, field: str) -> Span:
    """Span from message; `BadInput` for `field` when it is none."""
    if not 0 <= span.first <= span.end:
        raise BadInput(field, f"[{span.first}, {span.end}) is not a span")
    return Span(span.first, span.end)


def crossing_to_proto(crossing: Crossing) -> common_pb2.Crossing:
    """Crossing as message."""
    return common_pb2.Crossing(frames=span_to_proto(crossing.frames), by=crossing.by)


def crossing_from_proto(message: common_pb2.Crossing, field: str) -> Crossing:
    """Crossing from message; `BadInput` for `field` when its frames are no span."""
    return Crossing(span_from_proto(message.frames, f"{field}.frames"), message.by)


def rational_to_proto(value: Fraction) -> common_pb2.Rational:
    """Fraction as message."""
    return common_pb2.Rational(numerator=value.numerator, denominator=value.denominator)


def rational_from_proto(value: common_pb2.Rational, field: str) -> Fraction:
    """Fraction from message; `BadInput` for `field` when it is not positive."""
    if value.numerator < 1 or value.denominator < 1:
        raise BadInput(field, f"{value.numerator}/{value.denominator} is not a positive fraction")
    return Fraction(value.numerator, value.denominator)


def artifact_to_proto(artifact: Artifact) -> common_pb2.ArtifactRef:
    """Artifact as message."""
    return common_pb2.ArtifactRef(sha256=artifact.sha256, size_bytes=artifact.size_bytes)


def artifact_from_proto(ref: common_pb2.ArtifactRef) -> Artifact:
    """Artifact from message."""
    return Artifact(ref.sha256, ref.size_bytes)


def duration(seconds: float) -> Duration:
    """Seconds as message."""
    message = Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def seconds(message: Duration) -> float:
    """Seconds of a message."""
    return message.ToNanoseconds() / 1e9


def timestamp(unix_seconds: float) -> Timestamp:
    """Seconds since 1970 as message."""
    message = Timestamp()
    message.FromDatetime(datetime.fromtimestamp(unix_seconds, UTC))
    return message


def unix(message: Timestamp) -> float:
    """Seconds since 1970 of a message. Raises `ValueError` for one that is no moment from year 1 to 9999."""
    return message.ToNanoseconds() / 1e9


_CLASSES = {
    EngineClass.WINDOWED: common_pb2.ENGINE_CLASS_WINDOWED,
    EngineClass.REMOTE: common_pb2.ENGINE_CLASS_REMOTE,
    EngineClass.CHAINED: common_pb2.ENGINE_CLASS_CHAINED,
}


def engine_to_proto(info: EngineInfo) -> common_pb2.Engine:
    """Engine as message."""
    return common_pb2.Engine(
        name=info.name,
        description=info.description,
        engine_class=_CLASSES[info.engine_class],
        version=info.version,
        lead_samples=info.lead_samples,
        tail_samples=info.tail_samples,
        max_chunk_frames=info.max_chunk_frames,
        takes_portrait=info.takes_portrait,
        takes_video=info.takes_video,
        max_chunk_time=duration(info.max_chunk_seconds) if info.max_chunk_seconds else None,
        takes_prompt=info.takes_prompt,
        weights=[common_pb2.Weights(name=model.name, sha256=model.sha256) for model in info.weights],
    )


def engine_from_proto(message: common_pb2.Engine) -> EngineInfo:
    """Engine from message; an unknown class counts as remote, the most careful one."""
    classes = {number: engine_class for engine_class, number in _CLASSES.items()}
    return EngineInfo(
        name=message.name,
        description=message.description,
        engine_class=classes.get(message.engine_class, EngineClass.REMOTE),
        version=message.version,
        lead_samples=message.lead_samples,
        tail_samples=message.tail_samples,
        max_chunk_frames=message.max_chunk_frames,
        takes_portrait=message.takes_portrait,
        takes_video=message.takes_video,
        max_chunk_seconds=seconds(message.max_chunk_time),
        takes_prompt=message.takes_prompt,
        weights=tuple(Weights(model.name, model.sha256) for model in message.weights),
    )
