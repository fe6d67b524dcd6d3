"""What every chunk with one avatar needs: rig, inside of the mouth, and the geometry of each frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.engines.viseme import head, rig
from services.lipsync.engines.viseme.arrays import Bytes, Floats, ease
from services.lipsync.engines.viseme.eyes import Eye, eyes_of
from services.lipsync.engines.viseme.face import (
    LOWER_INNER,
    UPPER_INNER,
    HeadPose,
    calmest,
    follow,
    gap,
    head_pose,
    inset_lips,
    neutral,
)
from services.lipsync.engines.viseme.grid import Nodes, make_nodes
from services.lipsync.engines.viseme.head import HeadField, head_field
from services.lipsync.engines.viseme.lipline import CLOSED_GAP, lip_line
from services.lipsync.engines.viseme.motion import SKIN_CELLS, reach
from services.lipsync.engines.viseme.mouth import (
    Interior,
    Palette,
    draw_interior,
    texture_scale,
    with_teeth,
)
from services.lipsync.engines.viseme.palette import face_palette
from services.lipsync.engines.viseme.source import Source, open_source
from services.lipsync.engines.viseme.surface import Box, even_box, even_box_within, write_yuv, yuv_of
from services.lipsync.engines.viseme.teeth import SMILE, find_teeth

_TEETH_LOOKS = 4
"""Frames of a clip, those with the widest open mouth, that are searched for teeth."""

_OPENED = 0.08
"""Units of gap beyond that of the calmest frame at which landmarks are believed as they are."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """What a still needs besides: the opened picture, its grid, how its head moves, and its eyes.

    ``cells`` are the nodes that the mouth may move, ``lips`` is the node (row, column) in its middle.
    """

    source: Source
    nodes: Nodes
    field: HeadField
    eyes: tuple[Eye, Eye]
    cells: Box
    lips: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Prepared:
    """An avatar made ready. ``controls`` (frames, n, 2) are its control points in pixels, frame by frame.

    Frames whose own mouth is open borrow the lips of ``lender``, the calmest one, by the share ``borrowed``.
    """

    avatar: Avatar
    rig: rig.Rig
    interior: Interior
    poses: tuple[HeadPose, ...]
    controls: Floats
    portrait: Portrait | None
    lender: Source | None
    borrowed: tuple[float, ...]

    def source(self, index: int) -> Source:
        """Frame ``index`` of the avatar, opened for drawing."""
        if self.portrait:
            return self.portrait.source
        pose, controls = self.poses[index], self.controls[index]
        box, mouth = _boxes(self.avatar, pose, controls)
        if self.borrowed[index] > 0.999:
            return open_source(self.avatar.frame_i420(index), pose, controls, box, None)
        return open_source(self.avatar.frame_i420(index), pose, controls, box, mouth)


def prepare(avatar: Avatar) -> Prepared:
    """Everything about an avatar that does not depend on the speech."""
    points = avatar.landmarks.astype(np.float64)
    first = head_pose(points[0])
    seen = [index for index in range(avatar.frames) if index not in avatar.empty]
    calm = seen[calmest(np.stack([head_pose(points[index]).locate(points[index]) for index in seen]))]
    pose = head_pose(points[calm]) if calm else first
    reference = pose.locate(points[calm])
    poses = tuple(follow(reference, face) for face in points)
    faces = np.stack([pose.locate(face) for pose, face in zip(poses, points, strict=True)])
    shown = _with_true_lips(avatar, faces, poses, calm)
    rest = neutral(shown[calm])
    made = rig.build_rig(rest, float(poses[calm].axes[2, 0]) / poses[calm].scale)
    apart = not _closed(shown[calm])
    opened = [face if _closed(face) else inset_lips(face) for face in shown]
    controls = np.stack(
        [pose.project(rig.control_points(face)) for pose, face in zip(poses, opened, strict=True)]
    )
    whole = Box(0, 0, avatar.width, avatar.height)
    palette = face_palette(yuv_of(avatar.frame_i420(calm), whole), points[calm, :, :2], poses[calm].scale)
    interior = _interior(avatar, palette, rest[[13, 14]].mean(axis=0), faces, poses, calm)
    if avatar.kind is AvatarKind.PORTRAIT:
        portrait = _portrait(avatar, poses[0], controls[0], faces[0], points[0], heal=apart)
        return Prepared(avatar, made, interior, poses, controls, portrait, None, (0.0,))
    box, mouth = _boxes(avatar, poses[calm], controls[calm])
    lender = open_source(avatar.frame_i420(calm), poses[calm], controls[calm], box, mouth, heal=apart)
    borrowed = _shares(np.array([gap(face) for face in shown]) - gap(shown[calm]))
    return Prepared(avatar, made, interior, poses, controls, None, lender, borrowed)


def _interior(
    avatar: Avatar, palette: Palette, anchor: Floats, faces: Floats, poses: tuple[HeadPose, ...], calm: int
) -> Interior:
    """The inside of the mouth, with the person's own teeth from the frame that shows them best."""
    whole = Box(0, 0, avatar.width, avatar.height)
    gaps = np.array([gap(face) for face in faces])
    gaps[list(avatar.empty)] = 0.0
    widest = [int(index) for index in np.argsort(-gaps)[:_TEETH_LOOKS] if gaps[index] > SMILE]
    scale = texture_scale(poses[calm])
    looks = [
        find_teeth(yuv_of(avatar.frame_i420(index), whole), poses[index], faces[index], anchor, scale)
        for index in widest
    ]
    best = max((teeth for teeth in looks if teeth), key=lambda teeth: teeth.amount, default=None)
    if best is None:
        return draw_interior(palette, anchor, poses[calm])
    drawn = draw_interior(replace(palette, tooth=best.colour), anchor, poses[calm])
    return with_teeth(drawn, best.texture, best.edge)


def _closed(face: Floats) -> bool:
    return gap(face) < 1e-9


def _with_true_lips(avatar: Avatar, faces: Floats, poses: tuple[HeadPose, ...], calm: int) -> Floats:
    """Faces whose lips meet where the picture shows it.

    Landmarks see a gap between closed lips, and in the wrong place. Where the calmest frame corrects them,
    other frames are corrected by as much, and by less the wider their mouth is open.
    """
    if gap(faces[calm]) >= CLOSED_GAP:
        return faces
    luma = np.ascontiguousarray(avatar.frame_i420(calm)[: avatar.height])
    line = lip_line(luma, poses[calm], faces[calm])
    upper, lower = list(UPPER_INNER), list(LOWER_INNER)
    made = faces.copy()
    fix_upper, fix_lower = line - faces[calm, upper], line - faces[calm, lower]
    for face in made:
        trust = min(max((gap(face) - gap(faces[calm])) / _OPENED, 0.0), 1.0)
        face[upper] += (1.0 - trust) * fix_upper
        face[lower] += (1.0 - trust) * fix_lower
        face[lower, 1] = np.maximum(face[lower, 1], face[upper, 1])
        for outer, inner in ((61, 78), (291, 308)):
            face[outer, 1] = (face[outer, 1] + face[inner, 1]) / 2
    return made


def _shares(wider: Floats) -> tuple[float, ...]:
    """How much each frame of a clip borrows that is so many units ``wider`` open than the calmest.

    It begins some frames before it is needed and ends some after, so that one look passes into the other.
    """
    needed = maximum_filter1d(ease((wider - 0.02) / 0.05), 7, mode="nearest")
    return tuple(float(share) for share in gaussian_filter1d(needed, 1.2, mode="nearest", truncate=2.5))


def _boxes(avatar: Avatar, pose: HeadPose, controls: Floats) -> tuple[Box, Box]:
    """What may change, and within it the lips with room for how far their pixels come."""
    middle = controls[list(rig.CORNERS)].mean(axis=0)
    box = even_box(*reach(pose, middle), avatar.width, avatar.height)
    low, high = (pose.scale * np.array(side) for side in ((-0.80, -0.55), (0.80, 0.75)))
    return box, even_box_within(middle + low, middle + high, box)


def _portrait(
    avatar: Avatar, pose: HeadPose, controls: Floats, face: Floats, points: Floats, *, heal: bool
) -> Portrait:
    box = even_box(*head.reach(pose), avatar.width, avatar.height)
    _, mouth = _boxes(avatar, pose, controls)
    planes = _consistent(avatar.frame_i420(0))
    nodes = make_nodes(box, max(1, round(pose.scale / SKIN_CELLS)))
    field = head_field(nodes.places, pose, face[1], avatar.width, avatar.height)
    eyes = eyes_of(np.ascontiguousarray(planes[: avatar.height]), points[:, :2], pose.scale, box)
    source = open_source(planes, pose, controls, box, mouth, heal=heal)
    middle = controls[list(rig.CORNERS)].mean(axis=0)
    rows, columns = nodes.shape
    column, row = nodes.at(middle)
    lips = min(max(round(row), 0), rows - 1), min(max(round(column), 0), columns - 1)
    return Portrait(source, nodes, field, eyes, nodes.cells(*reach(pose, middle)), lips)


def _consistent(planes: Bytes) -> Bytes:
    """The frame after the way to interleaved YUV and back, so that moving parts match resting ones."""
    made = np.array(planes)
    whole = Box(0, 0, planes.shape[1], planes.shape[0] * 2 // 3)
    write_yuv(made, whole, yuv_of(planes, whole))
    return made
