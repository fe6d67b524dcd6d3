"""What each quality word means to the encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

KEYFRAME_SECONDS = 1
"""Time between keyframes: the unit in which players seek and in which segments are cut."""

SEGMENT_SECONDS = 4
"""Length from which a segment ends at the next keyframe; it may end earlier, with its chunk."""


class Quality(StrEnum):
    """How good the picture is, for how many bits and how much computing time."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    ULTRA = "ultra"
    LOSSLESS = "lossless"


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of libx264.

    ``profile`` is what a decoder must know. ``speed`` is x264's preset, which decides how hard the encoder
    searches. Either ``crf`` (constant quality; 6 more halve the bits) or ``qp`` (constant quantiser) is set.
    """

    profile: str
    speed: str
    crf: int | None = None
    qp: int | None = None


PRESETS: Mapping[Quality, Preset] = {
    # On talking heads superfast, the next step down, takes over twice the bits for the same picture, and each
    # step up doubles the time or nearly so.
    Quality.LOW: Preset("high", "veryfast", crf=27),
    Quality.MEDIUM: Preset("high", "veryfast", crf=21),
    Quality.HIGH: Preset("high", "faster", crf=18),
    Quality.ULTRA: Preset("high", "fast", crf=14),
    # Only profile High 4:4:4 Predictive has lossless coding, for 4:2:0 too. Browsers may not play it.
    Quality.LOSSLESS: Preset("high444", "superfast", qp=0),
}


def x264_options(preset: Preset, fps: Fraction) -> dict[str, str]:
    """Options of libx264 under which any two chunks of a job can share a track."""
    keyint = max(1, round(KEYFRAME_SECONDS * fps))
    rate_control = {"qp": str(preset.qp)} if preset.crf is None else {"crf": str(preset.crf)}
    return {
        "preset": preset.speed,
        "profile": preset.profile,
        **rate_control,
        "g": str(keyint),
        "sc_threshold": "0",  # no keyframes at scene changes: they come at known frames only
        "x264-params": ":".join(_X264_PARAMS),
    }


_X264_PARAMS = (
    "open-gop=0",  # nothing refers back across a keyframe: packets of chunks can stand side by side
    "force-cfr=1",  # the stream itself says that its frame rate is fixed
    "stitchable=1",  # headers depend on the settings alone, not on what a chunk holds
)
