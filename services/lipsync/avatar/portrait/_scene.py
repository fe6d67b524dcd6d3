"""What is around the face: background, neck and clothes."""

from __future__ import annotations

import numpy as np

from services.lipsync.avatar.portrait._paint import MIDDLE, Canvas, Field, curve, mirrored, placed, ramp, rgb
from services.lipsync.avatar.portrait._skin import FACE, SKIN, lit

_NECK = ((0, 430), (57, 430), (55, 500), (57, 540), (70, 568), (110, 588), (150, 604), (150, 740), (0, 740))
_TOP = (
    (-66, 590), (-50, 604), (-26, 618), (0, 623), (26, 618), (50, 604), (66, 590), (110, 760), (-110, 760),
)  # fmt: skip
_JACKET = (
    (0, 760), (0, 712), (30, 640), (52, 596), (66, 566), (90, 574), (130, 588), (180, 604), (228, 630),
    (262, 672), (284, 760),
)  # fmt: skip
_LAPEL = (
    (66, 565), (86, 572), (108, 588), (118, 606), (96, 616), (106, 628), (84, 668), (40, 740), (0, 740),
    (0, 712), (30, 640), (52, 596),
)  # fmt: skip
_LIGHTS = (
    (128, 520, 40), (590, 150, 52), (628, 300, 34), (96, 170, 36), (574, 470, 44), (170, 400, 26),
)  # fmt: skip
"""Centre and radius of lamps out of focus."""


def background() -> Canvas:
    """A quiet room, far out of focus."""
    canvas = Canvas.blank(rgb("8fa6ab"))
    canvas.over(rgb("5d7882"), ramp(canvas.x * 0.55 + canvas.y, 330, 1050))
    canvas.over(rgb("dfe3dc"), canvas.bump(215, 210, 150, 190, 230), 0.75)
    canvas.over(rgb("c4cfcd"), canvas.bump(520, 240, 90, 170), 0.35)
    for at, (x, y, radius) in enumerate(_LIGHTS):
        near = canvas.window(x - radius - 8, y - radius - 8, x + radius + 8, y + radius + 8)
        disc = ramp(np.hypot(near.x - x, near.y - y), radius + 6, radius - 6)
        near.over(rgb(("f4e3c4", "e9eeea")[at % 2]), disc, 0.12)
    return canvas


def paint_neck(whole: Canvas) -> None:
    """Neck and throat, with the shadow of the chin."""
    canvas = whole.window(200, 420, 520, 760)
    u = np.abs(canvas.x - np.float32(MIDDLE)) / np.float32(74)
    height = 60 * np.sqrt(np.maximum(1 - 0.86 * np.clip(u, 0, 1.05) ** 2.2, 0.05))
    height = height * (1 - ramp(canvas.y, 545, 640) * 0.75) + 34 * ramp(canvas.y, 540, 660)
    height = height + 1.6 * canvas.pair(30, 575, 12, 40) - 4 * canvas.bump(MIDDLE, 592, 11, 10)
    shape = canvas.mask(curve(mirrored(_NECK), 6), soften=0.6)
    canvas.over(lit(np.asarray(height, np.float32), SKIN * np.float32(0.96)), shape)
    chin = curve([(MIDDLE + 4 + 0.98 * (x - MIDDLE), y + 34) for x, y in mirrored(FACE)])
    canvas.glaze(rgb("b06a55"), canvas.mask(chin, soften=9) * shape, 0.85)
    canvas.glaze(rgb("c08270"), ramp(canvas.y, 560, 470) * shape, 0.35)


def paint_clothes(whole: Canvas) -> None:
    """A jacket over a light top."""
    canvas = whole.window(50, 540, 670, 760)
    top = canvas.mask(curve(placed(_TOP)), soften=0.5)
    canvas.glaze(rgb("a9705c"), canvas.mask(curve(placed(_TOP)) - np.array([0, 3]), soften=4), 0.5)
    canvas.over(rgb("efe9df"), top)
    canvas.glaze(rgb("b9b4ae"), top * ramp(canvas.x, MIDDLE - 20, MIDDLE + 70), 0.8)
    hem = curve([(x, y + 3) for x, y in placed(_TOP[:7])], closed=False)
    canvas.glaze(rgb("b5aca2"), canvas.stroke(hem, 1.2, 0.6), 0.7)
    for right in (False, True):
        _jacket(canvas, top, right=right)


def _jacket(canvas: Canvas, top: Field, *, right: bool) -> None:
    outline = curve(placed(_JACKET, right=right), 8)
    away = np.array([8.0 if not right else -8.0, 6.0])
    side = canvas.mask(outline, soften=0.5)
    canvas.glaze(rgb("75707a"), canvas.mask(outline + away, soften=7) * top * (1 - side), 0.75)
    cloth = canvas.layer(rgb("28475a"))
    shoulder = canvas.bump(MIDDLE + (140 if right else -150), 606, 80, 22, 44)
    cloth.over(rgb("4a7188"), shoulder, 0.5 if right else 0.85)
    cloth.over(rgb("182b39"), np.broadcast_to(ramp(canvas.y, 600, 720), side.shape), 0.6)
    canvas.over(cloth.paint, side)
    _lapel(canvas, side, right=right)


def _lapel(canvas: Canvas, side: Field, *, right: bool) -> None:
    outline = placed(_LAPEL, right=right)
    flap = canvas.mask(outline, soften=0.5)
    under = canvas.mask(outline + np.array([5 if right else -5, 6]), soften=5)
    canvas.glaze(rgb("1d2a35"), under * side * (1 - flap), 0.7)
    canvas.over(rgb("32566c" if right else "3d657c"), flap)
    canvas.glaze(rgb("2c4050"), flap * ramp(canvas.y, 590, 720), 0.6)
    edge = placed([(66, 566), (52, 596), (30, 640), (0, 712)], right=right)
    canvas.glow(rgb("9fc0d0"), canvas.stroke(edge, 1.3, 0.7), 0.22)
    seam = placed([(118, 606), (96, 616), (52, 590)], right=right)
    canvas.glaze(rgb("1d2f3c"), canvas.stroke(seam, 1.2, 0.5), 0.6)
