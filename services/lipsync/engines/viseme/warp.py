"""Smooth warps through control points: a polyharmonic spline per side of the lips.

r³ is the fundamental solution that makes the spline minimise bending like a thin plate and is free of
logarithms (Duchon 1977). Coordinates are in units of the face, so that the numbers are near one.
"""

from __future__ import annotations

import numpy as np

from services.lipsync.engines.viseme.arrays import Floats, Singles

_SLACK = 1e-4
"""Added to the kernel's diagonal: landmarks that nearly coincide must not fight each other."""


def solve(controls: Floats, moves: Floats) -> Singles:
    """Weights (n + 3, k) float32 of the splines that are ``moves`` (n, k) at ``controls`` (n, 2)."""
    count = len(controls)
    system = np.zeros((count + 3, count + 3))
    apart = controls[:, None, :] - controls[None, :, :]
    square = (apart**2).sum(axis=2)
    system[:count, :count] = square * np.sqrt(square)
    system[:count, :count].flat[:: count + 1] += _SLACK
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :] = controls
    system[count + 1 :, :count] = controls.T
    right = np.zeros((count + 3, moves.shape[1]))
    right[:count] = moves
    return np.linalg.solve(system, right).astype(np.float32)


def basis(places: Singles, controls: Floats) -> Singles:
    """Kernel of every place (m, 2) with every control (n, 2), then 1, x, y: float32 (m, n + 3)."""
    points = controls.astype(np.float32)
    count = len(points)
    made = np.empty((len(places), count + 3), np.float32)
    square = places @ (-2.0 * points.T)
    square += (places**2).sum(axis=1)[:, None]
    square += (points**2).sum(axis=1)
    np.maximum(square, 0.0, out=square)
    np.multiply(square, np.sqrt(square), out=made[:, :count])
    made[:, count] = 1.0
    made[:, count + 1 :] = places
    return made
