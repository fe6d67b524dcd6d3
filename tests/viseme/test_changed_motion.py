"""A talking face goes over to another place of its motion: however the job is cut, and unseen."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mouthpiece.core.motion import Crossing, samples_in
from mouthpiece.core.timeline import Span, samples_of
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines.viseme.prepared import Prepared
from services.lipsync.transition import Motion, render_motion
from tests.support.viseme_avatars import ENGINE, FPS
from tests.support.viseme_speech import SENTENCE, cut, speech_of, spell

SPEECH = speech_of(spell(" ".join([SENTENCE] * 2)))
CROSSING = Crossing(Span(40, 57), 311)
FRAMES = Span(36, 61)


@pytest.fixture(scope="module", params=["still", "moving"])
def prepared(request: pytest.FixtureRequest) -> Prepared:
    found: Prepared = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def whole(prepared: Prepared) -> list[Frame]:
    return crossed(prepared, FRAMES)


def task_for(frames: Span, ahead: int) -> RenderTask:
    """Frames of the speech with as much of it as the engine asks for, where motion is so far ahead."""
    heard, info = samples_of(frames, FPS), ENGINE.info
    needed = Span(max(0, heard.first - info.lead_samples), heard.end + info.tail_samples)
    speech = cut(SPEECH, needed).shift(samples_in(ahead, FPS))
    return RenderTask(frames.shift(ahead), FPS, speech, seed=3)


def crossed(prepared: Prepared, frames: Span) -> list[Frame]:
    task = task_for(frames, 0)
    crossings = [CROSSING] if CROSSING.frames.overlaps(frames) else []
    motion = Motion.of(frames, crossings, prepared.avatar, FPS)
    return list(render_motion(ENGINE, prepared, task, motion))


def plain(prepared: Prepared, frames: Span, ahead: int) -> list[Frame]:
    return list(ENGINE.render(prepared, task_for(frames, ahead)))


def steps(frames: list[Frame]) -> list[float]:
    """Mean change from one frame to the next, in levels."""
    return [float(np.abs(a.astype(int) - b).mean()) for a, b in pairwise(frames)]


def test_frames_are_the_same_however_a_crossing_is_cut(prepared: Prepared, whole: list[Frame]) -> None:
    for frames in (Span(38, 49), Span(49, 53)):
        part = whole[frames.first - FRAMES.first : frames.end - FRAMES.first]
        assert all((a == b).all() for a, b in zip(part, crossed(prepared, frames), strict=True))


def test_before_and_behind_it_the_face_moves_as_it_does_there(prepared: Prepared, whole: list[Frame]) -> None:
    before = plain(prepared, Span(FRAMES.first, CROSSING.frames.first), 0)
    behind = plain(prepared, Span(CROSSING.frames.end, FRAMES.end), CROSSING.by)
    assert all((a == b).all() for a, b in zip(whole[: len(before)], before, strict=True))
    assert all((a == b).all() for a, b in zip(whole[-len(behind) :], behind, strict=True))


def test_no_step_within_it_is_larger_than_others(prepared: Prepared, whole: list[Frame]) -> None:
    """Both places alone say the same at the same time: their largest steps are those of speech and blinks."""
    ordinary = [*steps(plain(prepared, FRAMES, 0)), *steps(plain(prepared, FRAMES, CROSSING.by))]
    assert max(steps(whole)) <= 1.3 * max(ordinary)
