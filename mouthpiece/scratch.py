"""Folders for work in progress, and what processes that died left in them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

STALE_SECONDS = 6 * 3600
"""Age at which an entry is nobody's any more; no chunk, avatar or artifact takes this long to write."""


def sweep(entries: Iterable[Path], stale_seconds: float = STALE_SECONDS) -> None:
    """Delete the files and folders that nobody has changed for long; others may be at work beside them."""
    oldest = time.time() - stale_seconds
    for entry in entries:
        with suppress(FileNotFoundError):
            if entry.stat().st_mtime >= oldest:
                continue
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()
