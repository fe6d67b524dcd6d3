"""Avatars and recordings of strangers, looked at in children."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mouthpiece.errors import BadInput, Reason, Unmet
from services.lipsync.avatar import AvatarKind
from services.lipsync.avatar.confinement import LOOK, inspect_confined, prepare_confined
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.models import default_models_dir
from services.lipsync.avatar.preparation import Format, Stopped, load
from tests.support.lipsync_media import Picture, Shape, write_picture, write_video

MODELS = default_models_dir()
LIMITS = Limits()


def test_an_avatar_is_inspected_and_prepared_in_children(tmp_path: Path, face: Picture) -> None:
    path = write_picture(tmp_path / "face.png", face)
    found = inspect_confined(path, MODELS, LIMITS)
    assert (found.info.kind, found.info.width, found.info.faces) == (AvatarKind.PORTRAIT, 240, 1)
    folder = tmp_path / "prepared"
    folder.mkdir()
    prepare_confined(path, folder, Format(Fraction(25), 128, 128), MODELS, LIMITS, lambda: True)
    avatar, info = load(folder, "key")
    assert info == found.info
    assert avatar.landmarks.shape == (1, 468, 3)


def test_refusals_come_out_of_the_child(tmp_path: Path) -> None:
    grey = write_picture(tmp_path / "grey.png", np.full((64, 64, 3), 128, np.uint8))
    with pytest.raises(Unmet) as caught:
        inspect_confined(grey, MODELS, LIMITS)
    assert caught.value.reason is Reason.NO_FACE


def test_a_picture_that_takes_too_much_memory_is_refused(tmp_path: Path) -> None:
    bomb = write_picture(tmp_path / "bomb.png", np.zeros((6000, 6000, 3), np.uint8))
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(BadInput) as caught:
        inspect_confined(bomb, MODELS, LIMITS, replace(LOOK, memory_bytes=32 << 20))
    assert caught.value.violations[0].field == "avatar"


def test_a_preparation_that_is_called_off_ends(tmp_path: Path, face: Picture) -> None:
    path = write_video(tmp_path / "long.mp4", [face] * 40)
    with pytest.raises(Stopped):
        prepare_confined(path, tmp_path, Format(Fraction(25), 128, 128), MODELS, LIMITS, lambda: False)


def test_a_decoder_that_nobody_needs_is_not_reached(tmp_path: Path, face: Picture) -> None:
    shape = Shape("cinepak", "rgb24", options=())
    path = write_video(tmp_path / "old.avi", [face] * 3, shape=shape)
    with pytest.raises(BadInput, match="not accepted"):
        inspect_confined(path, MODELS, LIMITS)
