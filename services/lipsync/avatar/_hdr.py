"""High dynamic range pictures brought to what an ordinary screen shows.

Signals are decoded to light (Rec. ITU-R BT.2100-3, tables 4 and 5), scaled so that reference white is 1
(203 cd/m², Rep. ITU-R BT.2408-8), carried from BT.2020 to BT.709 primaries (Rep. ITU-R BT.2407-0), and
rolled off where it is brighter than white.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.uint16]
"""uint16 R'G'B' picture of shape (height, width, 3), full range."""

_Light = npt.NDArray[np.float32]

REFERENCE_WHITE = 203.0
"""Candela per square metre."""
KNEE = 0.8
"""Light up to this share of white stays as it is."""
GAMMA = 2.2

_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


def sdr_from_pq(signal: Signal) -> npt.NDArray[np.uint8]:
    """BGR uint8 picture of an R'G'B' picture in the PQ transfer function (SMPTE ST 2084)."""
    return _screen(_pq_light()[signal])


def sdr_from_hlg(signal: Signal) -> npt.NDArray[np.uint8]:
    """BGR uint8 picture of an R'G'B' picture in hybrid log-gamma, for a 1000 cd/m² screen."""
    scene = _hlg_light()[signal]
    luma = np.maximum(scene @ _LUMA_2020, 1e-6)
    return _screen(scene * (luma ** np.float32(0.2))[..., np.newaxis] * np.float32(1000 / REFERENCE_WHITE))


@cache
def _pq_light() -> _Light:
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = np.linspace(0, 1, 65536) ** (1 / m2)
    nits = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return (nits / REFERENCE_WHITE).astype(np.float32)


@cache
def _hlg_light() -> _Light:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.linspace(0, 1, 65536)
    light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return light.astype(np.float32)


def _screen(light: _Light) -> npt.NDArray[np.uint8]:
    """Light in BT.2020 primaries, white = 1, as gamma-coded BGR."""
    rgb = np.maximum(light @ _TO_709.T, 0)
    peak = np.maximum(rgb.max(axis=-1, keepdims=True), 1e-6)
    room = np.float32(1 - KNEE)
    rolled = np.where(peak > KNEE, KNEE + room * (1 - np.exp((KNEE - peak) / room)), peak)
    coded = np.clip(rgb * (rolled / peak), 0, 1) ** np.float32(1 / GAMMA)
    return np.asarray(np.rint(coded[..., ::-1] * 255), np.uint8)
