"""The network on the processor: two functions of arrays, and the painting around them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile

import numpy as np
import torch

from services.lipsync.avatar.color import I420, bgr_to_i420
from services.lipsync.engines.wav2lip.clip import Clip
from services.lipsync.engines.wav2lip.face import Faces, picture_of
from services.lipsync.engines.wav2lip.mel import Mel
from services.lipsync.engines.wav2lip.network import Wav2Lip

BATCH = 4
"""Larger ones are no faster on one core, and waste more at the ends of chunks."""
_KEPT = 16
"""Batches of encoded faces held in memory, 1.16 MB a frame; all are on disk."""

Features = list[Faces]
"""What the encoder makes of faces: float32 (batch, channels, side, side) for each of its stages."""


@dataclass(frozen=True, slots=True)
class Functions:
    """The network in two parts, for whole batches of float32. Not safe to call from two threads at a time."""

    encode: Callable[[Faces], Features]
    decode: Callable[[Mel, Features], Faces]


class ProcessorNetwork:
    """A checkpoint on the processor. One batch is computed at a time, whatever slot it is for."""

    batch = BATCH
    precision = "fp32"

    def __init__(self, functions: Functions, name: str) -> None:
        self._functions = functions
        self._name = name
        self._lock = threading.Lock()

    def painter(self, clip: Clip) -> ProcessorPainter:
        """Begin with a clip."""
        return ProcessorPainter(self, clip, f"wav2lip-{self._name[:16]}")

    def encode(self, faces: Faces) -> Features:
        """As `Functions.encode`, from any thread."""
        with self._lock:
            return self._functions.encode(faces)

    def decode(self, mels: Mel, features: Features) -> Faces:
        """As `Functions.decode`, from any thread."""
        with self._lock:
            return self._functions.decode(mels, features)


class ProcessorPainter:
    """Paints one clip. Faces are encoded when they are first needed, and kept beside the avatar on disk."""

    def __init__(self, network: ProcessorNetwork, clip: Clip, name: str) -> None:
        self._network = network
        self._clip = clip
        self._name = name
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Features] = OrderedDict()

    def paint(self, mels: Mel, indices: Sequence[int], wanted: range) -> list[I420]:
        """The boxes in which something was painted; see `Painter`."""
        encoded = [self._encoded(index // BATCH) for index in indices]
        stages = range(len(encoded[0]))
        places = [index % BATCH for index in indices]
        features = [
            np.stack([batch[stage][place] for batch, place in zip(encoded, places, strict=True)])
            for stage in stages
        ]
        made = self._network.decode(mels, features)
        boxes = [self._clip.boxes[index] for index in indices]
        return [bgr_to_i420(picture_of(made[k], (boxes[k].width, boxes[k].height))) for k in wanted]

    def _encoded(self, number: int) -> Features:
        """Encoded faces of batch `number` of the clip."""
        with self._lock:
            found = self._kept.get(number) or self._read(number)
            if found is None:
                found = self._network.encode(self._clip.faces(number * BATCH, BATCH))
                self._write(number, found)
            self._kept[number] = found
            self._kept.move_to_end(number)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return found

    def _file(self, number: int) -> Path | None:
        folder = self._clip.avatar.folder
        return folder / f"{self._name}-{number}.npz" if folder else None

    def _read(self, number: int) -> Features | None:
        file = self._file(number)
        if file is None:
            return None
        try:
            with file.open("rb") as opened, np.load(opened) as stored:
                return [stored[name] for name in stored.files]
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def _write(self, number: int, features: Features) -> None:
        """Keep a batch; a full disk, or an avatar that was removed meanwhile, only costs time later."""
        file = self._file(number)
        if file is None:
            return
        with suppress(OSError), NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as scratch:
            try:
                np.savez(scratch, *features)
                Path(scratch.name).rename(file)
            except OSError:
                Path(scratch.name).unlink(missing_ok=True)


def torch_functions(network: Wav2Lip, threads: int) -> Functions:
    """A folded network run by torch, with channels last."""
    torch.set_num_threads(threads)
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def encode(faces: Faces) -> Features:
        with torch.inference_mode():
            return [feature.numpy() for feature in network.encode_face(_last(faces))]

    def decode(mels: Mel, features: Features) -> Faces:
        with torch.inference_mode():
            made = network.decode(_last(mels), [_last(feature) for feature in features])
        return np.asarray(made.numpy(), np.float32)

    return Functions(encode, decode)


def _last(values: Faces) -> torch.Tensor:
    return torch.from_numpy(values).contiguous(memory_format=torch.channels_last)
