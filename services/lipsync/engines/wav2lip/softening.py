"""A softer way into the frame: only the lower face, and faded out towards the edges of its box."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from services.lipsync.avatar.color import I420
from services.lipsync.engines.viseme.arrays import ease

_EDGE = 0.14
"""Width of the fade at the sides and the bottom, in sides of the box."""
_TOP, _FULL = 0.32, 0.5
"""Where the fade from above begins and where it ends: the network sees all above the middle."""


def softened(own: I420, painted: I420) -> I420:
    """A painted box over the avatar's own pixels, both of the same even size."""
    height, width = own.shape[0] * 2 // 3, own.shape[1]
    weight = _weights(width, height)
    mixed = own + (painted.astype(np.float32) - own) * weight
    return np.asarray(mixed + 0.5).astype(np.uint8)


@lru_cache(maxsize=256)
def _weights(width: int, height: int) -> npt.NDArray[np.float32]:
    """Shares of the painted picture in all three planes of a box: (height * 3 // 2, width)."""
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    across = ease(np.minimum(x, 1.0 - x) / _EDGE)
    down = ease((y - _TOP) / (_FULL - _TOP)) * ease((1.0 - y) / _EDGE)
    luma = (down[:, np.newaxis] * across).astype(np.float32)
    chroma = luma.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)).reshape(-1)
    return np.vstack((luma, np.concatenate((chroma, chroma)).reshape(-1, width)))
