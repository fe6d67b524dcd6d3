"""Whole frames: a portrait that sways and blinks, or a frame of a clip, with the mouth that is asked for."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from mouthpiece.core.timeline import clip_index
from services.lipsync.engines.viseme import rig
from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles
from services.lipsync.engines.viseme.eyes import close_lid
from services.lipsync.engines.viseme.grid import make_nodes
from services.lipsync.engines.viseme.idle import Idle, idle
from services.lipsync.engines.viseme.lips import Held, borrow, draw_lips, lip_nodes
from services.lipsync.engines.viseme.motion import SKIN_CELLS, Motion, mouth_motions
from services.lipsync.engines.viseme.mouth import Jaw
from services.lipsync.engines.viseme.prepared import Portrait, Prepared
from services.lipsync.engines.viseme.source import Source
from services.lipsync.engines.viseme.surface import Box, Origins, sample, write_yuv
from services.lipsync.engines.viseme.visemes import Channel

_EDGE = 8
"""Pixels over which chroma passes from the avatar's own to that of the drawn picture."""


def draw_frame(
    prepared: Prepared, frame: int, fps: Fraction, seed: int, pose: Floats, accent: float
) -> Bytes:
    """Frame ``frame`` of the job as I420, with the mouth in ``pose``, a row of an articulation track.

    ``accent``, -1..1, is how much the voice stands out; only a portrait shows it.
    """
    if prepared.portrait:
        return _portrait_frame(prepared, prepared.portrait, idle(frame, fps, seed), pose, accent)
    return _clip_frame(prepared, clip_index(frame, prepared.avatar.frames), pose)


def _clip_frame(prepared: Prepared, index: int, pose: Floats) -> Bytes:
    if index in prepared.avatar.empty:
        return prepared.avatar.frame_i420(index).copy()
    source, share = prepared.source(index), prepared.borrowed[index]
    lender = prepared.lender if share > 0.0 else None
    held = Held(source.pose, _target(prepared, source, pose), _jaw(prepared, pose))
    skin = make_nodes(source.box, max(1, round(source.pose.scale / SKIN_CELLS)))
    near = lip_nodes(held, source.box)
    controls = [source.controls] if lender is None else [source.controls, lender.controls]
    fields, motions = mouth_motions(source.pose, held.target, controls, skin.places, near.places)
    canvas = sample(source.skin, skin.origins(fields[0], source.box, source.fine))
    view = canvas[near.box.part_of(source.box)]
    loan = borrow(canvas, skin, fields[1], lender, held) if lender else None
    if loan:
        loan.lay(canvas[loan.box.part_of(source.box)], share)
    mouth = under = np.ascontiguousarray(view)
    if source.lips:
        mouth = draw_lips(under, near, source.lips, motions[0], held, prepared.interior)
    if loan and lender and lender.lips:
        light = loan.light_in(near.box)
        lent = draw_lips(under, near, lender.lips, motions[1], held, prepared.interior, light)
        mouth = np.asarray(cv2.addWeighted(lent, share, mouth, 1.0 - share, 0.0), np.uint8)
    view[:] = mouth
    planes = source.planes.copy()
    write_yuv(planes, source.box, canvas, _ramp(source.box))
    return planes


def _portrait_frame(
    prepared: Prepared, portrait: Portrait, idle_: Idle, pose: Floats, accent: float
) -> Bytes:
    source, nodes = portrait.source, portrait.nodes
    target = _target(prepared, source, pose)
    sway = portrait.field.displacement(idle_, accent)
    carried = -sway[portrait.lips].astype(np.float64)
    held = Held(source.pose.shifted(carried), target + carried, _jaw(prepared, pose))
    near = lip_nodes(held, source.box)
    sway_near = nodes.between(sway, near.places)
    cells = portrait.cells.rows, portrait.cells.columns
    skin_places, lip_places = nodes.places[cells] + sway[cells], near.places + sway_near
    (moved,), (lips,) = mouth_motions(source.pose, target, [source.controls], skin_places, lip_places)
    motion = Motion(lips.upper + sway_near, lips.lower + sway_near, lips.both + sway_near)
    sway[cells] += moved
    origins = nodes.origins(sway, source.box, source.fine)
    canvas = sample(source.skin, origins)
    if source.lips:
        view = canvas[near.box.part_of(source.box)]
        under = np.ascontiguousarray(view)
        view[:] = draw_lips(under, near, source.lips, motion, held, prepared.interior)
    if idle_.lids > 0.0:
        _blink(canvas, portrait, origins, idle_.lids)
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


def _blink(canvas: Bytes, portrait: Portrait, origins: Origins, shut: float) -> None:
    source = portrait.source
    for eye in portrait.eyes:
        part = eye.box.part_of(source.box)
        close_lid(canvas[part], source, origins.part(*part), eye, shut)


def _ramp(box: Box) -> Singles:
    """Weights (h / 2, w / 2) that rise from 0 at the edges of a box to 1 inside it."""
    across, down = (np.arange(side // 2, dtype=np.float32) for side in (box.width, box.height))
    x, y = (np.minimum(np.minimum(at, at[::-1]) / (_EDGE / 2), 1.0) for at in (across, down))
    return np.asarray(y[:, None] * x, np.float32)
