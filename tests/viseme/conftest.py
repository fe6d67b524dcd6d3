from __future__ import annotations

import cv2
import numpy as np
import pytest

from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.avatar.default import default_avatar
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.models import default_models_dir
from services.lipsync.engines.viseme.prepared import Prepared
from tests.support.viseme_avatars import ENGINE, Picture, avatar_of, turning

SIDE = 320


@pytest.fixture(scope="session")
def tracker() -> FaceTracker:
    return FaceTracker.load(default_models_dir())


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """The default avatar, small; drawn once for all test processes."""
    drawn = cv2.imread(str(default_avatar(tmp_path_factory.getbasetemp().parent / "portrait")))
    return np.asarray(cv2.resize(np.asarray(drawn), (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="session")
def portrait(picture: Picture, tracker: FaceTracker) -> Avatar:
    return avatar_of([picture], tracker, AvatarKind.PORTRAIT)


@pytest.fixture(scope="session")
def clip(picture: Picture, tracker: FaceTracker) -> Avatar:
    return avatar_of(turning(picture, 8), tracker, AvatarKind.VIDEO)


@pytest.fixture(scope="session")
def still(portrait: Avatar) -> Prepared:
    ENGINE.load()
    return ENGINE.prepare(portrait)


@pytest.fixture(scope="session")
def moving(clip: Avatar) -> Prepared:
    ENGINE.load()
    return ENGINE.prepare(clip)
