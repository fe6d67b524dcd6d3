"""What computes the network, whatever it runs on.

Batches have one fixed size, and the frame of a job always has the same place in its batch: the last bits of a
frame then do not depend on where chunks begin.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import torch

from services.lipsync.avatar.color import I420
from services.lipsync.engines.wav2lip.checkpoint import read_weights
from services.lipsync.engines.wav2lip.clip import Clip
from services.lipsync.engines.wav2lip.mel import Mel
from services.lipsync.engines.wav2lip.network import build

log = logging.getLogger(__name__)


class Painter(Protocol):
    """Paints the face of one clip with one network. Safe to use from several threads."""

    def paint(self, mels: Mel, indices: Sequence[int], wanted: range) -> list[I420]:
        """The box of the clip's frame `indices[k]` with the lips of `mels[k]`, for each k in `wanted`.

        `mels` (batch, 1, 80, 16) and `indices` have the network's batch size.
        """
        ...


class Network(Protocol):
    """A checkpoint, loaded onto a device."""

    @property
    def batch(self) -> int:
        """Frames that are computed together."""
        ...

    @property
    def precision(self) -> str:
        """Numbers that it computes with: "fp32" or "fp16"."""
        ...

    def painter(self, clip: Clip) -> Painter:
        """Begin with a clip."""
        ...


@cache
def load_network(path: Path, sha256: str, threads: int) -> Network:
    """The network with the checkpoint at `path`, once per process: on a GPU, else on `threads` cores.

    Raises `Unmet` (WEIGHTS_MISSING) as `read_weights` does.
    """
    network = build(read_weights(path))
    network.fold()
    if torch.cuda.is_available():
        from services.lipsync.engines.wav2lip.accelerator import DeviceNetwork

        loaded: Network = DeviceNetwork(network, torch.device("cuda"), torch.float16)
    elif find_spec("openvino") is not None:
        from services.lipsync.engines.wav2lip.openvino import openvino_functions
        from services.lipsync.engines.wav2lip.processor import ProcessorNetwork

        loaded = ProcessorNetwork(openvino_functions(network, threads), sha256)
    else:
        from services.lipsync.engines.wav2lip.processor import ProcessorNetwork, torch_functions

        loaded = ProcessorNetwork(torch_functions(network, threads), sha256)
    log.info("%s (%s) is loaded: %s", path.name, sha256[:8], type(loaded).__name__)
    return loaded
