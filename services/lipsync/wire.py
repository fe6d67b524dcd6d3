"""Requests as values, checked, and values as responses."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict

from mouthpiece.artifacts import check_sha256
from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.core.motion import Crossing, grid_step, samples_in, transition_frames
from mouthpiece.core.timeline import MAX_FPS, MIN_FPS, Span, sample_at
from mouthpiece.errors import BadInput, Reason, Unmet, Violation
from mouthpiece.media.quality import Adjustment, Encoder, Quality, fits
from mouthpiece.rpc.convert import (
    artifact_to_proto,
    crossing_from_proto,
    duration,
    rational_from_proto,
    rational_to_proto,
    span_from_proto,
)
from mouthpiece.rpc.label import check_label
from mouthpiece.rpc.quality import adjustment_from_proto, quality_from_proto
from mouthpiece.rpc.speech_codec import slice_from_proto
from mouthpiece.v1 import common_pb2
from mouthpiece.v1 import lipsync_pb2 as pb
from services.lipsync.avatar import AvatarKind
from services.lipsync.avatar.inspection import AvatarInfo
from services.lipsync.avatar.preparation import Format
from services.lipsync.backdrop import Wanted
from services.lipsync.device import Device
from services.lipsync.engine import RenderTask
from services.lipsync.label import OPACITY, Corner, Label, check_drawable
from services.lipsync.telemetry import Reading
from services.lipsync.worker import Ailment, Order, Outcome

MIN_SIDE, MAX_SIDE = 64, 4096

_KINDS = {AvatarKind.PORTRAIT: pb.AVATAR_KIND_PORTRAIT, AvatarKind.VIDEO: pb.AVATAR_KIND_VIDEO}


def avatar_name(sha256: str) -> str:
    """Name of an avatar artifact, "" for the default one. Raises `BadInput`."""
    if sha256:
        check_sha256(sha256, "avatar_sha256")
    return sha256


def format_from_proto(message: common_pb2.VideoFormat) -> Format:
    """Grid and size of a job. Raises `BadInput` for every field that is wrong."""
    fps = rational_from_proto(message.fps, "format.fps")
    wrong: list[Violation] = []
    if not MIN_FPS <= fps <= MAX_FPS:
        wrong.append(Violation("format.fps", f"{float(fps):g} is not between {MIN_FPS} and {MAX_FPS}"))
    for field, side in (("format.width", message.width), ("format.height", message.height)):
        if side % 2 or not MIN_SIDE <= side <= MAX_SIDE:
            wrong.append(Violation(field, f"{side} is not an even number from {MIN_SIDE} to {MAX_SIDE}"))
    if wrong:
        raise BadInput(wrong[0].field, wrong[0].description, *wrong[1:])
    return Format(fps, message.width, message.height)


def order_from_proto(
    request: pb.RenderChunkRequest, engine: EngineInfo, encoders: Collection[Encoder]
) -> Order:
    """What to render with `engine`.

    Raises `BadInput` when the request contradicts itself, `Unmet` when none of `encoders` is what it wants.
    """
    form = format_from_proto(request.format)
    quality = quality_from_proto(request.quality, "quality")
    adjustment = adjustment_from_proto(request.enhancement, "enhancement", quality, engine)
    return Order(
        job_id=request.job_id,
        attempt_id=request.attempt_id,
        engine=engine.name,
        avatar_sha256=avatar_name(request.avatar_sha256),
        format=form,
        quality=quality,
        encoder=_encoder(request.encoder, encoders, quality, form),
        task=_task(request, engine, form, adjustment),
        handover_sha256=_handover(request, engine),
        keyframes=_seams(request) | _keyframes(request),
        fades=request.fade_frames > 0,
        crossings=_crossings(request, engine, form, adjustment),
        wanted=background_from_proto(request),
        adjustment=adjustment,
        label=label_from_proto(request),
    )


def _encoder(name: str, encoders: Collection[Encoder], quality: Quality, form: Format) -> Encoder:
    found = next((encoder for encoder in encoders if encoder == (name or Encoder.X264)), None)
    if found is None:
        raise Unmet(Reason.ENCODER_MISSING, f"encoder {name or Encoder.X264!s} does not work on this worker")
    if not fits(found, quality, form.width, form.height):
        raise BadInput("encoder", f"{found} does not do {form.width} × {form.height} at {quality} quality")
    return found


def background_from_proto(request: pb.RenderChunkRequest | pb.InspectAvatarRequest) -> Wanted | None:
    """What is to stand behind the person; None: what stands there. Raises `BadInput`."""
    message = request.background
    match message.WhichOneof("kind"):
        case "color":
            return Wanted(color=parse_color(message.color))
        case "picture_sha256":
            check_sha256(message.picture_sha256, "background.picture_sha256")
            return Wanted(picture_sha256=message.picture_sha256)
        case _:
            return None


_CORNERS = {
    common_pb2.CORNER_UNSPECIFIED: Corner.BOTTOM_RIGHT,
    common_pb2.CORNER_BOTTOM_RIGHT: Corner.BOTTOM_RIGHT,
    common_pb2.CORNER_BOTTOM_LEFT: Corner.BOTTOM_LEFT,
    common_pb2.CORNER_TOP_RIGHT: Corner.TOP_RIGHT,
    common_pb2.CORNER_TOP_LEFT: Corner.TOP_LEFT,
}


def label_from_proto(request: pb.RenderChunkRequest | pb.InspectAvatarRequest) -> Label | None:
    """What is to be drawn on every frame. Raises `BadInput`."""
    message = request.label
    if not request.HasField("label"):
        return None
    for wrong in check_label(message, "label"):
        raise BadInput(wrong.field, wrong.description)
    check_drawable(message.text, "label.text")
    return Label(message.text, _CORNERS[message.corner], message.opacity or OPACITY)


def parse_color(text: str) -> tuple[int, int, int]:
    """Blue, green and red of "#rrggbb". Raises `BadInput`."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise BadInput("background.color", f"{text!r} is not a colour such as #20304a")
    red, green, blue = bytes.fromhex(text[1:])
    return blue, green, red


def _lead(request: pb.RenderChunkRequest) -> int:
    """Frames in front of the chunk that are rendered too, for a fade."""
    return min(max(0, request.fade_frames), request.frames.first)


def _seams(request: pb.RenderChunkRequest) -> frozenset[int]:
    """Frames, counted from the first that is rendered, at which a fade ends and the next one begins."""
    if request.fade_frames <= 0:
        return frozenset()
    lead = _lead(request)
    count = lead + request.frames.end - request.frames.first
    return frozenset({lead, count - request.fade_frames})


def _keyframes(request: pb.RenderChunkRequest) -> frozenset[int]:
    """Raises `BadInput` for frames that the chunk does not have."""
    count = _lead(request) + request.frames.end - request.frames.first
    for frame in request.keyframes:
        if not 0 <= frame < count:
            raise BadInput("keyframes", f"there is no frame {frame} among {count}")
    return frozenset(request.keyframes)


def _crossings(
    request: pb.RenderChunkRequest, engine: EngineInfo, form: Format, adjustment: Adjustment
) -> tuple[Crossing, ...]:
    """Raises `BadInput` for crossings that are none, or that the engine cannot go through."""
    frames, free = adjustment.around(span_from_proto(request.frames, "frames")), 0
    if request.crossings and engine.engine_class is EngineClass.CHAINED:
        raise BadInput("crossings", f"engine {engine.name!r} cannot go over to another place of its motion")
    found: list[Crossing] = []
    for number, message in enumerate(request.crossings):
        crossing = crossing_from_proto(message, f"crossings[{number}]")
        ahead = crossing.by + sum(before.by for before in found)
        right = (
            crossing.frames.first >= free
            and crossing.frames.overlaps(frames)
            and len(crossing.frames) >= transition_frames(form.fps)
            and crossing.by % grid_step(form.fps) == 0
            and sample_at(crossing.frames.first, form.fps) + samples_in(ahead, form.fps)
            >= engine.lead_samples
        )
        if not right:
            raise BadInput(f"crossings[{number}]", "does not fit the chunk, its grid or the crossing before")
        found.append(crossing)
        free = crossing.frames.end
    return tuple(found)


def _handover(request: pb.RenderChunkRequest, engine: EngineInfo) -> str:
    """Name of what the chunk before left. Raises `BadInput` when a chain is broken, or there is none."""
    chained = engine.engine_class is EngineClass.CHAINED
    if not request.HasField("handover"):
        if chained and request.frames.first and not request.fade_frames:
            raise BadInput("handover", f"the chain of engine {engine.name!r} does not begin in the middle")
        return ""
    if not chained:
        raise BadInput("handover", f"engine {engine.name!r} renders no chains")
    check_sha256(request.handover.sha256, "handover.sha256")
    return request.handover.sha256


def _task(
    request: pb.RenderChunkRequest, engine: EngineInfo, form: Format, adjustment: Adjustment
) -> RenderTask:
    frames = span_from_proto(request.frames, "frames")
    if not frames:
        raise BadInput("frames", "a chunk has at least one frame")
    if engine.max_chunk_frames and len(frames) > engine.max_chunk_frames:
        most = engine.max_chunk_frames
        raise BadInput(
            "frames", f"{len(frames)} frames; engine {engine.name!r} renders at most {most} at a time"
        )
    frames = Span(frames.first - _lead(request), frames.end)
    speech = slice_from_proto(request.speech)
    needed = max(0, sample_at(adjustment.around(frames).first, form.fps) - engine.lead_samples)
    if speech.samples and speech.samples.first > needed:
        raise BadInput(
            "speech.samples", f"begins at {speech.samples.first}; the frames need it from {needed} on"
        )
    return RenderTask(frames, form.fps, speech, request.seed, prompt=request.prompt)


def info_to_proto(info: AvatarInfo) -> pb.AvatarInfo:
    """What was found out about an avatar."""
    return pb.AvatarInfo(
        kind=_KINDS[info.kind],
        width=info.width,
        height=info.height,
        fps=rational_to_proto(info.fps) if info.fps else None,
        frames=info.frames,
        faces=info.faces,
        warnings=info.warnings,
    )


def result_to_proto(outcome: Outcome) -> pb.ChunkResult:
    """A stored chunk."""
    return pb.ChunkResult(
        chunk=artifact_to_proto(outcome.artifact),
        frames=outcome.frames,
        codec_sha256=outcome.codec_sha256,
        prepare_time=duration(outcome.prepare_seconds),
        render_time=duration(outcome.render_seconds),
        encode_time=duration(outcome.encode_seconds),
        warnings=outcome.warnings,
        handover=artifact_to_proto(outcome.handover) if outcome.handover else None,
        energy_joules=outcome.energy_joules,
        report=common_pb2.ChunkReport(**asdict(outcome.report)),
    )


def ailment_to_proto(ailment: Ailment) -> pb.Ailment:
    """Why an engine cannot be had."""
    return pb.Ailment(
        engine=ailment.engine,
        description=ailment.description,
        reason=ailment.reason.value if ailment.reason else "",
    )


def device_to_proto(device: Device) -> common_pb2.Device:
    """What the worker computes on."""
    return common_pb2.Device(
        kind=device.kind, name=device.name, index=device.index, memory_bytes=device.memory_bytes
    )


def telemetry_to_proto(reading: Reading) -> pb.Telemetry:
    """How the worker's device fares."""
    return pb.Telemetry(**asdict(reading))
