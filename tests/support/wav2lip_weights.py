"""Weights of the network made from their names, and checkpoints of every kind with them."""

from __future__ import annotations

import hashlib
import warnings
from functools import cache
from math import prod, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from services.lipsync.engines.wav2lip.network import Wav2Lip, build, expected_shapes

DATA = Path(__file__).parents[1] / "wav2lip" / "data"
"""Golden vectors: inputs and outputs of the published network and the code around it."""


@cache
def seeded_weights() -> dict[str, torch.Tensor]:
    """All weights, in order, each a function of its name; shared by tests, which leave them as they are."""
    return {name: torch.from_numpy(_values(name, shape)) for name, shape in expected_shapes().items()}


@cache
def seeded_network() -> Wav2Lip:
    return build(seeded_weights())


def _values(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    leaf = name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    drawn = np.random.Generator(np.random.Philox(key=seed)).standard_normal(shape)
    match leaf:
        case "running_var":
            made = 1 + 0.2 * np.abs(drawn)
        case "weight" if len(shape) == 1:
            made = 1 + 0.1 * drawn
        case "weight":
            made = _gain(name, shape) * drawn / sqrt(prod(shape[1:]))
        case _:
            made = 0.1 * drawn
    return made.astype(np.float32)


def _gain(name: str, shape: tuple[int, ...]) -> float:
    part, _, rest = name.partition(".")
    if part == "face_decoder_blocks" and rest[0] != "0" and rest[1:] == ".0.conv_block.0.weight":
        return 2.0
    if name == "output_block.1.weight":
        return 0.8
    return 0.6 if shape[0] == shape[1] and shape[2] == 3 else 1.4


def training_checkpoint(weights: dict[str, torch.Tensor]) -> dict[str, object]:
    """What the published training stores."""
    state = {f"module.{name}": weight for name, weight in weights.items()}
    optimizer = {"state": {0: {"step": 7, "exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 1e-4}]}
    return {"state_dict": state, "optimizer": optimizer, "global_step": 7, "global_epoch": 1}


def write_scripted(path: Path, network: torch.nn.Module, *inputs: torch.Tensor) -> None:
    """A TorchScript archive; torch warns that it will do away with them, but they circulate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.trace(network, inputs, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(scripted, path)
