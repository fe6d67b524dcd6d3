"""Painting on a device: the same pictures as on the processor, whatever the cut."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from services.lipsync.avatar.color import bgr_to_i420
from services.lipsync.engines.viseme.surface import Box
from services.lipsync.engines.wav2lip import accelerator
from services.lipsync.engines.wav2lip.accelerator import DeviceNetwork, painted_planes, part_of
from services.lipsync.engines.wav2lip.clip import Clip
from services.lipsync.engines.wav2lip.face import picture_of
from services.lipsync.engines.wav2lip.network import build
from services.lipsync.engines.wav2lip.processor import BATCH, ProcessorNetwork, torch_functions
from tests.support.wav2lip_rendering import clip
from tests.support.wav2lip_weights import DATA, seeded_weights

DEVICES = [
    pytest.param("cpu", torch.float32, 2e-5),
    pytest.param(
        "cuda",
        torch.float16,
        5e-3,
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    ),
]


@cache
def device_network(device: str, dtype: torch.dtype) -> DeviceNetwork:
    network = build(seeded_weights())
    network.fold()
    return DeviceNetwork(network, torch.device(device), dtype, BATCH)


@pytest.mark.parametrize(("device", "dtype", "tolerance"), DEVICES)
def test_a_device_gives_the_published_output(device: str, dtype: torch.dtype, tolerance: float) -> None:
    with np.load(DATA / "w2l_net_public.npz") as golden:
        mel, face, out = (golden[name] for name in ("mel", "face", "out"))
    network = device_network(device, dtype)
    for _ in range(2):
        made = network.decode(mel, network.encode(face)).cpu().numpy()
        assert float(np.abs(made - out).max()) <= tolerance


def test_faces_are_pasted_and_converted_as_on_the_processor() -> None:
    rng = np.random.default_rng(1)
    faces = rng.uniform(0, 1, (3, 3, 12, 12)).repeat(8, axis=2).repeat(8, axis=3).astype(np.float32)
    boxes = [Box(0, 0, 60, 80), Box(2, 4, 98, 100), Box(0, 0, 160, 144)]
    luma, chroma = painted_planes(torch.from_numpy(faces), boxes, 160, 144)
    for face, box, y, uv in zip(faces, boxes, luma.numpy(), chroma.numpy(), strict=True):
        expected = bgr_to_i420(picture_of(face, (box.width, box.height)))
        made = part_of(y, uv, box)
        difference = np.abs(made.astype(int) - expected)
        assert difference.max() <= 2
        assert np.mean(difference > 1) < 0.01


@pytest.mark.parametrize(("device", "dtype", "tolerance"), DEVICES)
@pytest.mark.parametrize("resident", [True, False])
def test_a_painter_on_a_device_agrees_with_the_processor(
    monkeypatch: pytest.MonkeyPatch, device: str, dtype: torch.dtype, tolerance: float, resident: bool
) -> None:
    if not resident:
        monkeypatch.setattr(accelerator, "RESIDENT", 0)
    own = Clip.of(clip(6))
    network = build(seeded_weights())
    network.fold()
    processor = ProcessorNetwork(torch_functions(network, 1), "0" * 64).painter(own)
    painter = device_network(device, dtype).painter(own)
    mels = np.random.default_rng(2).uniform(-4, 4, (BATCH, 1, 80, 16)).astype(np.float32)
    indices = [3, 4, 5, 4]
    expected = processor.paint(mels, indices, range(BATCH))
    made = painter.paint(mels, indices, range(BATCH))
    for one, other in zip(made, expected, strict=True):
        assert np.abs(one.astype(int) - other).mean() < 1
        assert np.abs(one.astype(int) - other).max() <= 2 + 300 * tolerance
    alone = mels * np.array([0, 0, 1, 0], np.float32).reshape(-1, 1, 1, 1)
    again = painter.paint(alone, [0, 0, 5, 0], range(2, 3))
    assert np.array_equal(again[0], made[2])
