"""What a caller may wish for in a video, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from math import floor, isfinite
from typing import get_args

from mouthpiece.choices import CodecName, CornerName, FallbackName, LoudnessName, ModeName, QualityName
from mouthpiece.core.format import MAX_SIDE, MIN_SIDE
from mouthpiece.core.timeline import MAX_FPS, MIN_FPS
from mouthpiece.errors import BadInput
from mouthpiece.rpc.convert import duration, rational_to_proto
from mouthpiece.rpc.label import CORNERS
from mouthpiece.rpc.quality import enhancement_violations
from mouthpiece.v1 import common_pb2, gateway_pb2, tts_pb2

MIN_CHUNK_SECONDS = 0.2
MAX_CHUNK_SECONDS = 600.0
MAX_PROMPT = 2000
MAX_PRIORITY = 86_400
MIN_RATE, MAX_RATE = 0.5, 2.0
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.1, 60.0
MAX_CROSSFADE_SECONDS = 1.0
MIN_OPACITY = 0.01

_QUALITIES: dict[str, common_pb2.Quality.ValueType] = {
    "low": common_pb2.QUALITY_LOW,
    "medium": common_pb2.QUALITY_MEDIUM,
    "high": common_pb2.QUALITY_HIGH,
    "ultra": common_pb2.QUALITY_ULTRA,
    "lossless": common_pb2.QUALITY_LOSSLESS,
}
_CODECS: dict[str | None, common_pb2.VideoCodec.ValueType] = {
    None: common_pb2.VIDEO_CODEC_UNSPECIFIED,
    "h264": common_pb2.VIDEO_CODEC_H264,
    "hevc": common_pb2.VIDEO_CODEC_HEVC,
    "av1": common_pb2.VIDEO_CODEC_AV1,
}
_MODES: dict[str, gateway_pb2.Mode.ValueType] = {
    "auto": gateway_pb2.MODE_AUTO,
    "single": gateway_pb2.MODE_SINGLE,
    "chunked": gateway_pb2.MODE_CHUNKED,
}
_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smh])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_FALLBACKS: dict[str | None, tts_pb2.VoiceFallback.ValueType] = {
    None: tts_pb2.VOICE_FALLBACK_UNSPECIFIED,
    "engine": tts_pb2.VOICE_FALLBACK_NEXT_ENGINE,
    "reference": tts_pb2.VOICE_FALLBACK_REFERENCE,
    "none": tts_pb2.VOICE_FALLBACK_NONE,
}
_LOUDNESSES: dict[str | None, tts_pb2.Loudness.ValueType] = {
    None: tts_pb2.LOUDNESS_UNSPECIFIED,
    "normalize": tts_pb2.LOUDNESS_NORMALIZE,
    "keep": tts_pb2.LOUDNESS_KEEP,
}
_COLOR = re.compile("#[0-9a-fA-F]{6}")
_RATE = re.compile(r"(\d{1,9})(?:\.(\d{1,9})|/(\d{1,9}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOptions:
    """How a video is to be made. Every default leaves the choice to the suite.

    Raises `BadInput` at birth, with the name of the option that is wrong.
    """

    voice: str = ""
    """Name from `Client.voices`."""
    voice_reference: str = ""
    """File with the voice to speak in, any audio or video with sound; "avatar": the avatar video's own."""
    voice_fallback: FallbackName | None = None
    """What may speak when the voice fails: the next engine (as by default), the reference itself, nothing."""
    speaking_rate: float | None = None
    """Speed of speech, 0.5 to 2; 1 is the voice's own."""
    loudness: LoudnessName | None = None
    """Bring speech to -16 LUFS ("normalize": what is done to text) or leave it ("keep": to recordings)."""
    denoise: bool = False
    """Weaken steady noise in the recording, or in the voice reference."""
    longest_pause: float | None = None
    """Cut longer pauses of a recording to so many seconds, 0.1 to 60."""
    language: str = ""
    """BCP 47 tag such as "en" or "ru"."""
    engine: str = ""
    """Name from `Client.engines`."""
    quality: QualityName | None = None
    """Size of the file against its fidelity; "lossless" decodes to the very frames of the engine."""
    codec: CodecName | None = None
    """How pictures are coded; None: h264, which everything plays."""
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
    crossfade: float | None = None
    """Seconds, at most 1, over which chunks of a chained engine are blended, so that they can be rendered at
    the same time; needs mode "chunked" and `chunk_seconds` at least twice as long. Makes it approximate."""
    prompt: str = ""
    """What the scene is, in words, for engines that take a prompt; at most 2000 characters."""
    enhance: bool = False
    """Improve contrast, colours and sharpness and even out flicker, as suits the quality."""
    brightness: float = 0.0
    """Part of the range between black and white that is added, -1 to 1; comes on top, as the next five."""
    contrast: float = 0.0
    """By which part more or less of it, -1 to 1."""
    saturation: float = 0.0
    """By which part more or less of it, -1 to 1."""
    sharpness: float = 0.0
    """How much more of it, 0 to 1."""
    deflicker: float = 0.0
    """How far brightness that jumps from frame to frame is evened out, 0 to 1; this and the next need an
    engine of class WINDOWED."""
    smoothing: float = 0.0
    """How far noise that changes from frame to frame is evened out, 0 to 1."""
    background: str = ""
    """What replaces the green or blue screen behind the avatar: a colour, "#rrggbb", or a picture's file."""
    priority: float = 0.0
    """Head start over other jobs in seconds of waiting, -86400 to 86400; negative lets others go first."""
    deadline: datetime | None = None
    """When the video is wanted, with a time zone; see `parse_deadline`."""
    ssml: bool = False
    """Whether the text is an SSML document."""
    pronunciations: Mapping[str, str] = field(default_factory=dict[str, str])
    """What to say for words, wherever they stand in the text; between slashes, sounds: "/ŋuˈjɛn/"."""
    ignore_cache: bool = False
    """Render every chunk anew, even where the same chunk exists already."""
    captions: bool = False
    """Make captions: a track in the video, and WebVTT and SRT files to be fetched with `Client.download`."""
    optimize_streaming: bool = False
    """Write fragmented MP4: a player that fetches it bit by bit can show what has arrived."""
    edit: str = ""
    """Id of an earlier job of whose text this one is an edit: what both have is kept where it was."""
    callback: str = ""
    """URL that the gateway tells when the job has ended, and"""
    callback_secret: str = ""
    """the name of the gateway's secret to sign that with; "": it is not signed."""

    consent: str = ""
    """Where it is kept that whoever is heard or seen has agreed, at most 200 characters; kept in the record
    of what made the video. Gateways may ask for it where a voice is imitated or a face is given."""
    label: str = ""
    """Words drawn on every frame, such as "AI generated", at most 64 characters; "": as the gateway likes."""
    label_corner: CornerName | None = None
    """Where they stand; None: bottom right."""
    label_opacity: float | None = None
    """How opaque they are, above 0 and up to 1; None: 0.85."""

    def __post_init__(self) -> None:
        _check_choice("quality", self.quality, get_args(QualityName))
        _check_choice("codec", self.codec, get_args(CodecName))
        _check_choice("mode", self.mode, get_args(ModeName))
        _check_choice("voice_fallback", self.voice_fallback, get_args(FallbackName))
        _check_choice("loudness", self.loudness, get_args(LoudnessName))
        _check_range("speaking_rate", self.speaking_rate, MIN_RATE, MAX_RATE)
        _check_range("longest_pause", self.longest_pause, MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS)
        _check_chunk_seconds(self.chunk_seconds)
        _check_crossfade(self.crossfade, self.mode, self.chunk_seconds)
        for wrong in enhancement_violations(self._enhancement(), ""):
            raise BadInput(wrong.field.removeprefix("."), wrong.description)
        _check_choice("label_corner", self.label_corner, get_args(CornerName))
        _check_range("label_opacity", self.label_opacity, MIN_OPACITY, 1)
        _check_size("width", self.width)
        _check_size("height", self.height)
        if len(self.prompt) > MAX_PROMPT:
            raise BadInput("prompt", f"has {len(self.prompt)} characters; at most {MAX_PROMPT} are allowed")
        if self.background.startswith("#") and not _COLOR.fullmatch(self.background):
            raise BadInput(
                "background", f"{self.background!r} is neither a colour such as #20304a nor a file"
            )
        if self.callback_secret and not self.callback:
            raise BadInput("callback_secret", "is of use with a callback only")
        if not self.label and (self.label_corner or self.label_opacity):
            raise BadInput("label", "is missing: there is nothing to be drawn")
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

    def spec(
        self,
        *,
        text: str = "",
        audio_sha256: str = "",
        avatar_sha256: str = "",
        voice_reference_sha256: str = "",
        background_sha256: str = "",
    ) -> gateway_pb2.JobSpec:
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
            voice_reference_sha256=voice_reference_sha256,
            voice_fallback=_FALLBACKS[self.voice_fallback],
            speaking_rate=self.speaking_rate or 0.0,
            language=self.language,
            engine=self.engine,
            quality=_QUALITIES[self.quality] if self.quality else common_pb2.QUALITY_UNSPECIFIED,
            codec=_CODECS[self.codec],
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
            pronunciations=[pronunciation(word, said) for word, said in self.pronunciations.items()],
            previous_job_id=self.edit,
            captions=self.captions,
            optimize_streaming=self.optimize_streaming,
            consent_reference=self.consent,
        )
        if self.label:
            spec.label.CopyFrom(self._label())
        if self.callback:
            spec.callback.CopyFrom(gateway_pb2.Callback(url=self.callback, secret=self.callback_secret))
        enhancement = self._enhancement()
        if enhancement != common_pb2.Enhancement():
            spec.enhancement.CopyFrom(enhancement)
        if self.background.startswith("#"):
            spec.background.color = self.background
        elif background_sha256:
            spec.background.picture_sha256 = background_sha256
        sound = self._sound()
        if sound != tts_pb2.SoundOptions():
            spec.sound.CopyFrom(sound)
        if self.chunk_seconds is not None:
            spec.chunk_length.CopyFrom(duration(self.chunk_seconds))
        if self.deadline is not None:
            spec.deadline.FromDatetime(self.deadline)
        if self.crossfade is not None:
            spec.crossfade.CopyFrom(duration(self.crossfade))
        if self.fps is not None:
            spec.fps.CopyFrom(rational_to_proto(self.fps))
        return spec

    def _enhancement(self) -> common_pb2.Enhancement:
        return common_pb2.Enhancement(
            automatic=self.enhance,
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            sharpness=self.sharpness,
            deflicker=self.deflicker,
            smoothing=self.smoothing,
        )

    def _label(self) -> common_pb2.Label:
        corner = CORNERS[self.label_corner] if self.label_corner else common_pb2.CORNER_UNSPECIFIED
        return common_pb2.Label(text=self.label, corner=corner, opacity=self.label_opacity or 0.0)

    def _sound(self) -> tts_pb2.SoundOptions:
        sound = tts_pb2.SoundOptions(loudness=_LOUDNESSES[self.loudness], denoise=self.denoise)
        if self.longest_pause is not None:
            sound.longest_pause.CopyFrom(duration(self.longest_pause))
        return sound


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


def _check_range(field: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise BadInput(field, f"{value:g} is not between {low:g} and {high:g}")


def _check_crossfade(seconds: float | None, mode: ModeName | None, chunk_seconds: float | None) -> None:
    if seconds is None:
        return
    if not 0 < seconds <= MAX_CROSSFADE_SECONDS:
        raise BadInput("crossfade", f"{seconds:g} is not more than 0 and at most {MAX_CROSSFADE_SECONDS:g}")
    if mode != "chunked" or (chunk_seconds or 0) < 2 * seconds:
        raise BadInput("crossfade", "needs mode chunked and chunks at least twice as long")


def _check_size(field: str, pixels: int) -> None:
    if pixels and not MIN_SIDE <= pixels <= MAX_SIDE:
        raise BadInput(field, f"{pixels} pixels is not between {MIN_SIDE} and {MAX_SIDE}")


def pronunciation(word: str, said: str) -> tts_pb2.Pronunciation:
    """An entry of a dictionary: what to say for a word, or how it sounds, in IPA between slashes."""
    if len(said) > 2 and said[0] == said[-1] == "/":
        return tts_pb2.Pronunciation(word=word, ipa=said[1:-1])
    return tts_pb2.Pronunciation(word=word, alias=said)
