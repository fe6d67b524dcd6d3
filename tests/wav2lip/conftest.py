"""Checkpoints of both models, once for a test process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mouthpiece.settings import LipSyncSettings
from services.lipsync.engines.wav2lip.engine import VARIANTS, Wav2LipEngine
from tests.support.wav2lip_weights import seeded_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with both; the one without GAN paints everything darker."""
    folder = tmp_path_factory.mktemp("weights")
    bias = {"output_block.1.bias": seeded_weights()["output_block.1.bias"] - 1.0}
    torch.save(seeded_weights(), folder / "wav2lip_gan.pth")
    torch.save(seeded_weights() | bias, folder / "wav2lip.pth")
    yield folder
    for file in folder.iterdir():
        file.unlink()


@pytest.fixture(scope="session")
def engine(weights: Path) -> Wav2LipEngine:
    loaded = Wav2LipEngine(VARIANTS["wav2lip"], LipSyncSettings(weights=weights))
    loaded.load()
    return loaded
