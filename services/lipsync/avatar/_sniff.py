"""What a file is, told from its first bytes and never from its name.

The demuxer that may read a file is chosen here, from a closed list. Left to guess, a demuxer library also
takes playlists and scripts that name other files and hosts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from mouthpiece.errors import BadInput

FIELD = "avatar"
"""Name of the request's field in `BadInput`."""


class Turn(Enum):
    """How stored pixels become upright, in the order and with the numbers of Exif's tag Orientation."""

    NONE = 1
    MIRROR = 2
    HALF = 3
    FLIP = 4
    TRANSPOSE = 5
    RIGHT = 6
    TRANSVERSE = 7
    LEFT = 8


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The demuxer for a file, whether it holds a picture, and what its header says.

    `size` is (width, height) as stored, `None` where only a decoder can tell. `turn` is `None` where the
    decoder reports the orientation.
    """

    demuxer: str
    picture: bool
    size: tuple[int, int] | None = None
    turn: Turn | None = None


def sniff(path: Path) -> Sniffed:
    """Tell what `path` holds; raises `BadInput` when it is no picture or video that can be read."""
    with path.open("rb") as file:
        head = file.read(512)
        if not head:
            raise BadInput(FIELD, "the file is empty")
        for matches, found in _KINDS:
            if matches(head):
                return found(head, file)
    raise BadInput(FIELD, "neither a picture (JPEG, PNG, WebP, BMP, TIFF, AVIF) nor a video that can be read")


def _png(head: bytes, _: BinaryIO) -> Sniffed:
    if len(head) < 24:
        raise BadInput(FIELD, "the PNG picture is cut off")
    width, height = struct.unpack(">II", head[16:24])
    return Sniffed("png_pipe", picture=True, size=(width, height))


def _bmp(head: bytes, _: BinaryIO) -> Sniffed:
    if len(head) < 26:
        raise BadInput(FIELD, "the BMP picture is cut off")
    old = struct.unpack("<I", head[14:18])[0] == 12
    width, height = struct.unpack("<HH", head[18:22]) if old else struct.unpack("<ii", head[18:26])
    return Sniffed("bmp_pipe", picture=True, size=(width, abs(height)))


def _webp(head: bytes, _: BinaryIO) -> Sniffed:
    """Three layouts of RFC 9649: lossy, lossless, extended."""
    kind, body = head[12:16], head[20:30]
    if len(body) < 10:
        raise BadInput(FIELD, "the WebP picture is cut off")
    if kind == b"VP8X":
        if body[0] & 2:
            raise BadInput(FIELD, "animated WebP cannot be read; convert it to GIF or MP4")
        size = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = struct.unpack("<HH", body[6:10])
        size = width & 0x3FFF, height & 0x3FFF
    return Sniffed("webp_pipe", picture=True, size=size)


def _jpeg(_: bytes, file: BinaryIO) -> Sniffed:
    """Walk the segments up to the picture's data, past thumbnails, which have segments of their own."""
    file.seek(2)
    size: tuple[int, int] | None = None
    turn = Turn.NONE
    while True:
        marker = _next_marker(file)
        if marker == 0xDA:
            break
        length = int.from_bytes(file.read(2), "big") - 2
        body = file.read(length) if length >= 0 else b""
        if len(body) != length:
            raise BadInput(FIELD, "the JPEG picture is cut off")
        if marker in _FRAME_HEADERS and len(body) >= 5:
            height, width = struct.unpack(">HH", body[1:5])
            size = width, height
        elif marker == 0xE1 and body.startswith(b"Exif\0\0"):
            turn = exif_turn(body[6:])
    if not _ends(file):
        raise BadInput(FIELD, "the JPEG picture is cut off")
    return Sniffed("jpeg_pipe", picture=True, size=size, turn=turn)


_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _next_marker(file: BinaryIO) -> int:
    byte = file.read(1)
    while byte and byte != b"\xff":
        byte = file.read(1)
    while byte == b"\xff":
        byte = file.read(1)
    if not byte:
        raise BadInput(FIELD, "the JPEG picture is cut off")
    return byte[0]


def _ends(file: BinaryIO) -> bool:
    """Whether an end-of-image marker follows; what some programs append after it does not matter."""
    previous = b""
    while block := file.read(1 << 20):
        if b"\xff\xd9" in previous + block:
            return True
        previous = block[-1:]
    return False


def exif_turn(tiff: bytes) -> Turn:
    """Orientation in an Exif block (a TIFF file of its own); none when it is not given or not readable."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return Turn.NONE
    at: int = struct.unpack(f"{order}I", tiff[4:8])[0]
    count = int(struct.unpack(f"{order}H", tiff[at : at + 2])[0]) if at + 2 <= len(tiff) else 0
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, _, _, value = struct.unpack(f"{order}HHIH", tiff[entry : entry + 10])
        if tag == 0x0112 and 1 <= value <= 8:
            return Turn(value)
    return Turn.NONE


def _iso_media(head: bytes, _: BinaryIO) -> Sniffed:
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, min(_box_size(head), len(head)), 4))}
    if b"avif" not in brands and head[8:12] in _HEIF_BRANDS:
        raise BadInput(FIELD, "HEIC pictures cannot be read; convert it to JPEG or PNG")
    return Sniffed("mov", picture=b"avif" in brands)


def _box_size(head: bytes) -> int:
    return int.from_bytes(head[:4], "big")


_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"})


def _starts(*signatures: bytes, at: int = 0) -> Callable[[bytes], bool]:
    return lambda head: head[at:].startswith(signatures)


def _riff(kind: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(b"RIFF") and head[8:12] == kind


def _transport_stream(head: bytes) -> bool:
    """Packets of 188 bytes, or of 192 with a time stamp before each."""
    return any(
        len(head) > at + size and head[at] == head[at + size] == 0x47 for at, size in ((0, 188), (4, 192))
    )


def _is(demuxer: str, *, picture: bool = False) -> Callable[[bytes, BinaryIO], Sniffed]:
    return lambda _head, _file: Sniffed(demuxer, picture)


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, BinaryIO], Sniffed]], ...] = (
    (_starts(b"\x89PNG\r\n\x1a\n"), _png),
    (_starts(b"\xff\xd8\xff"), _jpeg),
    (_riff(b"WEBP"), _webp),
    (_starts(b"BM"), _bmp),
    (_starts(b"II*\0", b"MM\0*"), _is("tiff_pipe", picture=True)),
    (_starts(b"GIF87a", b"GIF89a"), _is("gif")),
    (_starts(b"ftyp", at=4), _iso_media),
    (_starts(b"moov", b"mdat", b"wide", b"free", b"skip", at=4), _is("mov")),
    (_starts(b"\x1aE\xdf\xa3"), _is("matroska")),
    (_riff(b"AVI "), _is("avi")),
    (_starts(b"FLV\x01"), _is("flv")),
    (_starts(b"OggS"), _is("ogg")),
    (_starts(b"0&\xb2u\x8ef\xcf\x11"), _is("asf")),
    (_starts(b"\0\0\x01\xba"), _is("mpeg")),
    (_starts(b"YUV4MPEG2 "), _is("yuv4mpegpipe")),
    (_transport_stream, _is("mpegts")),
)
