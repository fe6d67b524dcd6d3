"""Whole frames: a portrait that sways and blinks, or a frame of a clip, with the mouth that is asked for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mouthpiece.core.timeline import clip_index
from services.lipsync.engines.viseme import rig
from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles
from services.lipsync.engines.viseme.eyes import close_lid
from services.lipsync.engines.viseme.idle import Idle, idle
from services.lipsync.engines.viseme.mouth import Jaw
from services.lipsync.engines.viseme.prepared import Portrait, Prepared
from services.lipsync.engines.viseme.renderer import (
    Held,
    Motion,
    borrowed_lips,
    draw_lips,
    lip_part,
    make_nodes,
    mouth_motions,
    put,
    seen,
)
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
    held = Held(source.pose, _target(prepared, source, pose), _jaw(prepared, pose))
    nodes = make_nodes(source.box, source.pose.scale)
    lender, share = prepared.lender, prepared.borrowed[index]
    controls = [source.controls] if lender is None or share <= 0.0 else [source.controls, lender.controls]
    motions = mouth_motions(source.pose, held.target, controls, nodes.places)
    x, y = nodes.origins(motions[0].both)
    canvas = sample(source.upper, x - source.box.x0, y - source.box.y0)
    part = lip_part(nodes, held.target, source.pose.scale)
    skin = seen(canvas, nodes, part).astype(np.float32)
    picture = skin.copy()
    if share < 1.0:
        picture = draw_lips(skin, part, source, motions[0], held, prepared.interior)
    if lender is not None and share > 0.0:
        lent = borrowed_lips(skin, part, lender, motions[1], held, prepared.interior)
        picture += (lent - picture) * np.float32(share)
    put(canvas, nodes, part, picture)
    planes = source.planes.copy()
    write_yuv(planes, source.box, canvas, _ramp(source.box))
    return planes


def _portrait_frame(prepared: Prepared, portrait: Portrait, idle_: Idle, pose: Floats) -> Bytes:
    source, nodes = portrait.source, portrait.nodes
    target = _target(prepared, source, pose)
    sway = portrait.field.displacement(idle_)
    rows, columns = portrait.cells.rows, portrait.cells.columns
    places = nodes.places[rows, columns] + sway[rows, columns]
    (lips,) = mouth_motions(source.pose, target, [source.controls], places)
    fields = [sway.copy() for _ in range(3)]
    for field, moved in zip(fields, (lips.upper, lips.lower, lips.both), strict=True):
        field[rows, columns] += moved
    motion = Motion(*fields)
    x, y = nodes.origins(motion.both)
    canvas = sample(source.upper, x - source.box.x0, y - source.box.y0)
    carried = -sway[portrait.lips].astype(np.float64)
    held = Held(source.pose.shifted(carried), target + carried, _jaw(prepared, pose))
    part = lip_part(nodes, held.target, source.pose.scale)
    skin = seen(canvas, nodes, part).astype(np.float32)
    put(canvas, nodes, part, draw_lips(skin, part, source, motion, held, prepared.interior))
    if idle_.lids > 0.0:
        _blink(canvas, portrait, (x, y), idle_.lids)
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
