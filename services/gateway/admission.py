"""Can a spec be done? Everything that can be known to be wrong is found here, before acceptance."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from mouthpiece.artifacts import ArtifactStore, check_sha256
from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.core.format import MAX_SIDE, MIN_SIDE, choose_fps, choose_size
from mouthpiece.core.timeline import MAX_FPS, MIN_FPS, Span
from mouthpiece.errors import BadInput, MouthpieceError, NotFound, Reason, Unavailable, Unmet, Violation
from mouthpiece.media.quality import Codec, Encoder, fits
from mouthpiece.rpc import tracing
from mouthpiece.rpc.convert import rational_to_proto, unix
from mouthpiece.rpc.convert import seconds as seconds_of
from mouthpiece.rpc.quality import (
    adjustment_from_proto,
    codec_from_proto,
    enhancement_violations,
    quality_from_proto,
)
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.v1 import common_pb2, tts_pb2
from mouthpiece.v1.common_pb2 import Quality, VideoCodec, VideoFormat
from mouthpiece.v1.gateway_pb2 import JobSpec, Mode
from mouthpiece.v1.lipsync_pb2 import AVATAR_KIND_PORTRAIT, AvatarInfo, InspectAvatarRequest
from services.gateway.callbacks import CallbackPolicy
from services.gateway.fleet import Fleet
from services.gateway.house import HouseRules, check_marks
from services.gateway.store import JobStore
from services.gateway.uploads import has_asset

if TYPE_CHECKING:
    from mouthpiece.v1.tts_pb2_grpc import SpeechServiceAsyncStub

DEFAULT_ENGINE = "viseme"
CHECK_SECONDS = 120.0
"""Longest wait for another service's look at the input."""

MAX_PRIORITY = 86_400
URGENT_SECONDS = 3600.0
"""How long before its deadline a job begins to go before others."""

MIN_CHUNK_SECONDS = 0.2
MAX_CHUNK_SECONDS = 600.0

MAX_PROMPT = 2000
MAX_CROSSFADE_SECONDS = 1.0
APPROXIMATE = "chunks are rendered independently and blended: near cuts the video is approximate"

_FIELDS = {
    "text": "spec.text",
    "voice": "spec.voice",
    "language": "spec.language",
    "audio": "spec.audio_sha256",
    "transcript": "spec.text",
    "markup": "spec.markup",
    "pronunciations": "spec.pronunciations",
    "voice_reference": "spec.voice_reference_sha256",
    "voice_fallback": "spec.voice_fallback",
    "speaking_rate": "spec.speaking_rate",
    "sound.loudness": "spec.sound.loudness",
    "sound.longest_pause": "spec.sound.longest_pause",
    "avatar": "spec.avatar_sha256",
    "background": "spec.background",
    "background.color": "spec.background.color",
    "label.text": "spec.label.text",
}
"""Fields of the inner services' requests, by the field of ours that they come from."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A spec that was found good, with everything that it left open."""

    format: VideoFormat
    engine: EngineInfo
    avatar: AvatarInfo
    outline: tts_pb2.SpeechOutline
    seed: int
    encoder: Encoder
    label: common_pb2.Label | None
    """What is drawn on every frame."""

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return _fraction(self.format.fps)


def check_spec(spec: JobSpec, max_text: int) -> None:
    """Raise `BadInput` with every field that is wrong in itself."""
    found = [
        *_check_speech(spec, max_text),
        *_check_picture(spec),
        *_check_retouching(spec),
        *_check_chunking(spec),
        *_check_scene(spec),
        *_check_urgency(spec, time.time()),
        *_check_fade(spec),
        *check_marks(spec),
    ]
    if found:
        raise BadInput(found[0].field, found[0].description, *found[1:])


def _check_speech(spec: JobSpec, max_text: int) -> list[Violation]:
    if not spec.audio_sha256 and not spec.text.strip():
        return [Violation("spec.text", "is empty: give text to speak, or a recording in audio_sha256")]
    if len(spec.text) > max_text:
        return [Violation("spec.text", f"has {len(spec.text)} characters; at most {max_text} are allowed")]
    if spec.audio_sha256 and spec.previous_job_id:
        return [Violation("spec.previous_job_id", "only a text can be an edit of an earlier job's")]
    found = _check_hash("spec.audio_sha256", spec.audio_sha256)
    return [*found, *_check_hash("spec.voice_reference_sha256", spec.voice_reference_sha256)]


def _check_picture(spec: JobSpec) -> list[Violation]:
    found = _check_hash("spec.avatar_sha256", spec.avatar_sha256)
    for name, side in (("width", spec.width), ("height", spec.height)):
        if side and not MIN_SIDE <= side <= MAX_SIDE:
            found.append(Violation(f"spec.{name}", f"{side} is not between {MIN_SIDE} and {MAX_SIDE} pixels"))
    if spec.quality not in Quality.values():
        found.append(Violation("spec.quality", f"{spec.quality} is not a quality"))
    if spec.codec not in VideoCodec.values():
        found.append(Violation("spec.codec", f"{spec.codec} is not a codec"))
    if spec.HasField("fps"):
        bottom = spec.fps.denominator
        if bottom < 1 or not MIN_FPS <= Fraction(spec.fps.numerator, bottom) <= MAX_FPS:
            wrong = f"{spec.fps.numerator}/{bottom} is not between {MIN_FPS} and {MAX_FPS} frames per second"
            found.append(Violation("spec.fps", wrong))
    return found


def _check_retouching(spec: JobSpec) -> list[Violation]:
    found = _check_hash("spec.background.picture_sha256", spec.background.picture_sha256)
    return found + enhancement_violations(spec.enhancement, "spec.enhancement")


def _check_chunking(spec: JobSpec) -> list[Violation]:
    found: list[Violation] = []
    if spec.mode not in Mode.values():
        found.append(Violation("spec.mode", f"{spec.mode} is not a mode"))
    if spec.max_workers < 0:
        found.append(Violation("spec.max_workers", "is negative"))
    if spec.HasField("chunk_length"):
        length = seconds_of(spec.chunk_length)
        if not MIN_CHUNK_SECONDS <= length <= MAX_CHUNK_SECONDS:
            wrong = f"{length:g} s is not between {MIN_CHUNK_SECONDS} and {MAX_CHUNK_SECONDS:g} s"
            found.append(Violation("spec.chunk_length", wrong))
    return found


def _check_scene(spec: JobSpec) -> list[Violation]:
    if len(spec.prompt) > MAX_PROMPT:
        return [
            Violation("spec.prompt", f"has {len(spec.prompt)} characters; at most {MAX_PROMPT} are allowed")
        ]
    return []


def _check_urgency(spec: JobSpec, now: float) -> list[Violation]:
    found: list[Violation] = []
    if not abs(spec.priority) <= MAX_PRIORITY:
        found.append(Violation("spec.priority", f"is not between -{MAX_PRIORITY} and {MAX_PRIORITY} seconds"))
    if spec.HasField("deadline"):
        found += [Violation("spec.deadline", wrong) for wrong in _check_moment(spec.deadline, now)]
    return found


def _check_moment(moment: Timestamp, now: float) -> Iterator[str]:
    try:
        if unix(moment) <= now:
            yield "is over"
    except ValueError:
        yield "is not a moment from year 1 to 9999"


def head_start(spec: JobSpec, created: float) -> float:
    """Seconds that a job created at a moment (since 1970) counts as having waited before it."""
    if not spec.HasField("deadline"):
        return spec.priority
    due = unix(spec.deadline)
    return spec.priority + max(0.0, URGENT_SECONDS - (due - created))


def _check_fade(spec: JobSpec) -> list[Violation]:
    if not spec.HasField("crossfade"):
        return []
    fade, length = seconds_of(spec.crossfade), seconds_of(spec.chunk_length)
    if not 0 < fade <= MAX_CROSSFADE_SECONDS:
        wrong = f"{fade:g} s is not more than 0 and at most {MAX_CROSSFADE_SECONDS:g} s"
        return [Violation("spec.crossfade", wrong)]
    if spec.mode != Mode.MODE_CHUNKED or length < 2 * fade:
        return [Violation("spec.crossfade", "needs mode CHUNKED and chunks at least twice as long")]
    return []


def _check_hash(field: str, sha256: str) -> list[Violation]:
    if not sha256:
        return []
    try:
        check_sha256(sha256, field)
    except BadInput as error:
        return list(error.violations)
    return []


class Admission:
    """Checks specs against the services that would carry them out."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        store: JobStore,
        fleet: Fleet,
        speech: SpeechServiceAsyncStub,
        max_text: int,
        callbacks: CallbackPolicy,
        house: HouseRules,
    ) -> None:
        self._artifacts = artifacts
        self._store = store
        self._fleet = fleet
        self._speech = speech
        self._max_text = max_text
        self._callbacks = callbacks
        self._house = house

    async def admit(self, spec: JobSpec) -> Admitted:
        """Check a spec and spell out what it leaves open. Raises the error that SubmitJob answers with."""
        check_spec(spec, self._max_text)
        self._callbacks.check(spec)
        self._house.check(spec)
        engine = self._engine(spec)
        await self._check_assets(spec)
        avatar, outline = await asyncio.gather(self._avatar(spec, engine), self._outline(spec))
        _check_inputs(engine, avatar)
        _check_engine(engine, spec)
        form = _format(spec, avatar)
        encoder = choose_encoder(spec, form, self._fleet.encoders(engine))
        label = self._house.fitting_label(spec, form)
        return Admitted(form, engine, avatar, outline, _seed(spec), encoder, label)

    def _engine(self, spec: JobSpec) -> EngineInfo:
        engines = self._fleet.engines()
        name = spec.engine or DEFAULT_ENGINE
        if name not in engines and (absence := self._fleet.absence(name)):
            raise absence
        if not engines:
            raise Unavailable("no lip-sync worker is up", 2.0)
        if name not in engines:
            raise BadInput("spec.engine", f"no worker has {name!r}; there is {', '.join(sorted(engines))}")
        return engines[name]

    async def _check_assets(self, spec: JobSpec) -> None:
        for field in ("audio_sha256", "avatar_sha256", "voice_reference_sha256"):
            sha256 = getattr(spec, field)
            if sha256 and not await has_asset(self._artifacts, self._store, sha256):
                raise BadInput(f"spec.{field}", "no such asset: upload it first")
        picture = spec.background.picture_sha256
        if picture and not await has_asset(self._artifacts, self._store, picture):
            raise BadInput("spec.background.picture_sha256", "no such asset: upload it first")

    async def _avatar(self, spec: JobSpec, engine: EngineInfo) -> AvatarInfo:
        stub = self._fleet.stub_with(engine)
        behind = spec.background if spec.HasField("background") else None
        label = self._house.label_of(spec)
        request = InspectAvatarRequest(avatar_sha256=spec.avatar_sha256, background=behind, label=label)
        try:
            told = tracing.metadata()
            return (await stub.InspectAvatar(request, timeout=CHECK_SECONDS, metadata=told)).info
        except grpc.aio.AioRpcError as error:
            raise _as_ours(from_rpc_error(error)) from None

    async def _outline(self, spec: JobSpec) -> tts_pb2.SpeechOutline:
        call = start_speech(self._speech, spec)
        try:
            async for message in call:
                return message.outline
        except grpc.aio.AioRpcError as error:
            raise _as_ours(from_rpc_error(error)) from None
        finally:
            call.cancel()
        raise MouthpieceError("the speech service sent no outline")


SpeechCall = (
    grpc.aio.UnaryStreamCall[tts_pb2.SynthesizeRequest, tts_pb2.SynthesizeResponse]
    | grpc.aio.UnaryStreamCall[tts_pb2.ImportSpeechRequest, tts_pb2.ImportSpeechResponse]
)


def start_speech(stub: SpeechServiceAsyncStub, spec: JobSpec, *, sentences: Span | None = None) -> SpeechCall:
    """Ask for some sentences of a spec's text, or all of its recording; without any, for the outline only.

    The caller cancels the call.
    """
    check_only = sentences is None
    limit = CHECK_SECONDS if check_only else None
    if spec.audio_sha256:
        return stub.ImportSpeech(
            tts_pb2.ImportSpeechRequest(
                audio_sha256=spec.audio_sha256,
                transcript=spec.text,
                pronunciations=spec.pronunciations,
                language=spec.language,
                check_only=check_only,
                sound=spec.sound,
            ),
            timeout=limit,
            metadata=tracing.metadata(),
        )
    return stub.Synthesize(
        tts_pb2.SynthesizeRequest(
            text=spec.text,
            language=spec.language,
            voice=spec.voice,
            markup=spec.markup,
            pronunciations=spec.pronunciations,
            voice_reference_sha256=spec.voice_reference_sha256,
            voice_fallback=spec.voice_fallback,
            speaking_rate=spec.speaking_rate,
            sound=spec.sound,
            check_only=check_only,
            first_sentence=sentences.first if sentences else 0,
            end_sentence=sentences.end if sentences else 0,
        ),
        timeout=limit,
        metadata=tracing.metadata(),
    )


def _as_ours(error: MouthpieceError) -> MouthpieceError:
    """An inner service's error with the fields of our own request."""
    match error:
        case BadInput():
            return error.renamed(_FIELDS)
        case NotFound():
            return BadInput("spec", error.message)
        case _:
            return error


def _check_inputs(engine: EngineInfo, avatar: AvatarInfo) -> None:
    portrait = avatar.kind == AVATAR_KIND_PORTRAIT
    if not (engine.takes_portrait if portrait else engine.takes_video):
        kind = "pictures" if portrait else "videos"
        raise BadInput("spec.avatar_sha256", f"the engine {engine.name!r} does not take {kind}")


def _check_engine(engine: EngineInfo, spec: JobSpec) -> None:
    quality = quality_from_proto(spec.quality, "spec.quality")
    adjustment_from_proto(spec.enhancement, "spec.enhancement", quality, engine)
    if spec.prompt and not engine.takes_prompt:
        raise BadInput("spec.prompt", f"the engine {engine.name!r} takes no prompt")
    if spec.HasField("crossfade") and engine.engine_class is not EngineClass.CHAINED:
        message = f"the engine {engine.name!r} needs none: its chunks fit together as they are"
        raise BadInput("spec.crossfade", message)


def _format(spec: JobSpec, avatar: AvatarInfo) -> VideoFormat:
    wanted = _fraction(spec.fps) if spec.HasField("fps") else None
    own = _fraction(avatar.fps) if avatar.HasField("fps") else None
    width, height = choose_size((spec.width, spec.height), (avatar.width, avatar.height))
    return VideoFormat(fps=rational_to_proto(choose_fps(wanted, own)), width=width, height=height)


def _fraction(value: common_pb2.Rational) -> Fraction:
    return Fraction(value.numerator, value.denominator)


def choose_encoder(spec: JobSpec, form: VideoFormat, offered: Collection[frozenset[str]]) -> Encoder:
    """The encoder of all chunks of a job, for tracks of different ones cannot be joined.

    NVENC where every worker offers it, unless somebody without it writes frames too: the merger, in a fade.
    Raises `BadInput` when the codec does not have the quality, `Unmet` when no worker can write it.
    """
    quality = quality_from_proto(spec.quality, "spec.quality")
    codec = codec_from_proto(spec.codec, "spec.codec")
    if not fits(codec.software, quality, form.width, form.height):
        raise BadInput("spec.codec", f"{codec} does not have quality {quality}: only {Codec.H264} has")
    able = bool(offered) and all(codec.hardware in encoders for encoders in offered)
    fading = spec.HasField("crossfade")
    if able and not fading and fits(codec.hardware, quality, form.width, form.height):
        return codec.hardware
    if codec is not Codec.H264 and not any(codec.software in encoders for encoders in offered):
        raise Unmet(Reason.ENCODER_MISSING, f"no worker that has the engine can write {codec}")
    return codec.software


def _seed(spec: JobSpec) -> int:
    """The spec's seed, else one that follows from the picture: the same spec makes the same video, and a text
    that was edited moves nothing that it need not."""
    if spec.HasField("seed"):
        return spec.seed
    picture = JobSpec(avatar_sha256=spec.avatar_sha256, engine=spec.engine, fps=spec.fps)
    digest = hashlib.sha256(picture.SerializeToString(deterministic=True)).digest()
    return int.from_bytes(digest[:4], "little")


def fade_frames(spec: JobSpec, fps: Fraction) -> int:
    """Frames over which independent chunks are blended, at least one; 0 when none are."""
    if not spec.HasField("crossfade"):
        return 0
    return max(1, math.floor(Fraction(spec.crossfade.ToNanoseconds(), 10**9) * fps))


def warnings_of(spec: JobSpec, admitted: Admitted) -> list[str]:
    """What a person should know of a job before it begins."""
    fades = [APPROXIMATE] if spec.HasField("crossfade") else []
    return [*admitted.avatar.warnings, *admitted.outline.warnings, *fades]


def wanted_chunk_frames(spec: JobSpec, fps: Fraction) -> int:
    """The wanted chunk length in frames; 0 when the spec leaves it open."""
    if not spec.HasField("chunk_length"):
        return 0
    length = Fraction(spec.chunk_length.ToNanoseconds(), 10**9)
    return max(1, math.floor(length * fps))
