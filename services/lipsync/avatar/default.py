"""Where the default avatar is kept: a PNG in the cache, drawn the first time it is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp

import cv2

from services.lipsync.avatar.portrait import VERSION, draw_portrait

DEFAULT_KEY = f"default-{VERSION}"
"""Takes the place of a content hash in `avatar_key`."""


def default_avatar(folder: Path) -> Path:
    """The picture's file in `folder`, which is created; safe when several processes ask at once."""
    path = folder / f"{DEFAULT_KEY}.png"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        coded = cv2.imencode(".png", draw_portrait())[1]
        descriptor, scratch = mkstemp(dir=folder, suffix=".png")
        with os.fdopen(descriptor, "wb") as file:
            file.write(coded.tobytes())
        Path(scratch).replace(path)
    return path
