"""Whatever bytes come, every parser of ours answers or refuses in its own words, and soon."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import BinaryIO

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from mouthpiece.errors import BadInput
from mouthpiece.media.boxes import Box, boxes, count_frames, keyframes
from mouthpiece.media.mp4 import move_index_first
from mouthpiece.media.tags import read_tags
from mouthpiece.rpc.speech_codec import sentence_from_proto, slice_from_proto
from mouthpiece.text.ssml import read_ssml
from mouthpiece.v1 import common_pb2
from services.gateway.access.document import read_access
from services.gateway.http.files import wanted_part
from services.lipsync.avatar._sniff import exif_turn, sniff
from services.tts.riff import missing_bytes

fuzzed = settings(
    max_examples=50,
    derandomize=True,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

_KINDS = [b"ftyp", b"moov", b"mdat", b"trak", b"mdia", b"minf", b"stbl", b"stsz", b"stss", b"stco", b"co64"]


def box(kind: bytes, body: bytes, lie: int = 0) -> bytes:
    return struct.pack(">I4s", max(0, 8 + len(body) + lie) & 0xFFFFFFFF, kind) + body


leaves = st.builds(box, st.sampled_from(_KINDS), st.binary(max_size=24), st.sampled_from([0] * 6 + [-9, 5]))
movies = st.recursive(
    st.lists(leaves, max_size=4).map(b"".join),
    lambda inner: st.lists(st.builds(box, st.sampled_from(_KINDS), inner), max_size=4).map(b"".join),
    max_leaves=12,
)


def nested(*bodies: bytes) -> bytes:
    """A movie with the usual nesting around some boxes."""
    inside = b"".join(bodies)
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        inside = box(kind, inside)
    return box(b"ftyp", b"isom") + inside + box(b"mdat", b"data")


def listed(movie: BinaryIO) -> list[Box]:
    return list(boxes(movie))


def chunk(name: bytes, size: int, body: bytes) -> bytes:
    return name + struct.pack("<I", size) + body


def moved(movie: BinaryIO) -> None:
    move_index_first(movie, BytesIO(), {"©nam": "t"})


@fuzzed
@given(st.one_of(st.binary(max_size=200), movies, st.lists(leaves, max_size=3).map(lambda x: nested(*x))))
@pytest.mark.parametrize("read", [listed, count_frames, keyframes, moved, read_tags])
def test_movies(read: Callable[[BinaryIO], object], content: bytes) -> None:
    with suppress(ValueError):
        read(BytesIO(content))


def answered(read: Callable[[Path], object], path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with suppress(BadInput):
        read(path)


_HEADS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe1\x00\x20Exif\0\0MM\0*",
    b"\xff\xd8\xff\xc0",
    *(b"RIFF\0\0\0\0WEBP" + kind for kind in (b"VP8X", b"VP8L", b"VP8 ")),
    *(b"BM", b"II*\0", b"GIF89a", b"\0\0\0\x20ftypavif", b"\x47" + b"\0" * 187 + b"\x47"),
]


@fuzzed
@given(st.sampled_from(_HEADS), st.binary(max_size=120))
def test_heads_of_pictures_and_videos(tmp_path: Path, head: bytes, rest: bytes) -> None:
    answered(sniff, tmp_path / "avatar", head + rest)


@fuzzed
@given(st.sampled_from([b"MM\0*", b"II*\0", b"MM"]), st.binary(max_size=80))
def test_orientations(head: bytes, rest: bytes) -> None:
    exif_turn(head + rest)


@fuzzed
@given(
    st.lists(
        st.builds(
            chunk,
            st.sampled_from([b"fmt ", b"data", b"LIST"]),
            st.integers(0, 0xFFFF_FFFF),
            st.binary(max_size=30),
        )
    )
)
def test_wave_files(tmp_path: Path, chunks: list[bytes]) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\0\0\0\0WAVE" + b"".join(chunks))
    assert missing_bytes(path) >= 0


spans = st.builds(common_pb2.Span, first=st.integers(-(2**40), 2**40), end=st.integers(-(2**40), 2**40))
sentences = st.builds(
    common_pb2.Sentence,
    index=st.integers(-5, 5),
    text=st.text(max_size=8),
    source=spans,
    samples=spans,
    pcm=st.binary(max_size=9),
    phonemes_known=st.booleans(),
    pauses=st.lists(spans, max_size=2),
)


@fuzzed
@given(sentences)
def test_sentences(message: common_pb2.Sentence) -> None:
    with suppress(BadInput):
        sentence_from_proto(message)


@fuzzed
@given(st.binary(max_size=60))
def test_slices_of_speech(content: bytes) -> None:
    message = common_pb2.SpeechSlice()
    try:
        message.ParseFromString(content)
    except DecodeError:
        return
    with suppress(BadInput):
        slice_from_proto(message)


_MARKUP = [
    "<speak>",
    "</speak>",
    "<p>",
    "</p>",
    "<break/>",
    '<break time="',
    '"/>',
    "<sub alias=",
    "'x'>",
    "</sub>",
    "&amp;",
    "&#65;",
    "&#x110000;",
    "<![CDATA[",
    "]]>",
    "<!DOCTYPE a>",
    "<?pi?>",
    "<!--",
    "-->",
    "\r\n",
]


@fuzzed
@given(st.lists(st.one_of(st.sampled_from(_MARKUP), st.text(max_size=5)), max_size=12).map("".join))
@pytest.mark.parametrize("wrap", [False, True])
def test_ssml(wrap: bool, source: str) -> None:
    try:
        document = read_ssml(f"<speak>{source}</speak>" if wrap else source)
    except BadInput:
        return
    assert len(document.places) == len(document.ends) == len(document.text)


_TOML = [
    "[tenants.a]\n",
    "[[keys]]\n",
    "[jwt]\n",
    'name = "a"\n',
    'sha256 = "0"\n',
    "weight = ",
    "nan\n",
    "2\n",
    "expires = 2027-01-01T00:00:00Z\n",
    "scopes = [",
    "'read'",
    "]\n",
    "= ",
    "[",
    "1e999\n",
    'rate = "1/s"\n',
]


@fuzzed
@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from(_TOML), max_size=10).map(lambda parts: "".join(parts).encode()),
    )
)
def test_access_files(tmp_path: Path, content: bytes) -> None:
    answered(read_access, tmp_path / "access.toml", content)


@fuzzed
@given(
    st.one_of(st.text(max_size=12), st.from_regex(r"bytes=\d{0,17}-\d{0,17}(,\d-)?", fullmatch=True)),
    st.integers(0, 1000),
    st.sampled_from(["", '"e"', 'W/"e"', "Sat, 21 Nov 2026 00:00:00 GMT"]),
)
def test_ranges(header: str, size: int, condition: str) -> None:
    headers = [(b"range", header.encode("latin-1", "replace")), (b"if-range", condition.encode())]
    part = wanted_part(Request({"type": "http", "headers": headers}), size, '"e"')
    assert part.status in {200, 206, 416}
    assert 0 <= part.first <= part.end <= size
    assert part.headers


def test_every_pair_of_box_sizes_is_read_or_refused() -> None:
    for size, wide in product((0, 1, 2, 7, 8, 9, 16, 2**31, 2**32 - 1), (0, 1, 15, 16, 2**63)):
        content = struct.pack(">I4sQ", size, b"moov", wide)
        with suppress(ValueError):
            assert sum(found.end - found.first for found in boxes(BytesIO(content))) == len(content)


@pytest.mark.parametrize("shared", [0, 1])
def test_frames_that_a_movie_cannot_hold_are_not_counted(shared: int) -> None:
    movie = BytesIO(nested(box(b"stsz", struct.pack(">III", 0, shared, 2**32 - 1))))
    with pytest.raises(ValueError, match="room"):
        keyframes(movie)
