"""Skin: a height field under a few lamps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.lipsync.avatar.portrait._paint import (
    MIDDLE,
    SCALE,
    Canvas,
    Color,
    Field,
    Paint,
    curve,
    mirrored,
    placed,
    rgb,
)

FACE = (
    (0, 168), (50, 174), (90, 202), (112, 248), (119, 298), (118, 345), (111, 390), (96, 434), (71, 474),
    (42, 501), (17, 512), (0, 514),
)  # fmt: skip
"""Right half of the outline, from the hairline to the chin."""
SKIN = rgb("f0c2a2")

_DEPTH_AT, _DEPTH_HALF = (150, 230, 300, 400, 450, 530), (128, 127, 126, 126, 120, 104)
"""Half width of the head, where its depth comes from, at some heights."""

Vector = npt.NDArray[np.float32]


def _unit(x: float, y: float, z: float) -> Vector:
    vector = np.array([x, y, z], np.float32)
    return vector / np.linalg.norm(vector).astype(np.float32)


_KEY, _FILL = _unit(-0.50, -0.52, 0.70), _unit(0.75, -0.10, 0.65)
_GLEAM = _unit(*(_KEY + _unit(0, 0, 1)))


def lit(height: Field, albedo: Paint | Color) -> Paint:
    """A height field, in units, under lamps. Red reaches furthest into the shade, as it does through skin."""
    down, right = np.gradient(height, 1 / SCALE)
    length = np.sqrt(right * right + down * down + 1)
    normal = np.stack([-right / length, -down / length, 1 / length], axis=-1)
    wrap = np.array([0.50, 0.34, 0.28], np.float32)
    key = np.clip(((normal @ _KEY)[..., np.newaxis] + wrap) / (1 + wrap), 0, 1) ** 1.25
    fill = np.clip((normal @ _FILL + 0.3) / 1.3, 0, 1)[..., np.newaxis]
    sky = (0.5 - 0.5 * normal[..., 1])[..., np.newaxis]
    light = key * np.array([0.93, 0.885, 0.84], np.float32)
    light += fill * np.array([0.149, 0.167, 0.186], np.float32)
    light += (0.09 + 0.11 * sky) * np.array([1.0, 0.97, 0.95], np.float32)
    gleam = np.clip(normal @ _GLEAM, 0, 1)[..., np.newaxis]
    return np.asarray(albedo * light + 0.07 * gleam**18 + 0.035 * gleam**60, np.float32)


def paint_face(whole: Canvas) -> None:
    """The face without eyes, brows and lips."""
    canvas = whole.window(225, 150, 495, 530)
    shape = canvas.mask(curve(mirrored(FACE)), soften=0.5)
    height = _relief(canvas)
    canvas.over(lit(height, _complexion(canvas)), shape)
    hollow = np.clip((canvas.blurred(height, 9) - height) / 9, 0, 1)
    canvas.glaze(rgb("c98a78"), np.asarray(hollow * shape, np.float32), 0.75)
    canvas.glow(rgb("ffe6d6"), canvas.bump(MIDDLE - 3, 356, 3.6, 24), 0.055)
    canvas.glow(rgb("fff0e6"), canvas.bump(MIDDLE - 4, 386, 5.0, 4.2), 0.13)
    for right in (False, True):
        _lines(canvas, right=right)


def _relief(canvas: Canvas) -> Field:
    half = np.interp(canvas.y[:, 0], _DEPTH_AT, _DEPTH_HALF).astype(np.float32)[:, np.newaxis]
    u = np.abs(canvas.x - np.float32(MIDDLE)) / half
    v = (canvas.y - np.float32(335)) / np.float32(178)
    inner = 1 - 0.90 * np.clip(u, 0, 1.1) ** 2.4 - 0.42 * np.clip(v, 0, 1.1) ** 4
    inner = inner - 0.40 * np.clip(-v, 0, 1.05) ** 2.4
    relief = 116 * np.sqrt(np.maximum(inner, 0.012))
    for x, y, wide, high, below, by in _HILLS:
        relief += by * (
            canvas.pair(x, y, wide, high, below) if x else canvas.bump(MIDDLE, y, wide, high, below)
        )
    return np.asarray(relief, np.float32)


_HILLS = (
    # offset from the middle, y, width, extent upwards and downwards, height
    (56, 327, 27, 15, 15, -13.0),  # eye sockets
    (30, 322, 10, 14, 14, -5.0),
    (58, 330, 20, 12, 12, 6.5),  # eyeballs
    (60, 293, 34, 11, 11, 4.5),  # brow ridges
    (0, 285, 22, 16, 16, 3.0),
    (0, 348, 12, 30, 26, 9.0),  # nose: bridge, ridge, tip, wings
    (0, 372, 13.5, 22, 16, 14.0),
    (0, 387, 14.5, 12, 7.5, 15.0),
    (17.5, 391, 8.0, 9, 6.5, 9.5),
    (28, 390, 4, 9, 8, -3.0),
    (70, 380, 32, 26, 34, 8.5),  # cheeks
    (0, 432, 46, 24, 26, 7.5),  # round the mouth
    (0, 413, 4.5, 9, 9, -2.0),  # philtrum
    (7.5, 413, 3.2, 10, 10, 1.2),
    (52, 441, 8, 8, 8, -2.4),
    (0, 468, 30, 7, 7, -5.0),  # below the lips
    (0, 491, 30, 15, 13, 9.0),  # chin
)


def _complexion(canvas: Canvas) -> Paint:
    skin = canvas.layer(SKIN)
    skin.over(rgb("dd8a70"), canvas.pair(74, 390, 30, 22), 0.45)
    skin.over(rgb("dc8f76"), canvas.bump(MIDDLE, 388, 20, 14), 0.38)
    skin.over(rgb("d99a80"), canvas.bump(MIDDLE, 492, 30, 14), 0.22)
    skin.over(rgb("cf8d74"), canvas.pair(57, 316, 32, 10), 0.45)
    skin.over(rgb("d99c84"), canvas.pair(56, 346, 24, 7), 0.35)
    grain = np.random.default_rng(1).normal(0, 1, canvas.paint.shape[:2]).astype(np.float32)
    skin.paint *= (1 + 0.035 * canvas.blurred(grain, 0.5))[..., np.newaxis]
    return skin.paint


def _lines(canvas: Canvas, *, right: bool) -> None:
    fold = curve(placed([(30, 399), (43, 411), (55, 426)], right=right), closed=False)
    canvas.glaze(rgb("c07c68"), canvas.stroke(fold, (0.6, 4.0, 1.0), 4.0), 0.36)
    nostril = curve(placed([(6, 401), (11, 398), (17.5, 398.5), (19, 402), (13, 404.5)], right=right))
    canvas.glaze(rgb("6a2e26"), canvas.mask(nostril, soften=1.3), 0.85)
    wing = curve(placed([(22, 380), (27.5, 387), (27.5, 396), (22, 402)], right=right), closed=False)
    canvas.glaze(rgb("b0705c"), canvas.stroke(wing, (0.5, 2.4, 0.8), 1.6), 0.55)
