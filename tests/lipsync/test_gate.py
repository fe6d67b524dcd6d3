"""Renders that broke are told from those that are merely quiet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import grpc.aio
import numpy as np
import pytest

from mouthpiece.core.engines import EngineClass, EngineInfo
from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span, frame_count
from mouthpiece.rpc.speech_codec import slice_to_proto
from mouthpiece.settings import LipSyncSettings
from mouthpiece.v1 import lipsync_pb2 as pb
from services.lipsync import engines
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines.timed import TimedEngine
from services.lipsync.gate import Broken, Gate, Report, gate_for, speaking_frames
from tests.support.lipsync_media import Picture, scaled
from tests.support.lipsync_worker import chunk_request, service, with_portrait
from tests.support.viseme_avatars import ENGINE, avatar_of, render, turning
from tests.support.viseme_speech import SENTENCE, speech_of, spell

FPS = Fraction(25)
WHOLE = np.s_[:, :]


def sound(level: np.ndarray) -> SpeechSlice:
    """A tone whose level follows a curve of one value per 10 ms, from 0 to 1."""
    curve = np.repeat(level, SPEECH_RATE // 100)
    tone = curve * np.sin(2 * np.pi * 220 / SPEECH_RATE * np.arange(len(curve)))
    return SpeechSlice(Span(0, len(curve)), np.round(20000 * tone).astype("<i2").tobytes())


def syllables(seconds: int) -> SpeechSlice:
    return sound(0.5 - 0.5 * np.cos(2 * np.pi * 4 * np.arange(100 * seconds) / 100))


def heard(speech: SpeechSlice) -> np.ndarray:
    return speaking_frames(Span(0, frame_count(len(speech.samples), FPS)), FPS, speech)


def frames_of(count: int, *, moving: bool, noise: float = 0.0) -> Iterator[Frame]:
    """Grey pictures with a bar that moves or not, and an encoder's noise."""
    rng = np.random.default_rng(5)
    for number in range(count):
        luma = np.full((64, 64), 120.0)
        at = 8 * (number % 6) if moving else 0
        luma[40:48, at : at + 8] = 60
        luma += rng.normal(0, noise, luma.shape)
        yield np.concatenate([luma, np.full((32, 64), 128)]).astype(np.uint8)


def seen(frames: Iterator[Frame], speech: SpeechSlice) -> Report:
    gate = Gate(heard(speech), FPS, WHOLE)
    for frame in frames:
        gate.look(frame)
    return gate.report()


def test_speech_is_what_is_loud_and_rises_and_falls() -> None:
    assert heard(syllables(4))[10:-10].all()
    assert not heard(sound(np.zeros(400))).any()
    assert not heard(sound(np.full(400, 0.005))).any()
    hum = heard(sound(np.ones(400)))
    assert not hum[15:-15].any()


def test_what_lies_outside_of_the_slice_is_silent() -> None:
    late = SpeechSlice(Span(SPEECH_RATE, SPEECH_RATE), b"")
    assert not speaking_frames(Span(0, 50), FPS, late).any()


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_a_picture_that_stands_still_during_speech_is_broken(noise: float) -> None:
    with pytest.raises(Broken, match="stands still"):
        seen(frames_of(100, moving=False, noise=noise), syllables(4))


def test_a_picture_that_moves_is_not() -> None:
    told = seen(frames_of(100, moving=True), syllables(4))
    assert told.frames == 100
    assert told.speaking_frames > 80
    assert told.speaking_motion > 1


@pytest.mark.parametrize("level", [np.zeros(400), np.ones(400)], ids=["silence", "hum"])
def test_a_picture_may_stand_still_where_nobody_speaks(level: np.ndarray) -> None:
    assert seen(frames_of(100, moving=False), sound(level)).speaking_motion == 0


def test_black_frames_are_broken_unless_the_avatar_is_black_there() -> None:
    black = np.concatenate([np.full((64, 64), 16), np.full((32, 64), 128)]).astype(np.uint8)
    with pytest.raises(Broken, match="frame 0 of the chunk is black"):
        Gate(np.zeros(1, np.bool_), FPS, WHOLE).look(black)
    Gate(np.zeros(1, np.bool_), FPS, WHOLE, is_dark=lambda _: True).look(black)


def test_more_frames_than_asked_for_are_broken() -> None:
    with pytest.raises(Broken, match="more than the 100 frames"):
        seen(frames_of(101, moving=True), syllables(4))


def test_where_the_avatar_shows_nobody_nothing_need_move() -> None:
    planes = np.full((100, 96, 64), 120, np.uint8)
    landmarks = np.full((100, 468, 3), 32, np.float32)
    everybody = Avatar("key", AvatarKind.VIDEO, FPS, landmarks, planes)
    nobody = replace(everybody, empty=frozenset(range(100)))
    look_at_all(planes, nobody)
    with pytest.raises(Broken, match="stands still"):
        look_at_all(planes, everybody)


def look_at_all(frames: np.ndarray, avatar: Avatar) -> None:
    gate = gate_for(Span(0, len(frames)), FPS, syllables(4), avatar, lambda number: [number])
    for frame in frames:
        gate.look(frame)


@pytest.mark.parametrize("kind", AvatarKind)
@pytest.mark.parametrize("known", [True, False], ids=["phonemes", "sound"])
def test_the_embedded_engine_always_passes(
    portrait: Picture, tracker: FaceTracker, kind: AvatarKind, known: bool
) -> None:
    small = scaled(portrait, 240)
    pictures = [small] if kind is AvatarKind.PORTRAIT else turning(small, 12)
    avatar = avatar_of(pictures, tracker, kind)
    speech = speech_of(spell(SENTENCE), known=known)
    frames = render(ENGINE.prepare(avatar), speech)
    gate = gate_for(Span(0, len(frames)), FPS, speech, avatar, lambda number: [number])
    for frame in frames:
        gate.look(frame)
    report = gate.report()
    assert report.speaking_frames > 40
    if kind is AvatarKind.PORTRAIT:
        assert report.speaking_motion > report.resting_motion


class Frozen:
    """Says that it animates the avatar, and shows it as it is."""

    info = EngineInfo("frozen", "Lies.", EngineClass.WINDOWED, "frozen-1", 0, 0)

    def load(self) -> None:
        pass

    def prepare(self, avatar: Avatar) -> Avatar:
        return avatar

    def render(self, prepared: Avatar, task: RenderTask) -> Iterator[Frame]:
        for _ in task.frames:
            yield np.array(prepared.frame_i420(0))


async def test_a_worker_does_not_pass_on_what_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, portrait_file: Path
) -> None:
    monkeypatch.setitem(engines.ENGINES, "frozen", lambda _: Frozen())
    monkeypatch.setitem(engines.ENGINES, "timed", lambda _: TimedEngine(1e5))
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, LipSyncSettings(engines="frozen,timed")) as running:
        with pytest.raises(grpc.aio.AioRpcError, match="the picture stands still during") as caught:
            await result(running.stub.RenderChunk(speaking("frozen")))
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert not running.artifacts()
        told = (await result(running.stub.RenderChunk(speaking("timed")))).report
        assert (told.frames, told.speaking_motion) == (75, 0)
        assert told.speaking_frames > 60


def speaking(engine: str) -> pb.RenderChunkRequest:
    request = chunk_request(engine, 0, 75)
    request.speech.CopyFrom(slice_to_proto(syllables(3)))
    return request


async def result(
    call: grpc.aio.UnaryStreamCall[pb.RenderChunkRequest, pb.RenderChunkResponse],
) -> pb.ChunkResult:
    return [message async for message in call][-1].result
