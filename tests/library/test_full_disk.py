"""Artifacts on a disk that is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mouthpiece.artifacts import ArtifactStore
from mouthpiece.errors import Busy


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; needs the right to mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_does_not_fit_is_refused_and_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    store = ArtifactStore.open(str(small_disk))
    large = tmp_path / "large"
    large.write_bytes(os.urandom(2 << 20))
    with pytest.raises(Busy, match="full"):
        await store.put_file(large)
    with pytest.raises(Busy, match="full"):
        await store.put_bytes(large.read_bytes())
    assert not files(small_disk)
    small = await store.put_bytes(b"fits")
    assert await store.get_bytes(small.sha256) == b"fits"
