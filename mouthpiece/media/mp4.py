"""Boxes of an MP4: putting the index in front of the data, and writing tags into it.

FFmpeg writes a file's tags together with its header. What made a video is known only when its last chunk has
been merged, so the index is moved and tagged here, in one go. Box layouts are those of ISO/IEC 14496-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

import numpy as np

from mouthpiece.media.boxes import Box, box_of, boxes
from mouthpiece.media.tags import tag_box

_BLOCK = 1 << 20
_TREE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_OFFSETS = {b"stco": ">u4", b"co64": ">u8"}
_LAST_NARROW = 0xFFFF_FFFF


def move_index_first(source: BinaryIO, target: BinaryIO, tags: Mapping[str, str]) -> None:
    """Copy an MP4 with its index moved to the front and its tags replaced by ``tags``.

    A tag whose name begins with © is a standard one of four characters; any other is stored under a name of
    ours. Raises `ValueError` when the source lacks `ftyp`, `moov` or `mdat`.
    """
    parts = {box.kind: box for box in boxes(source)}
    if not {b"ftyp", b"moov", b"mdat"} <= parts.keys():
        raise ValueError("not a plain MP4")
    lead = _read(source, parts[b"ftyp"])
    data = parts[b"mdat"]
    movie = BytesIO(_read(source, parts[b"moov"]))
    extra = tag_box(tags)
    # Doubled, the index has room for wide offsets: whether they are needed must be known before its size is.
    wide = data.end + 2 * movie.seek(0, 2) + len(extra) > _LAST_NARROW
    length = len(_index(movie, extra, _Move(0, wide)))
    target.write(lead)
    target.write(_index(movie, extra, _Move(len(lead) + length - data.first, wide)))
    source.seek(data.first)
    _copy(source, target, data.end - data.first)


@dataclass(frozen=True, slots=True)
class _Move:
    """How far the data moves, in bytes, and whether its positions need 64 bits."""

    by: int
    wide: bool


def _index(movie: BinaryIO, extra: bytes, move: _Move) -> bytes:
    box = next(boxes(movie))
    kept = [
        _rebuilt(movie, part, move) for part in boxes(movie, box.content, box.end) if part.kind != b"udta"
    ]
    return box_of(b"moov", *kept, extra)


def _rebuilt(data: BinaryIO, box: Box, move: _Move) -> bytes:
    if box.kind in _TREE:
        return box_of(box.kind, *(_rebuilt(data, part, move) for part in boxes(data, box.content, box.end)))
    whole = _read(data, box)
    if box.kind not in _OFFSETS:
        return whole
    # version and flags, number of entries, then the position of each run of samples in the file
    head, entries = whole[8:16], np.frombuffer(whole[16:], _OFFSETS[box.kind]).astype(np.int64) + move.by
    kind = b"co64" if move.wide else b"stco"
    return box_of(kind, head, entries.astype(_OFFSETS[kind]).tobytes())


def _read(data: BinaryIO, box: Box) -> bytes:
    data.seek(box.first)
    return data.read(box.end - box.first)


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length:
        block = source.read(min(length, _BLOCK))
        if not block:
            raise ValueError("file cut off while it was copied")
        target.write(block)
        length -= len(block)
