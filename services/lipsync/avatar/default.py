"""Where the default avatar is kept: a PNG in the cache, drawn the first time it is asked for."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import cv2

from services.lipsync.avatar.portrait import VERSION, draw_portrait

DEFAULT_KEY = f"default-{VERSION}"
"""Takes the place of a content hash in `avatar_key`."""


def default_avatar(folder: Path) -> Path:
    """The picture's file in `folder`, which is created; processes that ask at once wait for one drawing."""
    path = folder / f"{DEFAULT_KEY}.png"
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".drawing").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go by the kernel, at the latest when its holder dies
        if not path.is_file():
            scratch = path.with_suffix(f".{os.getpid()}")
            scratch.write_bytes(cv2.imencode(".png", draw_portrait())[1].tobytes())
            scratch.replace(path)
    return path
