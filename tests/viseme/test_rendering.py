from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mouthpiece.core.engines import EngineClass
from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span, clip_index, frame_at, frame_count
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.avatar.color import chroma_planes, i420_to_bgr
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.engine import RenderTask
from services.lipsync.engines.viseme.articulation import articulate
from services.lipsync.engines.viseme.prepared import Prepared
from services.lipsync.engines.viseme.visemes import Channel
from services.lipsync.gate import gate_for
from tests.support.media_measure import follow
from tests.support.viseme_avatars import ENGINE, FPS, Picture, avatar_of, lip_openings, render
from tests.support.viseme_speech import SENTENCE, speech_of, spell

SPEECH = speech_of(spell(SENTENCE))
SILENCE = speech_of(spell("2000"))
FRAMES = frame_count(len(SPEECH.samples), FPS)


@pytest.fixture(params=["still", "moving"])
def prepared(request: pytest.FixtureRequest) -> Prepared:
    found: Prepared = request.getfixturevalue(request.param)
    return found


def test_frames_are_the_same_to_the_bit_however_a_job_is_cut(prepared: Prepared) -> None:
    whole = render(prepared, SPEECH)
    assert len(whole) == FRAMES
    for first, end in ((0, 17), (17, 18), (18, 51), (51, FRAMES)):
        pieces = render(prepared, SPEECH, Span(first, end))
        assert all((a == b).all() for a, b in zip(whole[first:end], pieces, strict=True))


def test_preparing_twice_gives_the_same_frames(portrait: Avatar, clip: Avatar) -> None:
    for avatar in (portrait, clip):
        one, other = (render(ENGINE.prepare(avatar), SPEECH, Span(20, 22)) for _ in range(2))
        assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_frames_are_planes_of_the_size_of_the_avatar(prepared: Prepared) -> None:
    for frame in render(prepared, SPEECH, Span(10, 12)):
        assert frame.dtype == np.uint8
        assert frame.shape == prepared.avatar.planes.shape[1:]
        assert frame.flags.c_contiguous


def test_nothing_changes_in_a_video_but_the_lower_face(moving: Prepared) -> None:
    avatar = moving.avatar
    for number, frame in enumerate(render(moving, SPEECH)):
        index = clip_index(number, avatar.frames)
        face, own = avatar.landmarks[index], avatar.frame_i420(index)
        eyes = float(np.linalg.norm(face[33] - face[263]))
        allowed = np.zeros((avatar.height, avatar.width), bool)
        top, bottom = face[[145, 374], 1].max() + 0.05 * eyes, face[152, 1] + 0.7 * eyes
        left, right = face[234, 0] - 0.3 * eyes, face[454, 0] + 0.3 * eyes
        allowed[int(top) : int(bottom), int(left) : int(right)] = True
        assert not (frame != own)[: avatar.height][~allowed].any()
        for plane, before in zip(chroma_planes(frame), chroma_planes(own), strict=True):
            assert not (plane != before)[~allowed[::2, ::2]].any()


def test_a_closed_mouth_in_a_video_stays_as_it_is_in_silence(moving: Prepared) -> None:
    """The mouth is held where the calmest frame has it, which here is where it is: pixels hardly move."""
    for number, frame in enumerate(render(moving, SILENCE, Span(0, 8))):
        own = moving.avatar.frame_i420(number)
        difference = np.abs(frame.astype(int) - own)
        assert difference.mean() < 0.15
        assert np.quantile(difference, 0.999) < 16


def test_the_border_of_a_portrait_never_moves(still: Prepared) -> None:
    frames = np.stack([frame[: still.avatar.height] for frame in render(still, SPEECH)])
    for edge in (frames[:, :2], frames[:, -2:], frames[:, :, :2], frames[:, :, -2:]):
        assert (edge == edge[0]).all()


def test_a_portrait_moves_even_in_silence_but_never_by_much(still: Prepared) -> None:
    frames = np.stack(render(still, SILENCE))[:, : still.avatar.height].astype(int)
    moved = np.abs(np.diff(frames, axis=0))
    assert moved.max(axis=(1, 2)).min() > 0
    assert moved.mean() < 1.0


def test_the_mouth_opens_with_the_jaw_and_with_the_sound(still: Prepared, tracker: FaceTracker) -> None:
    track = articulate(SPEECH, Span(0, FRAMES), FPS)
    openings = lip_openings(render(still, SPEECH), tracker)
    fit = follow(openings, track[:, Channel.JAW], 5)
    assert abs(fit.lag) <= 0.5
    assert fit.r >= 0.93
    assert openings.max() > 0.08


def test_lips_close_for_every_bilabial_and_rest_in_pauses(still: Prepared, tracker: FaceTracker) -> None:
    openings = lip_openings(render(still, SPEECH), tracker)
    rest = np.median(lip_openings(render(still, SILENCE), tracker))
    middles = [(p.samples.first + p.samples.end) // 2 for p in SPEECH.phonemes if p.ipa in ("p", "b", "m")]
    frames = [frame_at(middle, FPS) for middle in middles]
    closed = [openings[max(0, frame - 1) : frame + 2].min() < rest + 0.01 for frame in frames]
    assert np.mean(closed) >= 0.95
    quiet = [frame_at(at, FPS) for at in range(0, 12000, 1920)]
    assert openings[quiet].max() < rest + 0.01


def test_a_mouth_that_talks_in_the_video_is_silenced(
    still: Prepared, tracker: FaceTracker, picture: Picture
) -> None:
    """What the source says must not show through: only the speech opens the mouth."""
    talking = [i420_to_bgr(frame) for frame in render(still, SPEECH, Span(6, 40))]
    avatar = avatar_of([picture, *talking], tracker, AvatarKind.VIDEO)
    said = lip_openings([avatar.frame_i420(index) for index in range(avatar.frames)], tracker)
    silenced = lip_openings(render(ENGINE.prepare(avatar), SILENCE, Span(0, avatar.frames)), tracker)
    assert said.max() > 0.07
    assert np.quantile(silenced, 0.9) < said.min() + 0.01
    assert silenced.max() < said.min() + 0.02


def test_a_resting_mouth_does_not_flicker(moving: Prepared) -> None:
    """The way the lower face changes from frame to frame is that of the source."""
    drawn = np.stack(render(moving, SILENCE, Span(0, 8))).astype(int)
    own = moving.avatar.planes.astype(int)
    assert np.abs(np.diff(drawn, 2, axis=0)).mean() < 1.05 * np.abs(np.diff(own, 2, axis=0)).mean() + 0.02


def test_a_small_face_talks_too(picture: Picture, tracker: FaceTracker) -> None:
    canvas = np.full((240, 320, 3), 90, np.uint8)
    canvas[40:168, 100:228] = picture[::5, ::5][:64, :64].repeat(2, 0).repeat(2, 1)
    avatar = avatar_of([canvas], tracker, AvatarKind.PORTRAIT)
    frames = render(ENGINE.prepare(avatar), SPEECH, Span(0, 30))
    assert len(frames) == 30
    assert (frames[3] != frames[12]).any()


def test_a_face_at_the_edge_of_the_picture_talks_too(picture: Picture, tracker: FaceTracker) -> None:
    bottom = np.flatnonzero(picture.std(axis=(1, 2)) > 0)[-1]
    avatar = avatar_of([picture[60 : min(230, bottom) // 2 * 2, 70:250]], tracker, AvatarKind.PORTRAIT)
    frames = render(ENGINE.prepare(avatar), SPEECH, Span(0, 12))
    assert (frames[0] != frames[8]).any()


@pytest.mark.parametrize("degrees", [-90, -50, 50, 90])
@pytest.mark.parametrize("kind", list(AvatarKind))
def test_a_face_that_lies_on_its_side_talks_as_well_as_an_upright_one(
    degrees: int, kind: AvatarKind, picture: Picture, tracker: FaceTracker
) -> None:
    upright = ENGINE.prepare(avatar_of([picture] * 2, tracker, kind))
    side = picture.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.0)
    lying = np.asarray(cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    prepared = ENGINE.prepare(avatar_of([lying] * 2, tracker, kind))
    assert _changed(prepared) == pytest.approx(_changed(upright), rel=0.35)


def test_nothing_is_drawn_where_nobody_is_seen_nor_taken_from_there(
    picture: Picture, tracker: FaceTracker
) -> None:
    title = np.zeros_like(picture)
    pictures = [picture] * 4 + [title] * 4 + [picture] * 4
    avatar = replace(avatar_of(pictures, tracker, AvatarKind.VIDEO), empty=frozenset(range(4, 8)))
    frames = render(ENGINE.prepare(avatar), SPEECH, Span(0, 12))
    assert all((frames[number] == avatar.frame_i420(number)).all() for number in range(4, 8))
    alone = render(ENGINE.prepare(avatar_of([picture] * 12, tracker, AvatarKind.VIDEO)), SPEECH, Span(0, 12))
    gate = gate_for(Span(0, 12), FPS, SPEECH, avatar, lambda number: [number])
    for number in (0, 1, 2, 3, 8, 9, 10, 11):
        assert np.abs(frames[number].astype(int) - alone[number]).mean() < 0.5
    for frame in frames:
        gate.look(frame)


def _changed(prepared: Prepared) -> float:
    """How much a frame with an open mouth differs from one in silence, summed over pixels."""
    (loud,) = render(prepared, SPEECH, Span(20, 21))
    (still,) = render(prepared, SILENCE, Span(20, 21))
    return float(np.abs(loud.astype(int) - still).sum())


def test_rendering_stops_when_nobody_listens(still: Prepared) -> None:
    frames = ENGINE.render(still, RenderTask(Span(0, 10**6), FPS, SpeechSlice(Span(0, 0), b""), 0))
    next(frames)
    frames.close()
    with pytest.raises(StopIteration):
        next(frames)


def test_the_engine_says_what_it_is() -> None:
    info = ENGINE.info
    assert (info.name, info.engine_class) == ("viseme", EngineClass.WINDOWED)
    assert info.takes_portrait
    assert info.takes_video
    assert 0 < info.lead_samples <= SPEECH_RATE
    assert 0 < info.tail_samples <= SPEECH_RATE
