"""Smooth warps through control points: polyharmonic splines.

r³ is the fundamental solution that makes the spline minimise bending like a thin plate and is free of
logarithms (Duchon 1977). Coordinates are in units of the face, so that the numbers are near one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.lipsync.engines.viseme.arrays import Floats, Singles

_SLACK = 1e-4
"""Added to the kernel's diagonal: landmarks that nearly coincide must not fight each other."""


def solve(controls: Floats, moves: Floats, subsets: Sequence[list[int]]) -> list[Singles]:
    """For each subset of ``controls`` (n, 2), the splines that are ``moves`` (n, k) there.

    Weights float32 (n + 3, k), zero for the other controls, to be multiplied with `basis`.
    """
    count = len(controls)
    system = np.zeros((count + 3, count + 3))
    square = np.square(np.subtract.outer(controls[:, 0], controls[:, 0]))
    square += np.square(np.subtract.outer(controls[:, 1], controls[:, 1]))
    np.multiply(square, np.sqrt(square), out=system[:count, :count])
    system.ravel()[: count * (count + 3) : count + 4] += _SLACK
    system[:count, count] = system[count, :count] = 1.0
    system[:count, count + 1 :] = controls
    system[count + 1 :, :count] = controls.T
    right = np.zeros((count + 3, moves.shape[1]))
    right[:count] = moves
    found: list[Singles] = []
    for subset in subsets:
        rows = [*subset, count, count + 1, count + 2]
        weights = np.zeros(right.shape, np.float32)
        weights[rows] = np.linalg.solve(system[np.ix_(rows, rows)], right[rows])
        found.append(weights)
    return found


def basis(places: Singles, controls: Floats) -> Singles:
    """Kernel of every place (m, 2) with every control (n, 2), then 1, x, y: float32 (m, n + 3)."""
    points = controls.astype(np.float32)
    count = len(points)
    made = np.empty((len(places), count + 3), np.float32)
    # |place - point|² as one product of matrices.
    left = np.column_stack((places, np.square(places).sum(axis=1), np.ones(len(places), np.float32)))
    right = np.column_stack((-2 * points, np.ones(count, np.float32), np.square(points).sum(axis=1)))
    square = left @ right.T
    np.maximum(square, 0.0, out=square)
    np.multiply(square, np.sqrt(square), out=made[:, :count])
    made[:, count] = 1.0
    made[:, count + 1 :] = places
    return made
