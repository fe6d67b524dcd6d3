"""What a still portrait does by itself: it sways, breathes and blinks.

Pure functions of the moment and a seed, computed for every frame on its own, so that a frame looks the same
in whatever chunk it is rendered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Idle:
    """How the head is held: turns in radians, shifts in units of the face, growth as a share, lids 0..1."""

    yaw: float
    pitch: float
    roll: float
    right: float
    down: float
    growth: float
    lids: float


@dataclass(frozen=True, slots=True)
class _Wave:
    """A slow motion: amplitude, and three frequencies in hertz whose sum never visibly repeats."""

    amplitude: float
    hertz: tuple[float, float, float]


_YAW = _Wave(0.030, (0.083, 0.191, 0.347))
_PITCH = _Wave(0.022, (0.071, 0.157, 0.311))
_ROLL = _Wave(0.011, (0.061, 0.137, 0.263))
_RIGHT = _Wave(0.016, (0.053, 0.127, 0.239))
_DOWN = _Wave(0.010, (0.067, 0.149, 0.281))
_SHARES = (0.55, 0.30, 0.15)

_BREATHS_PER_SECOND = 0.24
_BREATH_RISE, _BREATH_GROWTH = 0.007, 0.0022

_BLINK_EVERY, _BLINK_SPREAD = 4.0, 1.0
"""Seconds between blinks, and how much earlier or later each may come: intervals of 2 to 6 seconds."""

_CLOSING, _SHUT, _OPENING = 0.085, 0.045, 0.15
"""Seconds of a blink."""


def idle(frame: int, fps: Fraction, seed: int) -> Idle:
    """The idle motion in the middle of a frame."""
    moment = float((frame + Fraction(1, 2)) / fps)
    breath = 2 * math.pi * (_BREATHS_PER_SECOND * moment + _chance(seed, 90))
    return Idle(
        yaw=_swing(_YAW, moment, seed, 0),
        pitch=_swing(_PITCH, moment, seed, 1),
        roll=_swing(_ROLL, moment, seed, 2),
        right=_swing(_RIGHT, moment, seed, 3),
        down=_swing(_DOWN, moment, seed, 4) + _BREATH_RISE * math.sin(breath),
        growth=_BREATH_GROWTH * math.sin(breath - 0.6),
        lids=lids(moment, seed),
    )


def lids(moment: float, seed: int) -> float:
    """How far the upper lids are down, 0 open to 1 shut, ``moment`` seconds into the video."""
    turn = round(moment / _BLINK_EVERY)
    return max(_blink(moment - _blink_start(near, seed)) for near in (turn - 1, turn, turn + 1))


def _blink_start(turn: int, seed: int) -> float:
    return (turn + 0.55) * _BLINK_EVERY + _BLINK_SPREAD * (2 * _chance(seed, 1000 + turn) - 1)


def _blink(since: float) -> float:
    if since < 0.0:
        return 0.0
    if since < _CLOSING:
        return _ease(since / _CLOSING)
    since -= _CLOSING + _SHUT
    if since < 0.0:
        return 1.0
    return 1.0 - _ease(since / _OPENING) if since < _OPENING else 0.0


def _swing(wave: _Wave, moment: float, seed: int, which: int) -> float:
    total = 0.0
    for part, (share, hertz) in enumerate(zip(_SHARES, wave.hertz, strict=True)):
        phase = _chance(seed, 10 * which + part)
        total += share * math.sin(2 * math.pi * (hertz * moment + phase))
    return wave.amplitude * total


def _ease(x: float) -> float:
    return x * x * (3.0 - 2.0 * x)


def _chance(seed: int, index: int) -> float:
    """A number in [0, 1) that only depends on its arguments (the finaliser of SplitMix64)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + (index + 1) * 0xD1B54A32D192ED03) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)
