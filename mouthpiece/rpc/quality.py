"""Qualities, and what is done to pictures, as messages name them."""

from __future__ import annotations

from dataclasses import fields, replace

from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.errors import BadInput, Violation
from mouthpiece.media.quality import PRESETS, Adjustment, Codec, Quality
from mouthpiece.v1 import common_pb2

_QUALITIES = {
    common_pb2.QUALITY_UNSPECIFIED: Quality.MEDIUM,
    common_pb2.QUALITY_LOW: Quality.LOW,
    common_pb2.QUALITY_MEDIUM: Quality.MEDIUM,
    common_pb2.QUALITY_HIGH: Quality.HIGH,
    common_pb2.QUALITY_ULTRA: Quality.ULTRA,
    common_pb2.QUALITY_LOSSLESS: Quality.LOSSLESS,
}


def quality_from_proto(value: common_pb2.Quality.ValueType, field: str) -> Quality:
    """Quality of a message, medium when it names none. Raises `BadInput` for `field`."""
    if value not in _QUALITIES:
        raise BadInput(field, f"{value} is not a quality")
    return _QUALITIES[value]


_CODECS = {
    common_pb2.VIDEO_CODEC_UNSPECIFIED: Codec.H264,
    common_pb2.VIDEO_CODEC_H264: Codec.H264,
    common_pb2.VIDEO_CODEC_HEVC: Codec.HEVC,
    common_pb2.VIDEO_CODEC_AV1: Codec.AV1,
}


def codec_from_proto(value: common_pb2.VideoCodec.ValueType, field: str) -> Codec:
    """Codec of a message, H.264 when it names none. Raises `BadInput` for `field`."""
    if value not in _CODECS:
        raise BadInput(field, f"{value} is not a codec")
    return _CODECS[value]


_LOWEST = {"brightness": -1, "contrast": -1, "saturation": -1}
_OVER_TIME = ("deflicker", "smoothing")


def enhancement_violations(message: common_pb2.Enhancement, path: str) -> list[Violation]:
    """Figures out of their range."""
    found: list[Violation] = []
    for name in (field.name for field in fields(Adjustment)):
        value, low = getattr(message, name), _LOWEST.get(name, 0)
        if not low <= value <= 1:
            found.append(Violation(f"{path}.{name}", f"{value:g} is not between {low} and 1"))
    return found


def adjustment_from_proto(
    message: common_pb2.Enhancement, path: str, quality: Quality, engine: EngineInfo
) -> Adjustment:
    """What is done to frames of an engine. The automatic part leaves out what the engine cannot have.

    Raises `BadInput`, with a field under `path`, for a figure out of its range, and for what evens out over
    time where an engine's frames around a chunk are not those of its neighbours.
    """
    if wrong := enhancement_violations(message, path):
        raise BadInput(wrong[0].field, wrong[0].description, *wrong[1:])
    base = PRESETS[quality].enhancement if message.automatic else Adjustment()
    if engine.engine_class is not EngineClass.WINDOWED:
        for name in _OVER_TIME:
            if getattr(message, name):
                why = f"the engine {engine.name!r} cannot render the frames around a chunk"
                raise BadInput(f"{path}.{name}", why)
        base = replace(base, deflicker=0.0, smoothing=0.0)
    return Adjustment(
        base.brightness + message.brightness,
        base.contrast + message.contrast,
        base.saturation + message.saturation,
        base.sharpness + message.sharpness,
        min(1.0, base.deflicker + message.deflicker),
        min(1.0, base.smoothing + message.smoothing),
    )
