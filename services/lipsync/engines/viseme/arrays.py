"""Array types of this engine, and the one ease curve that everything fades with."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""Geometry."""
Singles = npt.NDArray[np.float32]
"""Fields and pixels while they are worked on."""
Bytes = npt.NDArray[np.uint8]
"""Pixels."""

_F = TypeVar("_F", np.float32, np.float64)


def ease(x: npt.NDArray[_F]) -> npt.NDArray[_F]:
    """0 up to x = 0, 1 from x = 1, in between a cubic without a kink at either end."""
    x = x.clip(0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x), x.dtype)
