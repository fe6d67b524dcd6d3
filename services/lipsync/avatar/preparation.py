"""Preparing an avatar: its frames on the grid and at the size of a job, its landmarks, on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mouthpiece.errors import MouthpieceError, Reason, Unmet
from services.lipsync.avatar._convert import Upright
from services.lipsync.avatar._decode import open_source
from services.lipsync.avatar.clip import Avatar, AvatarKind
from services.lipsync.avatar.color import I420, Picture, bgr_to_i420
from services.lipsync.avatar.framing import Framing, framing
from services.lipsync.avatar.inspection import AvatarInfo, inspect
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.smoothing import empty, smooth

VERSION = 2
"""Changes with anything that changes prepared frames or landmarks, so that old ones are not used again."""

LOST_SECONDS = Fraction(1, 4)
"""Time for which a face may be out of sight, behind a hand or in a blur, and still be drawn on."""

PLANES, LANDMARKS, FACTS = "planes.i420", "landmarks.npy", "avatar.json"


@dataclass(frozen=True, slots=True)
class Format:
    """Frame grid and size of a job; both sides even."""

    fps: Fraction
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.fps <= 0 or self.width < 2 or self.height < 2 or self.width % 2 or self.height % 2:
            raise ValueError(f"not a format: {self.width} x {self.height} at {self.fps}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame as I420."""
        return self.width * self.height * 3 // 2


class Stopped(MouthpieceError):
    """The preparation was called off."""

    status = "UNAVAILABLE"


def avatar_key(content: str, wanted: Format, limits: Limits) -> str:
    """Name of the avatar that `prepare` makes of `content` (a SHA-256): whatever shapes it is in there."""
    size = f"{wanted.width}x{wanted.height}@{wanted.fps.numerator}-{wanted.fps.denominator}"
    return f"{content}-{size}-{limits.max_clip_seconds:g}s-v{VERSION}"


def prepare(
    path: Path,
    folder: Path,
    wanted: Format,
    tracker: FaceTracker,
    limits: Limits,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Write the prepared avatar into `folder`, which exists and is empty; `load` opens it.

    Raises what `inspect` raises, `BadInput` when much of a video does not decode, and `Stopped` soon after
    `go_on` says no.
    """
    inspection = inspect(path, tracker, limits)
    info = inspection.info
    frames = max(1, round(inspection.seconds * wanted.fps)) if info.kind is AvatarKind.VIDEO else 1
    most = max(1, limits.max_clip_bytes // wanted.frame_bytes)
    cut = framing((info.width, info.height), (wanted.width, wanted.height), inspection.focus)
    with open_source(path, limits) as source, (folder / PLANES).open("wb") as file:
        shown = on_grid(source.frames(), wanted.fps, min(frames, most))
        found = list(tracker.track(_written(shown, cut, file, go_on)))
        damaged = source.damaged
    lost = sum(landmarks is None for landmarks in found)
    if lost == len(found):
        raise Unmet(Reason.NO_FACE, "no face was found")
    np.save(folder / LANDMARKS, smooth(found))
    nobody = empty(found, round(LOST_SECONDS * wanted.fps))
    warnings = [*info.warnings, *_about_clip(len(found), frames, lost, len(nobody), damaged)]
    facts = _facts(info, wanted, warnings) | {"empty": nobody}
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")


def load(folder: Path, key: str) -> tuple[Avatar, AvatarInfo]:
    """Open what `prepare` wrote. Raises `OSError`, `KeyError` or `ValueError` when something is missing."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    warnings = tuple(facts["warnings"])
    rate = Fraction(facts["source_fps"]) if facts["source_fps"] else None
    kind = AvatarKind(facts["kind"])
    shape = facts["height"] * 3 // 2, facts["width"]
    planes = np.memmap(folder / PLANES, np.uint8, mode="r").reshape(-1, *shape)
    landmarks = np.load(folder / LANDMARKS)
    if len(landmarks) != len(planes):
        raise ValueError(f"{len(planes)} frames, {len(landmarks)} landmarks")
    landmarks.setflags(write=False)
    avatar = Avatar(
        key, kind, Fraction(facts["fps"]), landmarks, planes, warnings, folder, frozenset(facts["empty"])
    )
    size, count, faces = facts["source_size"], facts["source_frames"], facts["faces"]
    return avatar, AvatarInfo(kind, size[0], size[1], rate, count, faces, warnings)


def on_grid(frames: Iterable[tuple[Fraction, Upright]], fps: Fraction, count: int) -> Iterator[Upright]:
    """Exactly `count` frames, the n-th being what is shown at n / fps seconds; after the last, the last.

    Timestamps are rounded by containers: a frame counts as shown from an eighth of a grid step early on.
    """
    current: Upright | None = None
    given = 0
    for time, frame in frames:
        while current is not None and given < count and (time * fps) > given + Fraction(1, 8):
            yield current
            given += 1
        current = frame
        if given == count:
            return
    while current is not None and given < count:
        yield current
        given += 1


def _written(
    frames: Iterable[Upright], cut: Framing, file: BinaryIO, go_on: Callable[[], bool]
) -> Iterator[Picture]:
    """Frame and write each; yields the framed pictures."""
    last: Upright | None = None
    picture: Picture | None = None
    planes: I420 | None = None
    for upright in frames:
        if not go_on():
            raise Stopped("the preparation of the avatar was called off")
        if upright is not last or picture is None or planes is None:
            picture = cut.apply(upright.bgr)
            planes = _planes(upright, picture, cut)
            last = upright
        file.write(planes.data)
        yield picture


def _planes(upright: Upright, picture: Picture, cut: Framing) -> I420:
    if upright.planes is not None and not cut.changes(upright.bgr):
        return upright.planes
    return bgr_to_i420(picture)


def _about_clip(frames: int, wanted: int, lost: int, nobody: int, damaged: int) -> Iterator[str]:
    if frames < wanted:
        yield f"only the first {frames} of {wanted} frames are used: more do not fit into the cache"
    if nobody:
        yield f"nobody is seen in {nobody} of {frames} frames: they are shown as they are"
    if lost > nobody:
        yield f"no face in {lost - nobody} of {frames} frames: its place is estimated there"
    if damaged:
        yield f"{damaged} frames of the video are damaged"


def _facts(info: AvatarInfo, wanted: Format, warnings: list[str]) -> dict[str, object]:
    return {
        "kind": info.kind.value,
        "fps": str(wanted.fps),
        "width": wanted.width,
        "height": wanted.height,
        "source_size": [info.width, info.height],
        "source_fps": str(info.fps) if info.fps else "",
        "source_frames": info.frames,
        "faces": info.faces,
        "warnings": warnings,
    }
