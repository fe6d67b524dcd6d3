"""A cheap look at an avatar: what it is, whether it decodes, and where the face is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import atan2, degrees, hypot
from pathlib import Path

from mouthpiece.errors import Reason, Unmet
from services.lipsync.avatar._decode import Source, Timing, Traits, open_source, read_timing
from services.lipsync.avatar.clip import AvatarKind
from services.lipsync.avatar.detection import FaceBox
from services.lipsync.avatar.framing import Area
from services.lipsync.avatar.landmarks import FaceTracker, Landmarks
from services.lipsync.avatar.limits import Limits

LOOKS = 4
"""Frames of a video that are searched for faces."""
SMALL_FACE = 80
"""Pixels across; a mouth on a smaller face has too few pixels to look sharp."""
TURNED_AWAY = 35
"""Degrees of head turn from which on half of the mouth is hard to see."""

_CHEEKS = (234, 454)


@dataclass(frozen=True, slots=True)
class AvatarInfo:
    """What a person should know before a job; the size is as shown and may be odd.

    `fps` is the nominal rate of a video and `None` for a portrait; `frames` counts what is used at that rate.
    `faces` is the largest number seen in one frame.
    """

    kind: AvatarKind
    width: int
    height: int
    fps: Fraction | None
    frames: int
    faces: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found: for people, and for the preparation: where the face moves and how long the clip is."""

    info: AvatarInfo
    focus: Area
    seconds: Fraction


@dataclass(frozen=True, slots=True)
class _Look:
    """The faces of one frame, largest first, and the landmarks of the first."""

    faces: tuple[FaceBox, ...]
    landmarks: Landmarks
    transparent: bool


def inspect(path: Path, tracker: FaceTracker, limits: Limits) -> Inspection:
    """Look at a picture or video.

    Raises `BadInput` (field "avatar") when it is neither, damaged, cut off or too large, and `Unmet`
    (NO_FACE) when there is no face in the frames that are looked at.
    """
    with open_source(path, limits) as source:
        timing = _STILL if source.picture else read_timing(path, limits)
        looks = tuple(_look_at(source, timing, tracker))
        traits = source.traits
    kind = AvatarKind.VIDEO if timing.frames > 1 else AvatarKind.PORTRAIT
    if not looks:
        where = f"any of {LOOKS} frames of the video" if timing.frames > 1 else "the picture"
        raise Unmet(Reason.NO_FACE, f"no face was found in {where}")
    faces = max(len(look.faces) for look in looks)
    warnings = (*_about_faces(looks, faces), *_about_source(traits, timing, looks, limits))
    fps = timing.fps if kind is AvatarKind.VIDEO else None
    info = AvatarInfo(kind, traits.width, traits.height, fps, timing.frames, faces, warnings)
    return Inspection(info, _focus(looks), timing.seconds)


_STILL = Timing(Fraction(0), 1, Fraction(0), Fraction(0), steady=True)


def _look_at(source: Source, timing: Timing, tracker: FaceTracker) -> Iterator[_Look]:
    moments = [float(timing.seconds) * n / LOOKS for n in range(LOOKS)] if timing.frames > 1 else [0.0]
    for upright in source.looks(moments):
        faces = tracker.detect(upright.bgr)
        if faces:
            yield _Look(tuple(faces), tracker.landmarks(upright.bgr, faces[0]), upright.transparent)


def _focus(looks: tuple[_Look, ...]) -> Area:
    areas = [_area(look.faces[0]) for look in looks]
    focus = areas[0]
    for area in areas[1:]:
        focus = focus.union(area)
    return focus


def _area(face: FaceBox) -> Area:
    return Area(face.x, face.y, face.x + face.width, face.y + face.height)


def _about_faces(looks: tuple[_Look, ...], faces: int) -> Iterator[str]:
    if faces > 1:
        yield f"{faces} faces found: the largest is animated"
    width = max(look.landmarks.box.width for look in looks)
    if width < SMALL_FACE:
        yield f"the face is only {width:.0f} pixels wide: the mouth will look soft"
    angle = min(_turn(look.landmarks) for look in looks)
    if angle > TURNED_AWAY:
        yield f"the face is turned away by about {angle:.0f}°: frontal faces look better"


def _turn(landmarks: Landmarks) -> float:
    """Degrees by which the head is turned to a side."""
    across = landmarks.points[_CHEEKS[1]] - landmarks.points[_CHEEKS[0]]
    return abs(degrees(atan2(float(across[2]), hypot(float(across[0]), float(across[1])))))


def _about_source(traits: Traits, timing: Timing, looks: tuple[_Look, ...], limits: Limits) -> Iterator[str]:
    if timing.total > timing.seconds + 1 and timing.seconds > limits.max_clip_seconds - 0.5:
        yield f"only the first {limits.max_clip_seconds:g} s of {float(timing.total):.0f} s are used"
    elif timing.total > timing.seconds + 2:
        yield f"the file claims {float(timing.total):.0f} s; frames end after {float(timing.seconds):.0f} s"
    if not timing.steady:
        yield f"the frame rate varies: frames are put on a regular grid of {float(timing.fps):g} per second"
    if traits.hdr:
        yield "high dynamic range: brightness is reduced to what ordinary screens show"
    if traits.interlaced:
        yield "interlaced: lines are interpolated"
    if any(look.transparent for look in looks):
        yield "transparent parts are shown on grey"
