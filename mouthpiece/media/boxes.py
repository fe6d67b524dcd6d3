"""The boxes that an MP4 consists of (ISO/IEC 14496-12), read without any library."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_TO_SIZES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz")


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box stands: its kind, its first byte, that of its content, and the byte after it."""

    kind: bytes
    first: int
    content: int
    end: int


def boxes(data: BinaryIO, first: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that follow each other in [first, end), by default those at the top level.

    Raises `ValueError` when the bytes there are not boxes.
    """
    if end is None:
        end = data.seek(0, 2)
    while first < end:
        data.seek(first)
        head = data.read(16)
        if len(head) < 8:
            raise ValueError("box cut off")
        size, kind = struct.unpack(">I4s", head[:8])
        content = first + 8
        if size == 1:
            size, content = int.from_bytes(head[8:16], "big"), first + 16
        elif size == 0:
            size = end - first
        if not content <= first + size <= end:
            raise ValueError(f"box {kind!r} has an impossible size")
        yield Box(kind, first, content, first + size)
        first += size


def count_frames(movie: BinaryIO) -> int:
    """How many frames the first track of a movie has.

    Raises `ValueError` when this is no movie, or its index is beyond its end.
    """
    first, end = 0, None
    for kind in _TO_SIZES:
        found = next((box for box in boxes(movie, first, end) if box.kind == kind), None)
        if found is None:
            raise ValueError(f"no box {kind!r}")
        first, end = found.content, found.end
    movie.seek(first + 8)  # beyond version, flags, and the size that all frames share
    return int.from_bytes(movie.read(4), "big")
