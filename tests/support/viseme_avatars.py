"""Avatars for tests of the embedded engine, and a look at what it made of them."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import Span, frame_count, samples_of
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.avatar.color import bgr_to_i420, i420_to_bgr
from services.lipsync.avatar.landmarks import EYE_LEFT, EYE_RIGHT, FaceTracker
from services.lipsync.avatar.smoothing import smooth
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines.viseme.engine import VisemeEngine
from services.lipsync.engines.viseme.prepared import Prepared
from tests.support.viseme_speech import cut

FPS = Fraction(25)
ENGINE = VisemeEngine()

Curve = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]


def avatar_of(pictures: list[Picture], tracker: FaceTracker, kind: AvatarKind) -> Avatar:
    """An avatar from BGR pictures of even sides."""
    planes = np.stack([bgr_to_i420(picture) for picture in pictures])
    return Avatar("test", kind, FPS, smooth(list(tracker.track(pictures))), planes)


def turning(picture: Picture, frames: int) -> list[Picture]:
    """The picture, turning and drifting a little more from frame to frame."""
    height, width = picture.shape[:2]
    made: list[Picture] = []
    for index in range(frames):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 0.4 * index, 1.0)
        turn[0, 2] += 0.5 * index
        moved = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        made.append(np.asarray(moved, np.uint8))
    return made


def render(prepared: Prepared, speech: SpeechSlice, frames: Span | None = None, seed: int = 3) -> list[Frame]:
    """Frames the way a worker makes them: from no more speech than the engine asks for; all by default."""
    wanted = frames or Span(0, frame_count(len(speech.samples), FPS))
    heard = samples_of(wanted, FPS)
    info = ENGINE.info
    needed = Span(max(0, heard.first - info.lead_samples), heard.end + info.tail_samples)
    return list(ENGINE.render(prepared, RenderTask(wanted, FPS, cut(speech, needed), seed)))


def lip_openings(frames: list[Frame], tracker: FaceTracker) -> Curve:
    """How far the lips are apart in each frame, seen on its own, in distances of the outer eye corners."""
    box = tracker.detect(i420_to_bgr(frames[0]))[0]
    found = [tracker.landmarks(i420_to_bgr(frame), box) for frame in frames]
    assert min(landmarks.presence for landmarks in found) > 0.5
    return np.array([_opening(landmarks.points.astype(np.float64)) for landmarks in found])


def _opening(points: Curve) -> float:
    eyes = np.linalg.norm(points[EYE_LEFT] - points[EYE_RIGHT])
    return float(np.linalg.norm(points[13, :2] - points[14, :2]) / eyes)
