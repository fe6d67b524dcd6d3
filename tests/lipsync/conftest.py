"""The default avatar as everyone's face, and the face models."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from services.lipsync.avatar.default import default_avatar
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.models import default_models_dir
from tests.support.lipsync_media import Picture, scaled

cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def portrait_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default avatar, drawn once for all processes of a test run."""
    return default_avatar(tmp_path_factory.getbasetemp().parent / "portrait")


@pytest.fixture(scope="session")
def portrait(portrait_file: Path) -> Picture:
    """720 × 720."""
    return np.asarray(cv2.imread(str(portrait_file)), np.uint8)


@pytest.fixture(scope="session")
def face(portrait: Picture) -> Picture:
    """240 × 240."""
    return scaled(portrait, 240)


@pytest.fixture(scope="session")
def tracker() -> FaceTracker:
    """Needs the models that `scripts/fetch_face_models.py` puts into the environment."""
    return FaceTracker.load(default_models_dir())
