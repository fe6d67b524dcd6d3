"""The inside of the mouth: a dark cavity, the tongue, and two rows of teeth.

Teeth and tongue are drawn once per face as textures in head coordinates; a frame places them by the head's
pose and the jaw, and shades them by how far the lips are apart. Colours come from the face itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from services.lipsync.engines.viseme.arrays import Bytes, Floats, Singles, ease
from services.lipsync.engines.viseme.face import HeadPose

_TOOTH_WIDTHS = (0.136, 0.106, 0.120, 0.112, 0.108, 0.150)
_LOWER_WIDTHS = (0.086, 0.094, 0.108, 0.112, 0.112, 0.160)
_TOOTH_HEIGHTS = (0.160, 0.142, 0.152, 0.132, 0.124, 0.115)
_EDGES = (0.0, 0.006, 0.002, 0.007, 0.010, 0.014)
"""Units: width of each tooth from the middle outwards, height of its crown, how much shorter its edge is."""

_ARCH_WIDTH, _ARCHDEPTH = 0.44, 0.62
"""Half axes of the dental arch."""

_EDGE, _OVERBITE = 0.018, 0.014
"""Units: where drawn upper teeth end below the closed lips, and how far below that lower teeth begin."""

DEPTH = 0.07
"""Units that teeth lie behind the lips."""

_HALF_WIDTH, _HEIGHT = 0.50, 0.30
"""What a texture of teeth covers, in units."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of the inside of a mouth, each (3,) in Y'CbCr relative to black, and light from a side."""

    tooth: Floats
    gum: Floats
    tongue: Floats
    cavity: Floats
    slant: float
    """How much brighter the right of the picture is than the left, relative to the mean, per unit."""


OFFSET = np.array([16.0, 128.0, 128.0, 0.0], np.float32)
"""What black is in Y'CbCr; colours in here are relative to it, so that shading is a product."""


@dataclass(frozen=True, slots=True)
class Interior:
    """What is inside a mouth, with ``anchor`` (3,), the middle of the closed lips in head coordinates."""

    palette: Palette
    anchor: Floats
    edge: float
    """Where the upper teeth end, in units below the anchor."""
    upper_teeth: Texture
    lower_teeth: Texture
    tongue: Texture

    def paint(
        self, pose: HeadPose, corner: tuple[int, int], inside: Singles, light: Singles, jaw: Jaw
    ) -> Bytes:
        """The inside of the mouth, uint8 (h, w, 4), where ``inside`` (h, w) is 1, lit by ``light`` (h, w).

        ``corner`` is the pixel of the picture at their upper left.
        """
        size = (inside.shape[1], inside.shape[0])
        open_ = np.asarray(cv2.GaussianBlur(inside, (0, 0), 0.045 * pose.scale), np.float32)
        shade = (0.56 + 0.44 * ease(open_ / 0.7)) * light
        made = np.empty((*inside.shape, 4), np.float32)
        made[:] = (*self.palette.cavity, 0.0)
        tip = float(ease(np.array(jaw.tongue * 1.3 - 0.3)))
        for texture, down, amount in (
            (self.tongue, 0.30 * jaw.drop + 0.030, 1.0),
            (self.lower_teeth, jaw.drop + self.edge + _OVERBITE, 1.0),
            (self.tongue, 0.35 * jaw.drop * (1.0 - tip) + 0.030, tip),
            (self.upper_teeth, self.edge, 1.0),
        ):
            if amount > 0.0:
                layer = texture.place(pose, self.anchor + np.array((0.0, down, DEPTH)), corner, size)
                made *= 1.0 - np.float32(amount) * layer[..., 3:]
                made += np.float32(amount) * layer
        made *= shade[..., None]
        made += OFFSET
        return made.clip(0.0, 255.0).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Jaw:
    """How far the lower teeth hang, in units, and how far the tip of the tongue is up, 0..1."""

    drop: float
    tongue: float


@dataclass(frozen=True, slots=True)
class Texture:
    """A picture float32 (h, w, 4), premultiplied by its last channel, over part of the head's x and y."""

    pixels: Singles
    left: float
    top: float
    per_unit: float

    def place(
        self, pose: HeadPose, anchor: Floats, corner: tuple[int, int], size: tuple[int, int]
    ) -> Singles:
        """The texture around ``anchor`` (3,), in head coordinates, in a box of the picture; (h, w, 4)."""
        step = pose.axes[:2, :2] / self.per_unit
        start = pose.project(anchor) + pose.axes[:2, :2] @ (self.left, self.top) - corner
        matrix = np.column_stack((step, start))
        return np.asarray(cv2.warpAffine(self.pixels, matrix, size, flags=cv2.INTER_LINEAR), np.float32)


def texture_scale(pose: HeadPose) -> float:
    """Samples per unit for textures of a mouth that is seen in this pose."""
    return min(max(1.5 * pose.scale, 100.0), 420.0)


def with_teeth(interior: Interior, own: Texture, edge: float) -> Interior:
    """The same with teeth of one's own, as far as they are seen, over the drawn ones."""
    drawn = interior.upper_teeth
    right, down = (drawn.left - own.left) * own.per_unit, (drawn.top - own.top) * own.per_unit
    shift = np.array(((1.0, 0.0, right), (0.0, 1.0, down)))
    height, width = own.pixels.shape[:2]
    under = cv2.warpAffine(drawn.pixels, shift, (width, height))
    pixels = np.asarray(own.pixels + under * (1.0 - own.pixels[..., 3:]), np.float32)
    return replace(interior, edge=edge, upper_teeth=Texture(pixels, own.left, own.top, own.per_unit))


def draw_interior(palette: Palette, anchor: Floats, pose: HeadPose) -> Interior:
    """The inside of a mouth whose closed lips meet at ``anchor`` (3,), as fine as ``pose`` shows it."""
    per_unit = texture_scale(pose)
    yaw = float(np.arctan2(pose.axes[0, 2], pose.axes[0, 0]))
    return Interior(
        palette,
        anchor,
        _EDGE,
        draw_teeth(palette, per_unit, yaw, upper=True),
        draw_teeth(palette, per_unit, yaw, upper=False),
        draw_tongue(palette, per_unit),
    )


def draw_teeth(palette: Palette, per_unit: float, yaw: float, *, upper: bool) -> Texture:
    """One row of teeth, seen with the head turned by ``yaw`` radians; its edge lies at y = 0."""
    width, height = round(2 * _HALF_WIDTH * per_unit), round(_HEIGHT * per_unit)
    x = np.asarray((np.arange(width) + 0.5) / per_unit - _HALF_WIDTH, np.float64)
    y = (np.arange(height) + 0.5) / per_unit
    widths = _TOOTH_WIDTHS if upper else _LOWER_WIDTHS
    along = _along_arch(x, yaw)
    pixels = np.zeros((height, width, 4))
    gum_line, edge, seam, body = _tooth_profile(along, widths, upper)
    depth = y[:, None]
    soft = 0.010
    tooth = ease((depth - edge) / soft + 0.5) * ease((gum_line - depth) / soft + 0.5)
    gum = ease((depth - gum_line) / soft + 0.5) * ease((0.26 - depth) / 0.04)
    tooth = tooth * ease((0.47 - np.abs(x)) / 0.06)
    gum = gum * ease((0.45 - np.abs(x)) / 0.08)
    fall = 1.0 - 0.42 * np.clip(np.abs(along) / 0.55, 0, 1) ** 1.6
    rows = depth / np.maximum(gum_line, 1e-3)
    light = (
        (1.0 if upper else 0.84)
        * fall
        * (0.90 + 0.10 * body)
        * (1.0 - 0.30 * seam * ease((depth - edge) / 0.03))
    )
    light = light * (0.93 + 0.10 * np.sin(np.pi * np.clip(rows, 0, 1)) - 0.06 * np.clip(rows, 0, 1))
    light = light * (1.0 + palette.slant * x)
    colour = light[..., None] * palette.tooth
    gum_colour = (fall * 0.85)[None, :, None] * palette.gum
    pixels[..., :3] = colour * tooth[..., None] + gum_colour * (gum * (1 - tooth))[..., None]
    pixels[..., 3] = tooth + gum * (1 - tooth)
    if upper:
        return Texture(np.ascontiguousarray(pixels[::-1], np.float32), -_HALF_WIDTH, -_HEIGHT, per_unit)
    return Texture(np.ascontiguousarray(pixels, np.float32), -_HALF_WIDTH, 0.0, per_unit)


def draw_tongue(palette: Palette, per_unit: float) -> Texture:
    """The tongue's front, its tip at y = 0, seen from the front."""
    half, height = 0.34, 0.36
    x = (np.arange(round(2 * half * per_unit)) + 0.5) / per_unit - half
    y = ((np.arange(round(height * per_unit)) + 0.5) / per_unit)[:, None]
    top = 0.02 + 0.10 * (x / 0.27) ** 2
    shape = ease((y - top) / 0.03) * ease((0.30 - np.abs(x)) / 0.05) * np.ones_like(y)
    groove = 1.0 - 0.16 * np.exp(-((x / 0.028) ** 2)) * ease((y - 0.05) / 0.05)
    roll = 0.72 + 0.42 * np.exp(-(((y - top - 0.055) / 0.05) ** 2)) - 0.25 * ease((y - 0.14) / 0.16)
    light = groove * roll * (1.0 - 0.5 * (x / 0.32) ** 2) * (1.0 + palette.slant * x)
    pixels = np.empty((*shape.shape, 4))
    pixels[..., :3] = light[..., None] * palette.tongue * shape[..., None]
    pixels[..., 3] = shape
    return Texture(pixels.astype(np.float32), -half, 0.0, per_unit)


def _along_arch(x: Floats, yaw: float) -> Floats:
    """Arc length from the middle of the arch, signed, at each projected ``x`` of a head turned by ``yaw``.

    ``x`` is measured in the face's own plane, so that only the arch's depth shifts teeth sideways.
    """
    angle = np.linspace(-1.35, 1.35, 401)
    across, depth = _ARCH_WIDTH * np.sin(angle), _ARCHDEPTH * (1 - np.cos(angle))
    steps = np.hypot(np.diff(across), np.diff(depth))
    length = np.concatenate(([0.0], np.cumsum(steps)))
    length -= length[200]
    seen = across + depth * np.tan(yaw)
    rising = np.maximum.accumulate(np.where(np.abs(angle) < 1.3, seen, seen))
    return np.interp(x, rising + np.arange(401) * 1e-9, length)


def _tooth_profile(
    along: Floats, widths: tuple[float, ...], upper: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    """Gum line, edge, closeness to the seam between two teeth and roundness of the crown, per column."""
    ends = np.cumsum(widths)
    at = np.abs(along)
    index = np.minimum(np.searchsorted(ends, at), len(widths) - 1)
    start = np.concatenate(([0.0], ends))[index]
    width = np.array(widths)[index]
    part = np.clip((at - start) / width, 0, 1) * 2 - 1
    height = np.array(_TOOTH_HEIGHTS)[index] * (1.0 if upper else 0.82)
    edge = np.array(_EDGES)[index] * (1.0 if upper else 0.6) + 0.004 * part**8 + 0.001 * part**2
    gum_line = height - 0.030 * np.abs(part) ** 2.5
    seam = np.abs(part) ** 10
    body = 1.0 - np.abs(part) ** 3
    return gum_line, edge, seam, body
