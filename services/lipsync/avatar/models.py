"""The face models: which files, where they are, and what to do when they are not there.

They are the models inside the wheel of mediapipe 0.10.21 (Apache-2.0), fetched at set-up by
`scripts/fetch_face_models.py` and never part of this repository.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mouthpiece.core.engines import Weights
from mouthpiece.errors import Reason, Unmet


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model: file name, path inside the wheel that carries it, SHA-256 of the content."""

    name: str
    wheel_path: str
    sha256: str


FACE_LANDMARK = ModelFile(
    "face_landmark.tflite",
    "mediapipe/modules/face_landmark/face_landmark.tflite",
    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
)
FACE_DETECTION_SHORT = ModelFile(
    "face_detection_short_range.tflite",
    "mediapipe/modules/face_detection/face_detection_short_range.tflite",
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
)
FACE_DETECTION_FULL = ModelFile(
    "face_detection_full_range_sparse.tflite",
    "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
    "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
)
FACE_MODELS = (FACE_LANDMARK, FACE_DETECTION_SHORT, FACE_DETECTION_FULL)
FACE_WEIGHTS = tuple(Weights(model.name, model.sha256) for model in FACE_MODELS)
"""The same as engines declare them."""


def default_models_dir() -> Path:
    """Where set-up puts the models: inside the environment that runs this interpreter."""
    return Path(sys.prefix) / "share" / "mouthpiece" / "models"


def model_path(model: ModelFile, directory: Path) -> Path:
    """The file of `model` in `directory`; raises `Unmet` (WEIGHTS_MISSING) when it is not there."""
    path = directory / model.name
    if not path.is_file():
        raise Unmet(
            Reason.WEIGHTS_MISSING,
            f"the face model {model.name} is not in {directory}; run: "
            f"python scripts/fetch_face_models.py {directory}",
        )
    return path


def missing_models(directory: Path) -> list[str]:
    """Names of the models that are not in `directory`."""
    return [model.name for model in FACE_MODELS if not (directory / model.name).is_file()]
