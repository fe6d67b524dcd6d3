"""Hair, strand by strand."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from services.lipsync.avatar.portrait._paint import MIDDLE, Canvas, Curve, Points, curve, placed, ramp, rgb

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
        (21, 121), (-28, 116), (-88, 134), (-128, 186), (-146, 268),
        (-152, 356), (-152, 440), (-155, 520), (-145, 588), (-114, 632),
    ),
    inner=(
        (27, 192), (3, 194), (-38, 209), (-80, 241), (-107, 290),
        (-119, 352), (-115, 430), (-105, 505), (-92, 566), (-76, 606),
    ),
    ribbons=12, light=1.0, seed=21,
)  # fmt: skip
_RIGHT = _Side(
    outer=(
        (19, 121), (66, 116), (112, 138), (140, 192), (150, 272),
        (154, 358), (153, 440), (156, 520), (147, 588), (116, 634),
    ),
    inner=(
        (25, 192), (50, 193), (81, 212), (105, 250), (116, 302),
        (120, 358), (115, 432), (106, 506), (93, 566), (78, 606),
    ),
    ribbons=10, light=0.72, seed=42,
)  # fmt: skip
_PARTING = ((20, 122), (22, 144), (25, 168), (26, 188))
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
    canvas.over(
        rgb("b98d74"), canvas.stroke(curve(placed(_PARTING), closed=False), (0.4, 1.8, 2.2), 0.8), 0.5
    )


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
        self._turn = 1 if guides[0][-1][0] < MIDDLE else -1
        self.along = np.linspace(0, 1, len(guides[0]))
        self.cover, self.tone = (np.zeros(canvas.paint.shape[:2], np.uint8) for _ in range(2))
        body = canvas.fixed(np.vstack([self._outer[:-8], self._inner[:-8][::-1]]))
        for field, value in ((self.cover, 255), (self.tone, 45)):
            cv2.fillPoly(field, [body], value, lineType=cv2.LINE_AA, shift=4)

    def ribbon(self, low: float, high: float, strands: int) -> None:
        """Strands between two places across that wave together and end together."""
        rng, along = self.rng, self.along
        # Neighbours wave nearly alike, or the hair would look tangled.
        wave = 2 * np.pi * rng.normal(1.75, 0.05) * along + 1.1 * low + rng.normal(0, 0.22)
        sway = self._turn * rng.uniform(5.5, 8.5) * np.sin(wave) * ramp(along, 0.32, 0.8)
        shine = np.exp(-0.5 * ((along - 0.225 + rng.normal(0, 0.010)) / 0.06) ** 2)
        shine = shine + 0.6 * np.clip(np.cos(wave - 0.6), 0, 1) ** 3 * ramp(along, 0.34, 0.5)
        tone, reach = rng.normal(68, 7), rng.uniform(0.95, 1.0)
        for across in rng.permutation(np.linspace(0, 1, strands)):
            place = low + (high - low) * (0.5 + (across - 0.5) * (1 - 0.55 * along**5))
            drift = rng.normal(0, 0.006) + rng.normal(0, 0.008) * along
            path = self._between(place + drift)
            path[:, 0] += sway
            # Ribbons part from each other only below the crown.
            depth = 0.55 * (1 - np.sin(np.pi * np.clip(across, 0.02, 0.98))) * ramp(along, 0.12, 0.5)
            value = tone + rng.normal(0, 15) + 150 * shine * rng.uniform(0.5, 1.1) * self._light
            value = np.clip(value * (1 - depth) * (1 - 0.12 * along), 12, 255)
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
