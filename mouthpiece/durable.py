"""Files that survive a power cut: their content reaches the disk before their name does.

A process that is killed, or a disk that is full, leaves the old file or none under the name, never a part.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path


def write_durably(path: Path, content: bytes | Path, scratch: Path) -> None:
    """Put bytes, or a copy of a file, at `path`, whose folder may be missing but not that folder's own.

    `scratch` is a folder on the same disk; what a killed process leaves there is nobody's. Raises `OSError`,
    and leaves nothing then.
    """
    scratch.mkdir(exist_ok=True)
    unfinished = scratch / secrets.token_hex(8)
    try:
        with unfinished.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                with content.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        path.parent.mkdir(exist_ok=True)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_name(path)


def sync_name(path: Path) -> None:
    """Wait until the name of a file is on the disk, and that of its folder."""
    for folder in (path.parent, path.parent.parent):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
