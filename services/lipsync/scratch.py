"""Folders for work in progress, and what processes that died left in them."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

STALE_SECONDS = 6 * 3600
"""Age at which an entry is nobody's any more; no chunk and no avatar takes this long."""


def sweep(folder: Path) -> None:
    """Delete what is old in `folder`; others may be at work in it."""
    oldest = time.time() - STALE_SECONDS
    for entry in folder.iterdir():
        with suppress(FileNotFoundError):
            if entry.stat().st_mtime < oldest:
                shutil.rmtree(entry, ignore_errors=True)
