"""Hair, strand by strand."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from services.lipsync.avatar.portrait._paint import Canvas, Curve, Points, curve, placed, ramp, rgb

_DARK, _BASE, _SHINE = rgb("180e0a"), rgb("5a3724"), rgb("d39b69")
_STEPS = 12

_Bytes = npt.NDArray[np.uint8]
_Along = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of the hair, from the parting (`outer` at the crown, `inner` at the forehead) to the tips.

    Points are offsets from the middle. Strands lie between the two guides, gathered in ribbons.
    """

    outer: Points
    inner: Points
    ribbons: int
    light: float
    seed: int


_LEFT = _Side(
    outer=(
        (21, 127), (-28, 118), (-88, 134), (-128, 186), (-146, 268),
        (-151, 356), (-150, 440), (-154, 520), (-142, 586), (-108, 628),
    ),
    inner=(
        (26, 184), (2, 186), (-38, 202), (-80, 236), (-108, 288),
        (-121, 352), (-117, 430), (-105, 505), (-92, 566), (-76, 610),
    ),
    ribbons=12, light=1.0, seed=21,
)  # fmt: skip
_RIGHT = _Side(
    outer=(
        (19, 127), (66, 117), (112, 138), (140, 192), (150, 272),
        (153, 358), (151, 440), (155, 520), (144, 586), (110, 630),
    ),
    inner=(
        (24, 184), (50, 185), (82, 206), (106, 246), (118, 300),
        (122, 358), (117, 432), (105, 506), (93, 566), (78, 610),
    ),
    ribbons=10, light=0.72, seed=42,
)  # fmt: skip
_BACK = (
    (-138, 250), (-150, 360), (-146, 470), (-140, 560), (-112, 606), (-56, 590), (0, 560),
    (56, 590), (112, 606), (140, 560), (146, 470), (150, 360), (138, 250), (90, 150), (0, 128), (-90, 150),
)  # fmt: skip


def paint_back_hair(canvas: Canvas) -> None:
    """What is behind the neck."""
    canvas.over(rgb("1b100b"), canvas.mask(curve(placed(_BACK)), soften=1.5))


def paint_front_hair(whole: Canvas) -> None:
    """What frames the face, with its shadow on the face."""
    canvas = whole.window(180, 90, 540, 660)
    for side in (_RIGHT, _LEFT):
        outer, inner = _guides(side)
        shadow = np.vstack([outer, inner[::-1]]) + np.array([3, 6])
        canvas.glaze(rgb("8a5240"), canvas.mask(shadow, soften=7), 0.60)
    for side in (_RIGHT, _LEFT):
        _paint_side(canvas, side)


def _guides(side: _Side) -> tuple[Curve, Curve]:
    outer, inner = (curve(placed(points), _STEPS, closed=False) for points in (side.outer, side.inner))
    return outer, inner


class _Strands:
    """Strands as they are drawn: where there is hair, and how bright it is."""

    def __init__(self, canvas: Canvas, guides: tuple[Curve, Curve], light: float, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._canvas = canvas
        self._outer, self._inner = guides
        self._light = light
        self.along = np.linspace(0, 1, len(guides[0]))
        self.cover, self.tone = (np.zeros(canvas.paint.shape[:2], np.uint8) for _ in range(2))
        body = canvas.fixed(np.vstack([self._outer[:-8], self._inner[:-8][::-1]]))
        for field, value in ((self.cover, 255), (self.tone, 45)):
            cv2.fillPoly(field, [body], value, lineType=cv2.LINE_AA, shift=4)

    def ribbon(self, low: float, high: float, strands: int) -> None:
        """Strands between two places across that wave together and end together."""
        rng, along = self.rng, self.along
        wave = 2 * np.pi * rng.uniform(1.3, 1.7) * along + rng.uniform(0, 1.2)
        sway = rng.uniform(3.0, 5.5) * np.sin(wave) * ramp(along, 0.3, 0.85)
        shine = np.exp(-0.5 * ((along - 0.225 + rng.normal(0, 0.010)) / 0.06) ** 2)
        shine = shine + 0.5 * np.clip(np.cos(wave - 0.6), 0, 1) ** 3 * ramp(along, 0.34, 0.5)
        tone, reach = rng.normal(68, 7), rng.uniform(0.95, 1.0)
        for across in rng.permutation(np.linspace(0, 1, strands)):
            place = low + (high - low) * (0.5 + (across - 0.5) * (1 - 0.55 * along**5))
            drift = rng.normal(0, 0.006) + rng.normal(0, 0.008) * along
            path = self._between(place + drift)
            path[:, 0] += sway
            # Ribbons part from each other only below the crown.
            depth = 0.55 * (1 - np.sin(np.pi * np.clip(across, 0.02, 0.98))) * ramp(along, 0.12, 0.5)
            value = tone + rng.normal(0, 15) + 150 * shine * rng.uniform(0.5, 1.1) * self._light
            value = np.clip(value * (1 - depth) * (1 - 0.25 * along), 12, 255)
            self._draw(path, value, int(len(along) * min(1.0, reach * rng.uniform(0.96, 1.02))))

    def _between(self, place: _Along) -> Curve:
        share = place[:, np.newaxis]
        return self._outer * (1 - share) + self._inner * share

    def _draw(self, path: Curve, tone: _Along, end: int) -> None:
        fixed = self._canvas.fixed(path[:end])
        for at in range(0, len(fixed) - 2, 2):
            piece = [fixed[at : at + 3]]
            cv2.polylines(self.tone, piece, False, int(tone[at]), 1, cv2.LINE_AA, 4)
        cv2.polylines(self.cover, [fixed], False, 255, 1, cv2.LINE_AA, 4)


def _paint_side(canvas: Canvas, side: _Side) -> None:
    strands = _Strands(canvas, _guides(side), side.light, side.seed)
    rng = strands.rng
    order = [*rng.permutation(side.ribbons), *rng.permutation(side.ribbons)[: side.ribbons // 2]]
    for at in order:
        strands.ribbon((at - 0.6) / side.ribbons, (at + 1.6) / side.ribbons, 70)
    for _ in range(40):  # single hairs, some of them astray
        at = float(rng.choice([rng.uniform(-0.05, 0.02), rng.uniform(0.0, 1.0), rng.uniform(0.98, 1.03)]))
        strands.ribbon(at, at, 1)
    tone = canvas.blurred(strands.tone.astype(np.float32) / np.float32(255), 0.25)
    color = _DARK + (_BASE - _DARK) * ramp(tone, 0.04, 0.46)[..., np.newaxis]
    color = color + (_SHINE - _BASE) * (ramp(tone, 0.36, 1.05) ** 1.25)[..., np.newaxis]
    cover = canvas.blurred(strands.cover.astype(np.float32) / np.float32(255), 0.2)
    canvas.over(np.asarray(color, np.float32), cover)
