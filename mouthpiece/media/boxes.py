"""The boxes that an MP4 consists of (ISO/IEC 14496-12), read without any library."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_TO_SAMPLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box stands: its kind, its first byte, that of its content, and the byte after it."""

    kind: bytes
    first: int
    content: int
    end: int


def box_of(kind: bytes, *content: bytes) -> bytes:
    """A box with some content."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


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

    Raises `ValueError` when this is no movie, or its index is beyond its end or claims more than there is.
    """
    sizes = _only(movie, b"stsz", _samples(movie))
    movie.seek(sizes.content + 4)  # beyond version and flags
    head = movie.read(8)
    shared, count = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
    most = movie.seek(0, 2) // shared if shared else (sizes.end - sizes.content - 12) // 4
    if count > most:
        raise ValueError(f"{count} frames are more than there is room for")
    return count


def keyframes(movie: BinaryIO) -> list[int]:
    """The frames of the first track, in decoding order from 0 on, at which decoding may begin.

    Raises `ValueError` as `count_frames` does.
    """
    found = next((box for box in _inside(movie, _samples(movie)) if box.kind == b"stss"), None)
    if found is None:  # ISO/IEC 14496-12, 8.6.2: then it may begin at any
        return list(range(count_frames(movie)))
    movie.seek(found.content + 8)  # beyond version, flags, and the number of entries
    numbers = movie.read(found.end - found.content - 8)
    return [int.from_bytes(numbers[at : at + 4], "big") - 1 for at in range(0, len(numbers), 4)]


def _samples(movie: BinaryIO) -> Box | None:
    """The table of samples of the first track."""
    found: Box | None = None
    for kind in _TO_SAMPLES:
        found = _only(movie, kind, found)
    return found


def _only(movie: BinaryIO, kind: bytes, within: Box | None) -> Box:
    found = next((box for box in _inside(movie, within) if box.kind == kind), None)
    if found is None:
        raise ValueError(f"no box {kind!r}")
    return found


def _inside(movie: BinaryIO, within: Box | None) -> Iterator[Box]:
    return boxes(movie, within.content, within.end) if within else boxes(movie)
