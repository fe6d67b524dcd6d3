"""Eyes, brows and lips."""

from __future__ import annotations

import numpy as np

from services.lipsync.avatar.portrait._paint import (
    MIDDLE,
    Canvas,
    Curve,
    Field,
    Points,
    brushed,
    curve,
    placed,
    ramp,
    rgb,
)

_UPPER_LID = ((26.8, 333.8), (34, 326.2), (45, 318.6), (58, 315.4), (71, 317.6), (82, 323.6), (91, 330.8))
_LOWER_LID = ((91, 330.8), (82, 337.0), (70, 341.6), (57, 342.8), (44, 340.8), (34, 337.4), (26.8, 333.8))
_IRIS_X, _IRIS_Y, _IRIS_RADIUS = 57.8, 328.0, 14.6
_INK = rgb("1c1110")


def paint_eyes(whole: Canvas) -> None:
    """Both eyes, looking at the viewer."""
    for right in (False, True):
        middle = MIDDLE + (_IRIS_X if right else -_IRIS_X)
        canvas = whole.window(middle - 50, 290, middle + 50, 365)
        _lids(canvas, right=right)
        _eyeball(canvas, right=right)
        _rims(canvas, right=right)
        canvas.over(_INK, canvas.mask(*_lashes(right=right)), 0.75)


def _open(points: Points, *, right: bool, down: float = 0.0) -> Curve:
    return curve(placed([(x, y + down) for x, y in points], right=right), closed=False)


def _lids(canvas: Canvas, *, right: bool) -> None:
    crease = _open(((28, 322), (38, 313), (51, 307), (64, 306), (78, 310), (91, 319.5)), right=right)
    canvas.glaze(rgb("9a5f4c"), canvas.stroke(crease, (0.5, 2.4, 2.6, 0.6), 1.1), 0.72)
    lid = np.vstack([crease, _open(_UPPER_LID, right=right)[::-1]])
    canvas.glaze(rgb("b87a64"), canvas.mask(lid, soften=2.0), 0.42)
    shine = curve(placed([(45, 314), (58, 309.5), (71, 312), (58, 312.5)], right=right))
    canvas.glow(rgb("ffd9c0"), canvas.mask(shine, soften=2.0), 0.10)


def _eyeball(canvas: Canvas, *, right: bool) -> None:
    sign = 1 if right else -1
    x, y = MIDDLE + sign * _IRIS_X, _IRIS_Y
    ball = canvas.layer(rgb("ece7e3"))
    ball.over(rgb("d9a79c"), ball.bump(MIDDLE + sign * 29.5, 334, 5, 4), 0.8)
    ball.over(rgb("cfb0a8"), ball.bump(MIDDLE + sign * 91, 331, 7, 6), 0.6)
    ball.glaze(rgb("9d8f90"), ramp(np.hypot(ball.x - x, (ball.y - y) * 1.1), 15, 36), 0.45)
    _iris(ball, x, y)
    shade = ball.stroke(_open(_UPPER_LID, right=right, down=2), 9, 2.0)
    ball.glaze(rgb("5a4a4c"), shade, 0.72)
    for dx, dy, size, power in ((-4.9, -5.4, 2.7, 0.95), (4.4, 5.8, 1.9, 0.22)):
        spot = ramp(np.hypot(ball.x - x - dx, ball.y - y - dy), size + 0.7, size - 0.9)
        ball.glow(rgb("ffffff"), spot, power)
    edges = np.vstack([_open(_UPPER_LID, right=right), _open(_LOWER_LID, right=right)])
    canvas.over(ball.paint, canvas.mask(edges, soften=0.35))


def _iris(ball: Canvas, x: float, y: float) -> None:
    away = np.hypot(ball.x - x, ball.y - y)
    angle = np.arctan2(ball.y - y, ball.x - x)
    rng = np.random.default_rng(11)
    rays = np.zeros_like(angle)
    for waves in (7, 11, 17, 23, 31, 43):
        rays += rng.uniform(0.3, 1) * np.cos(waves * angle + rng.uniform(0, 6.28))
    iris = ball.layer(rgb("6b4526"))
    iris.over(rgb("a8763c"), np.asarray(ramp(away, 11.5, 5.5) * (0.75 + 0.11 * rays), np.float32), 0.85)
    iris.over(rgb("c79a58"), iris.bump(x + 2.7, y + 6, 6, 4.4), 0.55)
    iris.over(rgb("2b1a10"), ramp(away, _IRIS_RADIUS - 4.4, _IRIS_RADIUS + 0.2), 0.9)
    iris.over(rgb("0c0706"), ramp(away, 6.8, 5.4))
    ball.over(iris.paint, ramp(away, _IRIS_RADIUS + 0.7, _IRIS_RADIUS - 0.7))


def _rims(canvas: Canvas, *, right: bool) -> None:
    wet = _open(_LOWER_LID[1:], right=right, down=0.9)
    canvas.over(rgb("d89c88"), canvas.stroke(wet, (0.6, 1.7, 1.2), 0.6), 0.65)
    below = _open(_LOWER_LID[:-1], right=right, down=2.2)
    canvas.glaze(rgb("7a4a3e"), canvas.stroke(below, (1.8, 1.3, 0.5), 0.7), 0.55)
    bag = _open(((36, 347), (49, 352.5), (65, 353), (80, 348)), right=right)
    canvas.glaze(rgb("b98470"), canvas.stroke(bag, (0.6, 2.6, 0.8), 2.4), 0.42)
    line = _open((*_UPPER_LID, (95.5, 327.6)), right=right)
    canvas.over(_INK, canvas.stroke(line, (0.9, 2.2, 3.3, 3.6, 0.6), 0.45), 0.95)


def _lashes(*, right: bool) -> list[Curve]:
    rng = np.random.default_rng(5)
    edge = curve(_UPPER_LID, closed=False)
    lashes: list[Curve] = []
    for t in np.linspace(0.30, 1.0, 30):
        x, y = edge[int(t * (len(edge) - 1))]
        lean = -0.5 + 2.0 * t + rng.normal(0, 0.10)
        long = (2.2 + 5.0 * t) * rng.uniform(0.75, 1.1)
        tip = x + long * lean * 0.62, y - long * 0.66
        middle = (x + tip[0]) / 2 + 0.7 * lean, (y + tip[1]) / 2 + 0.9
        line = curve(placed([(x, y + 0.5), middle, tip], right=right), 6, closed=False)
        lashes.append(brushed(line, (1.4, 0.9, 0.2)))
    return lashes


_BROW_BELOW = ((27, 301), (44, 295.5), (64, 291), (83, 293), (101, 302.5))
_BROW_ABOVE = ((28, 297), (44, 287.5), (64, 282.5), (84, 286.5), (101.5, 301.5))


def paint_brows(whole: Canvas) -> None:
    """Brows: a soft shape and hairs."""
    canvas = whole.window(240, 265, 480, 320)
    low, high = curve(_BROW_BELOW, closed=False), curve(_BROW_ABOVE, closed=False)
    rng = np.random.default_rng(3)
    for right in (False, True):
        body = placed(np.vstack([low, high[::-1]]), right=right)
        canvas.over(rgb("4e3122"), canvas.mask(body, soften=2.2), 0.58)
        canvas.over(rgb("3b2317"), canvas.mask(*_brow_hairs(low, high, rng, right=right)), 0.55)


def _brow_hairs(low: Curve, high: Curve, rng: np.random.Generator, *, right: bool) -> list[Curve]:
    hairs: list[Curve] = []
    for t in np.repeat(np.linspace(0.0, 0.97, 90), 2):
        at = int(t * (len(low) - 1))
        start = low[at] + (high[at] - low[at]) * rng.uniform(0.05, 0.7)
        turn = np.deg2rad(-62 + 82 * min(1.0, t * 1.2) + rng.normal(0, 6))
        long = rng.uniform(6, 9) * (0.6 + 0.65 * min(t * 4, 1) - 0.45 * t)
        end = start + long * np.array([np.cos(turn), np.sin(turn)])
        bend = (start + end) / 2 + np.array([0.5, -0.5])
        line = curve(placed(np.stack([start, bend, end]), right=right), 5, closed=False)
        hairs.append(brushed(line, (1.0, 0.8, 0.2)))
    return hairs


_SEAM = (
    (-52, 433.4), (-37, 438.6), (-18, 441.0), (-7, 442.0), (0, 442.8),
    (7, 442.0), (18, 441.0), (37, 438.6), (52, 433.4),
)  # fmt: skip
_UPPER_LIP = (
    (-52, 433.4), (-36, 430.8), (-20, 426.6), (-8.5, 423.8), (0, 425.8),
    (8.5, 423.8), (20, 426.6), (36, 430.8), (52, 433.4),
)  # fmt: skip
_LOWER_LIP = (
    (-52, 433.4), (-39, 446.4), (-23, 456.5), (-9, 460.0), (0, 460.4),
    (9, 460.0), (23, 456.5), (39, 446.4), (52, 433.4),
)  # fmt: skip


def paint_lips(whole: Canvas) -> None:
    """Closed lips with the trace of a smile."""
    canvas = whole.window(295, 405, 425, 480)
    seam, upper, lower = (_open(points, right=True) for points in (_SEAM, _UPPER_LIP, _LOWER_LIP))
    _upper_lip(canvas, canvas.mask(np.vstack([upper, seam[::-1]]), soften=1.1))
    _lower_lip(canvas, canvas.mask(np.vstack([seam, lower[::-1]]), soften=1.1))
    bow = _open([(x, y - 1.6) for x, y in _UPPER_LIP[2:7]], right=True)
    canvas.glow(rgb("ffd0c0"), canvas.stroke(bow, (0.4, 1.6, 1.2, 1.6, 0.4), 0.9), 0.10)
    canvas.over(rgb("4c1a1a"), canvas.stroke(seam, (1.0, 1.6, 2.1, 1.8, 2.1, 1.6, 1.0), 0.6), 0.85)
    canvas.glaze(rgb("8a4a40"), canvas.pair(54.5, 433, 4, 3.5), 0.5)


def _upper_lip(canvas: Canvas, shape: Field) -> None:
    canvas.over(rgb("b65a52"), shape, 0.82)
    canvas.glaze(rgb("7f3a38"), shape * ramp(canvas.y, 428, 442), 0.5)


def _lower_lip(canvas: Canvas, shape: Field) -> None:
    canvas.over(rgb("c8685f"), shape, 0.80)
    depth = canvas.y + 0.012 * (canvas.x - MIDDLE) ** 2
    canvas.glaze(rgb("8d4743"), shape * ramp(depth, 450, 466), 0.5)
    canvas.glow(rgb("ffc9bd"), shape * canvas.bump(MIDDLE - 6, 449.5, 17, 3.6), 0.20)
    canvas.glow(rgb("ffffff"), shape * canvas.bump(MIDDLE - 9, 449, 8, 1.8), 0.10)
