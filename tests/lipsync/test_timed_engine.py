"""The engine that waits: frames carry their numbers, and chunks fit together."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import Span, clip_index
from mouthpiece.errors import Reason, Unmet
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.probe import decode_frames
from mouthpiece.media.quality import Quality
from mouthpiece.settings import LipSyncSettings
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.engine import RenderTask
from services.lipsync.engines import create_engine
from services.lipsync.engines.timed import BITS, TimedEngine, draw_number, read_number


def clip(frames: int, width: int = 96, height: int = 64) -> Avatar:
    planes = np.full((frames, height * 3 // 2, width), 128, np.uint8)
    planes[:, : height // 2] = 20 + 7 * np.arange(frames, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    landmarks = np.zeros((frames, 468, 3), np.float32)
    return Avatar("key", AvatarKind.VIDEO, Fraction(25), landmarks, planes)


def task(first: int, end: int) -> RenderTask:
    return RenderTask(Span(first, end), Fraction(25), SpeechSlice(Span(0, 0), b""), 1)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**BITS - 1), st.integers(32, 100).map(lambda n: 2 * n), st.integers(16, 60))
def test_a_number_that_was_drawn_can_be_read(number: int, width: int, half: int) -> None:
    frame = np.full((half * 3, width), 90, np.uint8)
    draw_number(frame, number)
    assert read_number(frame) == number


def test_numbers_survive_the_encoder(tmp_path: Path) -> None:
    engine = TimedEngine(1e6)
    with ChunkEncoder(tmp_path / "a.mp4", Fraction(25), 96, 64, Quality.LOW) as encoder:
        for frame in engine.render(clip(3), task(4090, 4100)):
            encoder.write(frame)
        encoder.finish()
    assert [read_number(frame) for frame in decode_frames(tmp_path / "a.mp4")] == list(range(4090, 4100))


def test_pieces_equal_the_whole_and_the_clip_plays_to_and_fro() -> None:
    engine, avatar = TimedEngine(1e6), clip(4)
    whole = list(engine.render(avatar, task(0, 20)))
    pieces = [*engine.render(avatar, task(0, 7)), *engine.render(avatar, task(7, 20))]
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))
    assert [int(frame[0, 0]) for frame in whole] == [20 + 7 * clip_index(n, 4) for n in range(20)]


def test_the_avatar_itself_stays_as_it_is() -> None:
    avatar = clip(1)
    before = avatar.planes.copy()
    list(TimedEngine(1e6).render(avatar, task(5, 8)))
    assert np.array_equal(avatar.planes, before)


@pytest.mark.parametrize("name", ["timed", "viseme"])
def test_an_engine_is_called_what_it_calls_itself(name: str) -> None:
    engine = create_engine(name, LipSyncSettings())
    engine.load()
    assert engine.info.name == name
    assert engine.info.version.startswith(name)


def test_an_unknown_engine_is_unknown() -> None:
    with pytest.raises(Unmet, match="viseme") as caught:
        create_engine("wav3lip", LipSyncSettings())
    assert caught.value.reason is Reason.ENGINE_UNKNOWN
