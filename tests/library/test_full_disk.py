"""Artifacts on a disk that is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.errors import Busy, MouthpieceError, as_told
from tests.support.small_disk import files, small_disk


async def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(2 << 20))
    with small_disk(tmp_path / "small") as disk:
        store = ArtifactStore.open(str(disk))
        with pytest.raises(Busy, match="full"):
            await store.put_file(large)
        with pytest.raises(Busy, match="full"):
            await store.put_bytes(large.read_bytes())
        assert not files(disk)
        small = await store.put_bytes(b"fits")
        assert await store.get_bytes(small.sha256) == b"fits"


@pytest.mark.parametrize(("number", "told"), [(errno.ENOSPC, Busy), (errno.EDQUOT, Busy), (errno.EIO, None)])
def test_only_a_full_disk_is_told_to_callers(number: int, told: type[Busy] | None) -> None:
    error = as_told(OSError(number, os.strerror(number), "/a/private/path"))
    assert isinstance(error, told or MouthpieceError)
    assert (error.status == "RESOURCE_EXHAUSTED") is (told is Busy)
    assert "private" not in error.message
