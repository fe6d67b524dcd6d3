"""Tags in the index of an MP4, by the convention of iTunes, which players and editors read."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from itertools import starmap
from typing import BinaryIO

from mouthpiece.media.boxes import Box, box_of, boxes

TITLE = "©nam"
COMMENT = "©cmt"
TOOL = "©too"
PROVENANCE = "provenance"
"""Name of the tag that holds the JSON document of what made the video."""

_UTF8 = 1
_DOMAIN = "mouthpiece"
_LARGEST = 64 << 20


def tag_box(tags: Mapping[str, str]) -> bytes:
    """The box that holds tags.

    One whose name begins with © is a standard one of four characters; any other is stored under a name of
    ours.
    """
    handler = box_of(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    return box_of(b"udta", box_of(b"meta", bytes(4), handler, box_of(b"ilst", *starmap(_tag, tags.items()))))


def _tag(name: str, value: str) -> bytes:
    data = box_of(b"data", struct.pack(">II", _UTF8, 0), value.encode())
    if name.startswith("©"):
        return box_of(name.encode("latin-1"), data)
    return box_of(
        b"----",
        box_of(b"mean", bytes(4), _DOMAIN.encode()),
        box_of(b"name", bytes(4), name.encode()),
        data,
    )


def read_tags(movie: BinaryIO) -> dict[str, str]:
    """The tags of a movie as `tag_box` writes them; none when it has none.

    Raises `ValueError` when the file does not consist of boxes.
    """
    found: dict[str, str] = {}
    for index in _within(movie, None, b"moov"):
        for user in _within(movie, index, b"udta"):
            for meta in _within(movie, user, b"meta"):
                inside = Box(meta.kind, meta.first, meta.content + 4, meta.end)  # beyond version and flags
                for entries in _within(movie, inside, b"ilst"):
                    found |= dict(_entries(movie, entries))
    return found


def _within(data: BinaryIO, box: Box | None, kind: bytes) -> Iterator[Box]:
    inside = boxes(data) if box is None else boxes(data, box.content, box.end)
    return (part for part in inside if part.kind == kind)


def _entries(data: BinaryIO, entries: Box) -> Iterator[tuple[str, str]]:
    for entry in boxes(data, entries.content, entries.end):
        parts = {part.kind: _text(data, part) for part in boxes(data, entry.content, entry.end)}
        own = parts.get(b"mean", "")[4:] == _DOMAIN
        name = parts.get(b"name", "")[4:] if own else entry.kind.decode("latin-1")
        if b"data" in parts:
            yield name, parts[b"data"][8:]


def _text(data: BinaryIO, box: Box) -> str:
    """The content of a box; versions, flags and types in front of it are as many characters as bytes."""
    data.seek(box.content)
    return data.read(min(box.end - box.content, _LARGEST)).decode(errors="replace")
