"""What each quality word means to the encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil

from mouthpiece.core.timeline import Span

KEYFRAME_SECONDS = 1
"""Time between keyframes: the unit in which players seek and in which segments are cut."""

LONGEST_GOP_SECONDS = Fraction(3, 2)
"""The same at most, where keyframes are wanted at certain frames and the regular ones give way to them."""

SEGMENT_SECONDS = 4
"""Length from which a segment ends at the next keyframe; it may end earlier, with its chunk."""


HEVC_TAG = "hvc1"
"""Says that parameter sets of HEVC stand in the index alone: players of Apple take no others."""


class Quality(StrEnum):
    """How good the picture is, for how many bits and how much computing time."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    ULTRA = "ultra"
    LOSSLESS = "lossless"


class Codec(StrEnum):
    """How pictures are coded, by the names that libavcodec has for it."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"

    @property
    def software(self) -> Encoder:
        """The encoder that needs no GPU."""
        return _SOFTWARE[self]

    @property
    def hardware(self) -> Encoder:
        """The encoder of GPUs."""
        return _HARDWARE[self]


class Encoder(StrEnum):
    """Programs that write video, by the names that libavcodec has for them."""

    NVENC = "h264_nvenc"
    X264 = "libx264"
    HEVC_NVENC = "hevc_nvenc"
    X265 = "libx265"
    AV1_NVENC = "av1_nvenc"
    SVT_AV1 = "libsvtav1"

    @property
    def codec(self) -> Codec:
        """What it writes."""
        return next(codec for codec in Codec if self in (codec.software, codec.hardware))


_SOFTWARE = {Codec.H264: Encoder.X264, Codec.HEVC: Encoder.X265, Codec.AV1: Encoder.SVT_AV1}
_HARDWARE = {Codec.H264: Encoder.NVENC, Codec.HEVC: Encoder.HEVC_NVENC, Codec.AV1: Encoder.AV1_NVENC}


SMOOTHED_FRAMES = 5
"""Frames over which noise is evened out, the one in the middle included."""


@dataclass(frozen=True, slots=True)
class Nvenc:
    """Settings of NVENC: `cq` is its constant quality, `effort` (p1 to p7) how hard it searches."""

    cq: int
    effort: str


@dataclass(frozen=True, slots=True)
class Constant:
    """Settings of libx265 or SVT-AV1: constant quality, on a scale of each, and the name of a preset."""

    crf: int
    speed: str


@dataclass(frozen=True, slots=True)
class Adjustment:
    """How to change a picture; 0 leaves it as it is.

    `brightness`, `contrast` and `saturation` go from -1 to 1: by that part of the whole range, and by that
    part more or less. `sharpness` goes from 0 to 1, and so do `deflicker` (brightness evened out over time)
    and `smoothing` (noise evened out over time), for which a frame depends on some `before` and `after` it.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    sharpness: float = 0.0
    deflicker: float = 0.0
    smoothing: float = 0.0

    @property
    def flicker_frames(self) -> int:
        """Frames, from one on, over which brightness is evened out."""
        return 1 + round(8 * self.deflicker)

    @property
    def before(self) -> int:
        """Frames before a frame that it depends on."""
        return SMOOTHED_FRAMES // 2 if self.smoothing else 0

    @property
    def after(self) -> int:
        """Frames after a frame that it depends on."""
        return self.flicker_frames - 1 + (SMOOTHED_FRAMES // 2 if self.smoothing else 0)

    def around(self, frames: Span) -> Span:
        """All that some frames depend on; may reach beyond the end of a job."""
        return Span(max(0, frames.first - self.before), frames.end + self.after)


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of libx264 and of the other encoders that have the quality, and what enhancing means.

    ``profile`` is what a decoder must know. ``speed`` is x264's preset, which decides how hard the encoder
    searches. Either ``crf`` (constant quality; 6 more halve the bits) or ``qp`` (constant quantiser) is set.
    ``nvenc`` goes for H.264 and HEVC; AV1 has a scale of its own.
    """

    profile: str
    speed: str
    crf: int | None = None
    qp: int | None = None
    nvenc: Nvenc | None = None
    x265: Constant | None = None
    svt_av1: Constant | None = None
    av1_nvenc: Nvenc | None = None
    enhancement: Adjustment = Adjustment(
        contrast=0.06, saturation=0.08, sharpness=0.5, deflicker=0.5, smoothing=0.5
    )


# Neighbours of a chunk are rendered twice for what evens out over time, which the lower qualities do without.
# What is sharper takes more bits, which the lower qualities do not have.
_SOFT = Adjustment(contrast=0.06, saturation=0.08)
_FAIR = Adjustment(contrast=0.06, saturation=0.08, sharpness=0.3)

PRESETS: Mapping[Quality, Preset] = {
    # On talking heads superfast, the next step down, takes over twice the bits for the same picture, and each
    # step up doubles the time or nearly so. Figures of the other codecs give about the same SSIM.
    # SVT-AV1's presets above 8 spoil single frames where brightness changes.
    Quality.LOW: Preset(
        "high",
        "veryfast",
        crf=27,
        nvenc=Nvenc(32, "p3"),
        x265=Constant(30, "veryfast"),
        svt_av1=Constant(50, "8"),
        av1_nvenc=Nvenc(40, "p3"),
        enhancement=_SOFT,
    ),
    Quality.MEDIUM: Preset(
        "high",
        "veryfast",
        crf=21,
        nvenc=Nvenc(26, "p4"),
        x265=Constant(22, "veryfast"),
        svt_av1=Constant(33, "8"),
        av1_nvenc=Nvenc(32, "p4"),
        enhancement=_FAIR,
    ),
    Quality.HIGH: Preset(
        "high",
        "faster",
        crf=18,
        nvenc=Nvenc(22, "p5"),
        x265=Constant(16, "veryfast"),
        svt_av1=Constant(10, "8"),
        av1_nvenc=Nvenc(27, "p5"),
    ),
    Quality.ULTRA: Preset(
        "high",
        "fast",
        crf=14,
        nvenc=Nvenc(18, "p6"),
        x265=Constant(11, "veryfast"),
        svt_av1=Constant(4, "8"),
        av1_nvenc=Nvenc(22, "p6"),
    ),
    # Only profile High 4:4:4 Predictive has lossless coding, for 4:2:0 too. Browsers may not play it.
    Quality.LOSSLESS: Preset("high444", "superfast", qp=0),
}


_LEAST_NVENC_SIDE = 160
"""NVENC refuses pictures below 145 pixels in width, in H.264."""


def fits(encoder: Encoder, quality: Quality, width: int, height: int) -> bool:
    """Whether an encoder can write pictures of a size at a quality."""
    if _own_options(encoder, PRESETS[quality]) is None:
        return False
    return encoder is encoder.codec.software or min(width, height) >= _LEAST_NVENC_SIDE


def encoder_options(
    encoder: Encoder, quality: Quality, fps: Fraction, apart: Fraction = Fraction(KEYFRAME_SECONDS)
) -> dict[str, str]:
    """Options of an encoder under which any two of its chunks of a job can share a track.

    ``apart`` is the time between keyframes in seconds, beside those that are asked for. Raises `ValueError`
    for an encoder that does not have the quality.
    """
    preset = PRESETS[quality]
    # A frame that must be a keyframe is to be one at which decoding may begin.
    common = {"g": str(gop_frames(apart, fps)), "forced-idr": "1"}
    own = _own_options(encoder, preset)
    if own is None:
        raise ValueError(f"{encoder} does not have quality {quality}")
    return {**common, **own}


def _own_options(encoder: Encoder, preset: Preset) -> dict[str, str] | None:
    """What is an encoder's own; `None` when it does not have the quality."""
    match encoder:
        case Encoder.X264:
            return x264_options(preset)
        case Encoder.X265:
            return x265_options(preset.x265) if preset.x265 else None
        case Encoder.SVT_AV1:
            return svt_av1_options(preset.svt_av1) if preset.svt_av1 else None
        case Encoder.AV1_NVENC:
            return nvenc_options(preset.av1_nvenc) if preset.av1_nvenc else None
        case Encoder.HEVC_NVENC:
            return {"profile": "main", **nvenc_options(preset.nvenc)} if preset.nvenc else None
        case Encoder.NVENC:
            return {"profile": preset.profile, **nvenc_options(preset.nvenc)} if preset.nvenc else None


def gop_frames(apart: Fraction, fps: Fraction) -> int:
    """Frames from one keyframe to the next."""
    return max(1, round(apart * fps))


def keyframes_with(wanted: Iterable[int], fps: Fraction) -> frozenset[int]:
    """Keyframes of a chunk, behind its first frame, that has some at certain frames; up to the last of these.

    There are as few as the longest GOP allows, evenly spread between those that are wanted. They depend on
    nothing but these, counted from the chunk's first frame.
    """
    longest = gop_frames(LONGEST_GOP_SECONDS, fps)
    found, last = set[int](), 0
    for frame in sorted(wanted):
        groups = ceil((frame - last) / longest)
        found |= {last + (frame - last) * number // groups for number in range(1, groups + 1)}
        last = frame
    return frozenset(found)


def nvenc_options(settings: Nvenc) -> dict[str, str]:
    """What is NVENC's own; between its keyframes, which are all IDRs, GOPs are closed."""
    return {
        "preset": settings.effort,
        "tune": "hq",
        "rc": "vbr",
        "cq": str(settings.cq),
        "no-scenecut": "1",  # no keyframes at scene changes: they come at known frames only
        "strict_gop": "1",
        # Not every generation has B-frames as references, and headers must not depend on the card.
        "b_ref_mode": "disabled",
    }


def x264_options(preset: Preset) -> dict[str, str]:
    """What is libx264's own."""
    rate_control = {"qp": str(preset.qp)} if preset.crf is None else {"crf": str(preset.crf)}
    return {
        "preset": preset.speed,
        "profile": preset.profile,
        **rate_control,
        "sc_threshold": "0",  # no keyframes at scene changes: they come at known frames only
        "x264-params": ":".join(_X264_PARAMS),
    }


def x265_options(settings: Constant) -> dict[str, str]:
    """What is libx265's own."""
    return {
        "preset": settings.speed,
        "profile": "main",
        "crf": str(settings.crf),
        "x265-params": ":".join(_X265_PARAMS),
    }


def svt_av1_options(settings: Constant) -> dict[str, str]:
    """What is SVT-AV1's own."""
    return {
        "preset": settings.speed,
        "crf": str(settings.crf),
        "svtav1-params": ":".join(_SVT_AV1_PARAMS),
    }


_X265_PARAMS = (
    "open-gop=0",
    "scenecut=0",  # keyframes come at known frames only
    "pools=none",  # a slot is one core's work
    "frame-threads=1",  # frames that are coded at the same time are coded otherwise than one by one
    "info=0",  # no message in the stream that tells the settings
    "log-level=error",
)
_SVT_AV1_PARAMS = (
    "scd=0",  # keyframes come at known frames only
    "irefresh-type=2",  # and all begin closed GOPs
    "lp=1",  # a slot is one core's work
)

_X264_PARAMS = (
    "open-gop=0",  # nothing refers back across a keyframe: packets of chunks can stand side by side
    "force-cfr=1",  # the stream itself says that its frame rate is fixed
    "stitchable=1",  # headers depend on the settings alone, not on what a chunk holds
)
