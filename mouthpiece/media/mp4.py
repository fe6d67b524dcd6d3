"""Boxes of an MP4: putting the index in front of the data, and writing tags into it.

FFmpeg writes a file's tags together with its header. What made a video is known only when its last chunk has
been merged, so the index is moved and tagged here, in one go. Box layouts are those of ISO/IEC 14496-12; tags
follow the convention of iTunes, which players and editors read.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import starmap
from typing import BinaryIO

import numpy as np

from mouthpiece.media.boxes import Box, boxes

TITLE = "©nam"
COMMENT = "©cmt"
TOOL = "©too"

_BLOCK = 1 << 20
_TREE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_OFFSETS = {b"stco": ">u4", b"co64": ">u8"}
_LAST_NARROW = 0xFFFF_FFFF
_UTF8 = 1
_TAG_DOMAIN = "mouthpiece"


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
    extra = _tag_box(tags)
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
    return _box(b"moov", *kept, extra)


def _rebuilt(data: BinaryIO, box: Box, move: _Move) -> bytes:
    if box.kind in _TREE:
        return _box(box.kind, *(_rebuilt(data, part, move) for part in boxes(data, box.content, box.end)))
    whole = _read(data, box)
    if box.kind not in _OFFSETS:
        return whole
    # version and flags, number of entries, then the position of each run of samples in the file
    head, entries = whole[8:16], np.frombuffer(whole[16:], _OFFSETS[box.kind]).astype(np.int64) + move.by
    kind = b"co64" if move.wide else b"stco"
    return _box(kind, head, entries.astype(_OFFSETS[kind]).tobytes())


def _tag_box(tags: Mapping[str, str]) -> bytes:
    handler = _box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    return _box(b"udta", _box(b"meta", bytes(4), handler, _box(b"ilst", *starmap(_tag, tags.items()))))


def _tag(name: str, value: str) -> bytes:
    data = _box(b"data", struct.pack(">II", _UTF8, 0), value.encode())
    if name.startswith("©"):
        return _box(name.encode("latin-1"), data)
    return _box(
        b"----",
        _box(b"mean", bytes(4), _TAG_DOMAIN.encode()),
        _box(b"name", bytes(4), name.encode()),
        data,
    )


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


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
