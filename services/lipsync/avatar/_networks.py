"""The neural networks as plain functions from arrays to arrays, run by LiteRT on one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from mouthpiece.errors import Reason, Unmet

Floats = npt.NDArray[np.float32]


class Network:
    """One loaded model. Not safe to call from two threads at a time."""

    def __init__(self, path: Path) -> None:
        """Raises `Unmet` (WEIGHTS_MISSING) when the file is not a model that can be run."""
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise Unmet(Reason.WEIGHTS_MISSING, f"{path} cannot be loaded: {error}") from error
        taken = cast(list[dict[str, Any]], self._interpreter.get_input_details())[0]
        given = cast(list[dict[str, Any]], self._interpreter.get_output_details())
        self._input: int = taken["index"]
        self._outputs: list[int] = [output["index"] for output in given]
        self.side = int(taken["shape"][1])
        """Height and width of the picture that it takes."""

    def __call__(self, picture: Floats) -> list[Floats]:
        """Run on one RGB picture, float32 (side, side, 3); returns each output flattened to one row."""
        self._interpreter.set_tensor(self._input, picture[np.newaxis])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]


def sigmoid(x: Floats) -> Floats:
    """Logistic function, without overflow for any float32."""
    return (1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0)))).astype(np.float32)
