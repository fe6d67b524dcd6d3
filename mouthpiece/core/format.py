"""Which frame rate and picture size a job gets."""

from __future__ import annotations

from fractions import Fraction

MIN_SIDE = 64
MAX_SIDE = 4096
DEFAULT_LONG_SIDE = 1920
"""Longest side of a video whose size nobody named."""

PORTRAIT_FPS = Fraction(25)
DEFAULT_MAX_FPS = 60


def choose_fps(wanted: Fraction | None, avatar_fps: Fraction | None) -> Fraction:
    """The wanted rate, else the avatar video's (halved until at most 60), else 25."""
    if wanted is not None:
        return wanted
    if avatar_fps is None:
        return PORTRAIT_FPS
    while avatar_fps > DEFAULT_MAX_FPS:
        avatar_fps /= 2
    return avatar_fps


def choose_size(wanted: tuple[int, int], avatar: tuple[int, int]) -> tuple[int, int]:
    """Width and height in pixels, both even, within the limits.

    `wanted` may leave out (0) either, which then follows the avatar's aspect, or both: the avatar's own size,
    reduced to `DEFAULT_LONG_SIDE`.
    """
    width, height = wanted
    if width and height:
        return _even(width), _even(height)
    if width:
        return _even(width), _even(width * avatar[1] / avatar[0])
    if height:
        return _even(height * avatar[0] / avatar[1]), _even(height)
    scale = min(1.0, DEFAULT_LONG_SIDE / max(avatar))
    scale = max(scale, MIN_SIDE / min(avatar))
    return _even(avatar[0] * scale), _even(avatar[1] * scale)


def _even(side: float) -> int:
    return min(MAX_SIDE, max(MIN_SIDE, 2 * round(side / 2)))
