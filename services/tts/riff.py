"""The lengths that a RIFF WAVE file states about itself.

FFmpeg takes the size of the file for the length of the sound, so a WAVE file that was cut off looks whole.
Format: Microsoft Multimedia Standards Update, "New Multimedia Data Types and Data Techniques" (1994).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

_MOST_CHUNKS = 1000
_UNKNOWN = 0x7FFF_0000
"""Sizes from here on are written by programs that do not know the length yet."""
_SLACK = 4096
"""Bytes that may be missing: some recorders count wrongly by a few samples."""


def missing_bytes(path: Path) -> int:
    """Bytes of sound that the header of a WAVE file promises and the file lacks; 0 for other files."""
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return 0
        return _missing(file)


def _missing(file: BinaryIO) -> int:
    length = os.fstat(file.fileno()).st_size
    for _ in range(_MOST_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return 0
        name, size = struct.unpack("<4sI", header)
        if name == b"data":
            missing = file.tell() + size - length
            return missing if size < _UNKNOWN and missing > _SLACK else 0
        file.seek(size + size % 2, os.SEEK_CUR)
    return 0
