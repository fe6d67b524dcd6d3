"""What a caller may wish for in a video, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor, isfinite
from typing import get_args

from mouthpiece.choices import ModeName, QualityName
from mouthpiece.core.format import MAX_SIDE, MIN_SIDE
from mouthpiece.core.timeline import MAX_FPS, MIN_FPS
from mouthpiece.errors import BadInput
from mouthpiece.rpc.convert import duration, rational_to_proto
from mouthpiece.v1 import common_pb2, gateway_pb2, tts_pb2

MIN_CHUNK_SECONDS = 0.2
MAX_CHUNK_SECONDS = 600.0
MAX_PROMPT = 2000
MAX_PRIORITY = 86_400

_QUALITIES: dict[str, common_pb2.Quality.ValueType] = {
    "low": common_pb2.QUALITY_LOW,
    "medium": common_pb2.QUALITY_MEDIUM,
    "high": common_pb2.QUALITY_HIGH,
    "ultra": common_pb2.QUALITY_ULTRA,
    "lossless": common_pb2.QUALITY_LOSSLESS,
}
_MODES: dict[str, gateway_pb2.Mode.ValueType] = {
    "auto": gateway_pb2.MODE_AUTO,
    "single": gateway_pb2.MODE_SINGLE,
    "chunked": gateway_pb2.MODE_CHUNKED,
}
_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smh])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_RATE = re.compile(r"(\d{1,9})(?:\.(\d{1,9})|/(\d{1,9}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOptions:
    """How a video is to be made. Every default leaves the choice to the suite.

    Raises `BadInput` at birth, with the name of the option that is wrong.
    """

    voice: str = ""
    """Name from `Client.voices`."""
    language: str = ""
    """BCP 47 tag such as "en" or "ru"."""
    engine: str = ""
    """Name from `Client.engines`."""
    quality: QualityName | None = None
    """Size of the file against its fidelity; "lossless" decodes to the very frames of the engine."""
    mode: ModeName | None = None
    """Whether to cut the work into chunks for several workers."""
    chunk_seconds: float | None = None
    """Wanted length of a chunk, 0.2 to 600 seconds; cuts move to a pause nearby."""
    max_workers: int = 0
    """Most workers to use at a time; 0: as many as pay."""
    fps: Fraction | None = None
    """Frames per second, 5 to 120; see `parse_fps`."""
    width: int = 0
    """Pixels, 64 to 4096, made even; 0: from the other side, or the avatar's own."""
    height: int = 0
    seed: int | None = None
    """Seed of blinks and sway."""
    title: str = ""
    """Title for lists and for the file's metadata."""
    prompt: str = ""
    """What the scene is, in words, for engines that take a prompt; at most 2000 characters."""
    priority: float = 0.0
    """Head start over other jobs in seconds of waiting, -86400 to 86400; negative lets others go first."""
    deadline: datetime | None = None
    """When the video is wanted, with a time zone; see `parse_deadline`."""
    ssml: bool = False
    """Whether the text is an SSML document."""
    pronunciations: Mapping[str, str] = field(default_factory=dict[str, str])
    """What to say for words, wherever they stand in the text."""
    ignore_cache: bool = False
    """Render every chunk anew, even where the same chunk exists already."""
    edit: str = ""
    """Id of an earlier job of whose text this one is an edit: what both have is kept where it was."""

    def __post_init__(self) -> None:
        _check_choice("quality", self.quality, get_args(QualityName))
        _check_choice("mode", self.mode, get_args(ModeName))
        _check_chunk_seconds(self.chunk_seconds)
        _check_size("width", self.width)
        _check_size("height", self.height)
        if len(self.prompt) > MAX_PROMPT:
            raise BadInput("prompt", f"has {len(self.prompt)} characters; at most {MAX_PROMPT} are allowed")
        if self.max_workers < 0:
            raise BadInput("max_workers", f"{self.max_workers} is negative; 0 means as many as pay")
        if not abs(self.priority) <= MAX_PRIORITY:
            raise BadInput("priority", f"{self.priority:g} is not between -{MAX_PRIORITY} and {MAX_PRIORITY}")
        if self.deadline is not None and self.deadline.utcoffset() is None:
            raise BadInput("deadline", "has no time zone")
        if self.fps is not None:
            _check_fps(self.fps)
        if self.seed is not None and not -(1 << 63) <= self.seed < 1 << 63:
            raise BadInput("seed", "does not fit into 64 bits")

    def spec(self, *, text: str = "", audio_sha256: str = "", avatar_sha256: str = "") -> gateway_pb2.JobSpec:
        """The job that these options and the given words or recording describe.

        Raises `BadInput` (field `text`) when there is nothing to be spoken.
        """
        if not audio_sha256 and not text.strip():
            raise BadInput("text", "there is nothing to say: give words or a recording")
        spec = gateway_pb2.JobSpec(
            text=text,
            audio_sha256=audio_sha256,
            avatar_sha256=avatar_sha256,
            voice=self.voice,
            language=self.language,
            engine=self.engine,
            quality=_QUALITIES[self.quality] if self.quality else common_pb2.QUALITY_UNSPECIFIED,
            mode=_MODES[self.mode] if self.mode else gateway_pb2.MODE_UNSPECIFIED,
            max_workers=self.max_workers,
            width=self.width,
            height=self.height,
            seed=self.seed,
            title=self.title,
            prompt=self.prompt,
            priority=self.priority,
            ignore_cache=self.ignore_cache,
            markup=tts_pb2.MARKUP_SSML if self.ssml else tts_pb2.MARKUP_UNSPECIFIED,
            pronunciations=[
                tts_pb2.Pronunciation(word=word, alias=alias) for word, alias in self.pronunciations.items()
            ],
            previous_job_id=self.edit,
        )
        if self.chunk_seconds is not None:
            spec.chunk_length.CopyFrom(duration(self.chunk_seconds))
        if self.deadline is not None:
            spec.deadline.FromDatetime(self.deadline)
        if self.fps is not None:
            spec.fps.CopyFrom(rational_to_proto(self.fps))
        return spec


def parse_deadline(text: str, now: datetime) -> datetime:
    """Read a moment: "90s", "20m" or "2h" from `now`, or ISO 8601; without a zone in that of `now`.

    Raises `BadInput` (field `deadline`).
    """
    if match := _SPAN.fullmatch(text.strip()):
        return now + timedelta(**{_UNITS[match[2]]: float(match[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput("deadline", f"{text!r} is neither a time such as 2026-01-31T18:00 nor 20m") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def parse_fps(text: str) -> Fraction:
    """Read a frame rate: "25", "30000/1001", or a decimal; "29.97" and its like mean n · 1000/1001.

    Raises `BadInput` (field `fps`).
    """
    match = _RATE.fullmatch(text.strip())
    if match is None or (match[3] and int(match[3]) == 0):
        raise BadInput("fps", f"{text!r} is not a frame rate such as 25, 29.97 or 30000/1001")
    if match[3]:
        rate = Fraction(int(match[1]), int(match[3]))
    else:
        rate = _ntsc(Fraction(text.strip()), digits=len(match[2] or ""))
    _check_fps(rate)
    return rate


def _ntsc(rate: Fraction, digits: int) -> Fraction:
    """The NTSC rate (24, 30, 48, 60 or 120 · 1000/1001) that reads the same with as many digits, if any."""
    whole = floor(rate) + 1
    exact = Fraction(whole * 1000, 1001)
    return exact if whole % 6 == 0 and digits >= 2 and round(exact, digits) == rate else rate


def _check_fps(rate: Fraction) -> None:
    if not MIN_FPS <= rate <= MAX_FPS:
        raise BadInput("fps", f"{float(rate):g} is not between {MIN_FPS} and {MAX_FPS}")
    if max(rate.numerator, rate.denominator) >= 1 << 31:
        raise BadInput("fps", f"{rate} has more digits than a frame rate needs")


def _check_choice(field: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise BadInput(field, f"{value!r} is not one of {', '.join(choices)}")


def _check_chunk_seconds(seconds: float | None) -> None:
    if seconds is None:
        return
    if not isfinite(seconds) or not MIN_CHUNK_SECONDS <= seconds <= MAX_CHUNK_SECONDS:
        raise BadInput(
            "chunk_seconds", f"{seconds:g} is not between {MIN_CHUNK_SECONDS} and {MAX_CHUNK_SECONDS:g}"
        )


def _check_size(field: str, pixels: int) -> None:
    if pixels and not MIN_SIDE <= pixels <= MAX_SIDE:
        raise BadInput(field, f"{pixels} pixels is not between {MIN_SIDE} and {MAX_SIDE}")
