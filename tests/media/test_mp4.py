"""Boxes: the index moves to the front, and every position in it moves along."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from mouthpiece.media.boxes import boxes
from mouthpiece.media.mp4 import move_index_first
from mouthpiece.media.probe import decode_frames, read_movie
from tests.support.media_chunks import encode, pictures


def moved(source: Path, target: Path, tags: dict[str, str]) -> list[bytes]:
    with source.open("rb") as old, target.open("wb") as new:
        move_index_first(old, new, tags)
    with target.open("rb") as new:
        return [box.kind for box in boxes(new)]


def test_the_index_comes_first_and_frames_are_still_found(tmp_path: Path) -> None:
    source = encode(tmp_path / "a.mp4", range(60))
    assert moved(source, tmp_path / "b.mp4", {}) == [b"ftyp", b"moov", b"mdat"]
    assert all(map(np.array_equal, decode_frames(tmp_path / "b.mp4"), pictures(range(60))))


def test_positions_beyond_four_gigabytes_get_64_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mouthpiece.media.mp4._LAST_NARROW", 1000)
    source = encode(tmp_path / "a.mp4", range(60))
    moved(source, tmp_path / "b.mp4", {"x": "y"})
    content = (tmp_path / "b.mp4").read_bytes()
    assert b"co64" in content
    assert b"stco" not in content
    assert all(map(np.array_equal, decode_frames(tmp_path / "b.mp4"), pictures(range(60))))


def test_tags_replace_those_that_were_there(tmp_path: Path) -> None:
    source = encode(tmp_path / "a.mp4", range(3))
    moved(source, tmp_path / "b.mp4", {"©nam": "one"})
    moved(tmp_path / "b.mp4", tmp_path / "c.mp4", {"©nam": "two", "own": "ünï" * 10_000})
    metadata = read_movie(tmp_path / "c.mp4").metadata
    assert metadata["title"] == "two"
    assert metadata["own"] == "ünï" * 10_000
    assert "encoder" not in metadata


def test_sizes_of_64_bits_and_up_to_the_end_are_understood() -> None:
    data = struct.pack(">I4sQ", 1, b"mdat", 20) + bytes(4) + struct.pack(">I4s", 0, b"free") + bytes(9)
    assert [(box.kind, box.content, box.end) for box in boxes(BytesIO(data))] == [
        (b"mdat", 16, 20),
        (b"free", 28, 37),
    ]


@pytest.mark.parametrize("data", [b"abc", struct.pack(">I4s", 4, b"moov"), struct.pack(">I4s", 99, b"moov")])
def test_bytes_that_are_no_boxes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="box"):
        list(boxes(BytesIO(data)))


def test_a_file_without_an_index_is_refused() -> None:
    with pytest.raises(ValueError, match="not a plain MP4"):
        move_index_first(BytesIO(struct.pack(">I4s", 8, b"ftyp")), BytesIO(), {})
