"""Whole frames: a portrait that sways and blinks, or a frame of a clip, with the mouth that is asked for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from mouthpiece.core.timeline import clip_index
from services.lipsync.engines.viseme import rig
from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles
from services.lipsync.engines.viseme.eyes import close_lid
from services.lipsync.engines.viseme.idle import Idle, idle
from services.lipsync.engines.viseme.mouth import Jaw
from services.lipsync.engines.viseme.prepared import Portrait, Prepared
from services.lipsync.engines.viseme.renderer import Motion, draw_mouth, make_nodes, mouth_motion
from services.lipsync.engines.viseme.source import Source
from services.lipsync.engines.viseme.surface import Box, sample, write_yuv
from services.lipsync.engines.viseme.visemes import Channel

_EDGE = 8
"""Pixels over which chroma passes from the avatar's own to that of the drawn picture."""


def draw_frame(prepared: Prepared, frame: int, fps: Fraction, seed: int, pose: Floats) -> Bytes:
    """Frame ``frame`` of the job as I420, with the mouth in ``pose``, a row of an articulation track."""
    if prepared.portrait:
        return _portrait_frame(prepared, prepared.portrait, idle(frame, fps, seed), pose)
    return _clip_frame(prepared, clip_index(frame, prepared.avatar.frames), pose)


def _clip_frame(prepared: Prepared, index: int, pose: Floats) -> Bytes:
    source = prepared.source(index)
    target = _target(prepared, source, pose)
    nodes = make_nodes(source.box, source.pose.scale)
    motion = mouth_motion(source, target, nodes.places)
    x, y = nodes.origins(motion.both)
    canvas = sample(source.upper, x - source.box.x0, y - source.box.y0)
    draw_mouth(canvas, nodes, source, motion, target, prepared.interior, _jaw(prepared, pose))
    planes = source.planes.copy()
    write_yuv(planes, source.box, canvas, _ramp(source.box))
    return planes


def _portrait_frame(prepared: Prepared, portrait: Portrait, held: Idle, pose: Floats) -> Bytes:
    source, nodes = portrait.source, portrait.nodes
    target = _target(prepared, source, pose)
    sway = portrait.field.displacement(held)
    rows, columns = portrait.cells.rows, portrait.cells.columns
    lips = mouth_motion(source, target, nodes.places[rows, columns] + sway[rows, columns])
    fields = [sway.copy() for _ in range(3)]
    for field, part in zip(fields, (lips.upper, lips.lower, lips.both), strict=True):
        field[rows, columns] += part
    x, y = nodes.origins(fields[2])
    canvas = sample(source.upper, x - source.box.x0, y - source.box.y0)
    carried = -sway[portrait.lips].astype(np.float64)
    shown = replace(source, pose=source.pose.shifted(carried))
    draw_mouth(
        canvas, nodes, shown, Motion(*fields), target + carried, prepared.interior, _jaw(prepared, pose)
    )
    if held.lids > 0.0:
        _blink(canvas, portrait, (x, y), held.lids)
    planes = source.planes.copy()
    write_yuv(planes, source.box, canvas)
    return planes


def _target(prepared: Prepared, source: Source, pose: Floats) -> Floats:
    """Where the control points go, in pixels; those that never move stay on their pixels."""
    target = source.pose.project(prepared.rig.controls(pose))
    fixed = list(rig.FIXED_CONTROLS)
    target[fixed] = source.controls[fixed]
    return target


def _jaw(prepared: Prepared, pose: Floats) -> Jaw:
    return Jaw(float(pose[Channel.JAW]) * prepared.rig.jaw_drop, float(pose[Channel.TONGUE]))


def _blink(canvas: Bytes, portrait: Portrait, origins: tuple[Singles, Singles], shut: float) -> None:
    box = portrait.source.box
    for eye in portrait.eyes:
        rows = slice(max(eye.box.y0 - box.y0, 0), max(eye.box.y1 - box.y0, 0))
        columns = slice(max(eye.box.x0 - box.x0, 0), max(eye.box.x1 - box.x0, 0))
        near = (origins[0][rows, columns], origins[1][rows, columns])
        if near[0].size:
            close_lid(canvas[rows, columns], portrait.source.upper, (box.x0, box.y0), near, eye, shut)


def _ramp(box: Box) -> Singles:
    """Weights (h / 2, w / 2) that rise from 0 at the edges of a box to 1 inside it."""
    across, down = (np.arange(side // 2, dtype=np.float32) for side in (box.width, box.height))
    x, y = (np.minimum(np.minimum(at, at[::-1]) / (_EDGE / 2), 1.0) for at in (across, down))
    return np.asarray(y[:, None] * x, np.float32)
