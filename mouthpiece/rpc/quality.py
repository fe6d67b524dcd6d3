"""Qualities as messages name them."""

from __future__ import annotations

from mouthpiece.errors import BadInput
from mouthpiece.media.quality import Quality
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
