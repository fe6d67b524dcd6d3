"""The network on a GPU: half precision, the decoder as one CUDA graph, faces pasted and converted there.

Only painted boxes leave the device. Everything but the graph runs on any device of torch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from services.lipsync.avatar.color import BT709, I420
from services.lipsync.engines.viseme.surface import Box
from services.lipsync.engines.wav2lip.architecture import FACE_SIDE, MEL_BANDS, MEL_COLUMNS
from services.lipsync.engines.wav2lip.clip import Clip
from services.lipsync.engines.wav2lip.mel import Mel
from services.lipsync.engines.wav2lip.network import Wav2Lip

BATCH = 32
"""Large enough to keep a GPU busy, small enough to waste little at the ends of chunks."""
RESIDENT = 4096
"""Frames of the longest clip whose encoded faces stay on the device: 0.58 MB each in half precision."""
_WARM_UPS = 3


class DeviceNetwork:
    """A folded network on a device. One batch is decoded at a time, whatever slot it is for."""

    def __init__(
        self, network: Wav2Lip, device: torch.device, dtype: torch.dtype, batch: int = BATCH
    ) -> None:
        torch.backends.cudnn.deterministic = True  # the same algorithm every time, or cuts could be seen
        self.batch = batch
        self.precision = "fp16" if dtype == torch.float16 else "fp32"
        self.device = device
        self._dtype = dtype
        for parameter in network.parameters():
            parameter.data = _placed(parameter.data, device, dtype)
        self._network = network
        self._lock = threading.Lock()
        self._mels = torch.zeros((batch, 1, MEL_BANDS, MEL_COLUMNS), device=device, dtype=dtype)
        self._features = self.encode(np.zeros((batch, 6, FACE_SIDE, FACE_SIDE), np.float32))
        self._graph: torch.cuda.CUDAGraph | None = None
        self._made = self._captured() if device.type == "cuda" else torch.empty(0)

    def painter(self, clip: Clip) -> DevicePainter:
        """Begin with a clip."""
        return DevicePainter(self, clip)

    def encode(self, faces: np.ndarray[Any, np.dtype[np.float32]] | Tensor) -> list[Tensor]:
        """What the encoder's stages make of a batch of faces (batch, 6, 96, 96), on the device."""
        return self._network.encode_face(_placed(torch.as_tensor(faces), self.device, self._dtype))

    def decode(self, mels: Mel, features: Sequence[Tensor]) -> Tensor:
        """Faces (batch, 3, 96, 96), float32 on the device, for a batch of speech and encoded faces."""
        with self._lock:
            self._mels.copy_(torch.from_numpy(mels))
            for held, given in zip(self._features, features, strict=True):
                held.copy_(given)
            if self._graph is None:
                return self._network.decode(self._mels, self._features).float()
            self._graph.replay()
            return self._made.to(torch.float32, copy=True)

    def _captured(self) -> Tensor:
        """Record the decoder as a graph; its output appears in the tensor that is returned."""
        aside = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call] # torch is partly typed
        aside.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                self._network.decode(self._mels, self._features)
        torch.cuda.current_stream(self.device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        # On the same stream: what libraries set up for a stream when they first use it is not to be recorded.
        with torch.cuda.graph(self._graph, stream=aside):
            return self._network.decode(self._mels, self._features)


class DevicePainter:
    """Paints one clip. Faces are encoded when they are first needed, and stay on the device."""

    def __init__(self, network: DeviceNetwork, clip: Clip) -> None:
        self._network = network
        self._clip = clip
        self._width = max(box.width for box in clip.boxes)
        self._height = max(box.height for box in clip.boxes)
        self._lock = threading.Lock()
        self._encoded: list[Tensor] = []
        self._filled: set[int] = set()

    def paint(self, mels: Mel, indices: Sequence[int], wanted: range) -> list[I420]:
        """The boxes in which something was painted; see `Painter`."""
        made = self._network.decode(mels, self._features(indices))
        boxes = [self._clip.boxes[index] for index in indices]
        luma, chroma = (
            plane.cpu().numpy() for plane in painted_planes(made, boxes, self._width, self._height)
        )
        return [part_of(luma[k], chroma[k], boxes[k]) for k in wanted]

    def _features(self, indices: Sequence[int]) -> list[Tensor]:
        batch, frames = self._network.batch, self._clip.avatar.frames
        if frames > RESIDENT:
            faces = np.concatenate([self._clip.faces(index, 1) for index in indices])
            return self._network.encode(faces)
        with self._lock:
            for number in {index // batch for index in indices} - self._filled:
                self._fill(number, -(-frames // batch) * batch)
        chosen = torch.tensor(indices, device=self._network.device)
        return [stage.index_select(0, chosen) for stage in self._encoded]

    def _fill(self, number: int, room: int) -> None:
        batch = self._network.batch
        made = self._network.encode(self._clip.faces(number * batch, batch))
        if not self._encoded:
            self._encoded = [stage.new_empty((room, *stage.shape[1:])) for stage in made]
        for kept, stage in zip(self._encoded, made, strict=True):
            kept[number * batch : (number + 1) * batch] = stage
        self._filled.add(number)


def painted_planes(faces: Tensor, boxes: Sequence[Box], width: int, height: int) -> tuple[Tensor, Tensor]:
    """Faces (B, 3, 96, 96) in 0..1, BGR, at the size of their boxes, as Y and UV on their device.

    uint8 (B, height, width) and (B, 2, height / 2, width / 2), BT.709, limited range, with chroma where
    `bgr_to_i420` puts it; what is beyond the size of a box means nothing.
    """
    cells = torch.floor(faces * 255.0)
    picture = grid_sample(
        cells, _places(boxes, width, height, faces.device), padding_mode="border", align_corners=False
    ).round()
    matrix = torch.tensor(BT709.to_yuv(), dtype=torch.float32, device=faces.device)
    rows = (picture[:, :, ::2] + picture[:, :, 1::2]) / 2
    around = pad(rows, (1, 0, 0, 0), mode="replicate")
    sparse = (around[..., 0:-1:2] + 2 * around[..., 1::2] + around[..., 2::2]) / 4
    luma = torch.einsum("c,bchw->bhw", matrix[0, :3], picture) + matrix[0, 3]
    chroma = torch.einsum("pc,bchw->bphw", matrix[1:, :3], sparse) + matrix[1:, 3].reshape(2, 1, 1)
    return _bytes(luma), _bytes(chroma)


def _places(boxes: Sequence[Box], width: int, height: int, device: torch.device) -> Tensor:
    """Where in a face each pixel of a box lies, as `grid_sample` wants it: (B, height, width, 2)."""
    widths = torch.tensor([box.width for box in boxes], device=device)
    heights = torch.tensor([box.height for box in boxes], device=device)
    x = (2 * torch.arange(width, device=device) + 1) / widths[:, None] - 1
    y = (2 * torch.arange(height, device=device) + 1) / heights[:, None] - 1
    shape = (len(boxes), height, width)
    return torch.stack((x[:, None, :].expand(shape), y[:, :, None].expand(shape)), dim=-1)


def _bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8)


def part_of(luma: I420, chroma: I420, box: Box) -> I420:
    """What was painted in one box, of planes Y and UV that may be larger, as a small picture."""
    part = np.empty((box.height * 3 // 2, box.width), np.uint8)
    part[: box.height] = luma[: box.height, : box.width]
    small = chroma[:, : box.height // 2, : box.width // 2]
    part[box.height :] = small.reshape(box.height // 2, box.width)
    return part


def _placed(values: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    layout = torch.channels_last if values.dim() == 4 else torch.contiguous_format
    return values.to(device=device, dtype=dtype, memory_format=layout)
