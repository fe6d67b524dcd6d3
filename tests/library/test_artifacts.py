from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from obstore.exceptions import GenericError

from mouthpiece.artifacts import ArtifactStore, hash_file
from mouthpiece.errors import BadInput, DataLoss, NotFound, Unavailable

CONTENT = bytes(range(256)) * 3000
NAME = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore.open(str(tmp_path / "store"))


async def test_what_is_put_is_found_by_its_hash(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert await store.put_file(tmp_path / "file") == await store.put_bytes(CONTENT)
    assert (await store.find(NAME)).size_bytes == len(CONTENT)
    assert await store.get_bytes(NAME) == CONTENT
    async with store.local(NAME) as path:
        assert hash_file(path).sha256 == NAME


async def test_a_range_is_read(store: ArtifactStore) -> None:
    await store.put_bytes(CONTENT)
    blocks = [block async for block in store.read(NAME, 100, 500_000)]
    assert b"".join(blocks) == CONTENT[100:500_100]
    assert max(map(len, blocks)) <= 256 * 1024


async def test_damage_is_noticed(store: ArtifactStore, tmp_path: Path) -> None:
    await store.put_bytes(CONTENT)
    (tmp_path / "store" / NAME[:2] / NAME).write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(DataLoss):
        await store.get_bytes(NAME)
    with pytest.raises(DataLoss):
        async with store.local(NAME):
            pass


async def test_what_is_not_there_is_not_found_and_deleting_it_does_nothing(store: ArtifactStore) -> None:
    await store.delete(NAME)
    with pytest.raises(NotFound):
        await store.get_bytes(NAME)


@pytest.mark.parametrize("name", ["../../etc/passwd", "ABC", "", NAME.upper()])
async def test_a_name_that_is_no_hash_never_becomes_a_path(store: ArtifactStore, name: str) -> None:
    with pytest.raises(BadInput):
        await store.find(name)


def stored(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_content_that_was_cut_off_is_put_again(store: ArtifactStore, tmp_path: Path) -> None:
    await store.put_bytes(CONTENT)
    (tmp_path / "store" / NAME[:2] / NAME).write_bytes(CONTENT[:100])
    await store.put_bytes(CONTENT)
    assert await store.get_bytes(NAME) == CONTENT


async def test_putting_what_is_there_makes_it_young_again(store: ArtifactStore, tmp_path: Path) -> None:
    await store.put_bytes(CONTENT)
    os.utime(tmp_path / "store" / NAME[:2] / NAME, (1, 1))
    await store.put_bytes(CONTENT)
    assert [entry.stored > 1 async for entry in store.entries()] == [True]


async def test_what_a_killed_process_was_writing_is_no_artifact_and_goes_when_it_is_old(
    store: ArtifactStore, tmp_path: Path
) -> None:
    await store.put_bytes(CONTENT)
    left = [tmp_path / "store" / "unfinished" / name for name in ("young", "old")]
    for path in left:
        path.write_bytes(CONTENT[:50])
    os.utime(left[1], (1, 1))
    assert [entry.artifact.sha256 async for entry in store.entries()] == [NAME]
    await store.sweep()
    assert sorted(stored(tmp_path / "store")) == sorted([NAME, "young"])


async def test_content_is_on_the_disk_before_its_name_and_the_name_before_put_returns(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut would leave is what was flushed: the file without its name, then both."""
    flushed: list[tuple[str, list[str]]] = []
    flush = os.fsync

    def record(descriptor: int) -> None:
        flush(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        flushed.append((path.parent.name if path.is_file() else path.name, stored(tmp_path / "store")))

    monkeypatch.setattr(os, "fsync", record)
    await store.put_bytes(CONTENT)
    (content, before), *names = flushed
    assert content == "unfinished"
    assert NAME not in before
    assert [(folder, NAME in there) for folder, there in names] == [(NAME[:2], True), ("store", True)]
    flushed.clear()
    await store.put_bytes(CONTENT)
    assert [folder for folder, _ in flushed] == [NAME[:2], "store"]


class AwayBucket:
    """A bucket that answers nothing."""

    async def head_async(self, _key: str) -> object:
        raise GenericError("connection refused")

    async def list(self) -> AsyncIterator[object]:
        yield []
        raise GenericError("connection refused")

    delete_async = head_async


async def test_a_bucket_that_does_not_answer_is_told_from_one_without_the_artifact() -> None:
    store = ArtifactStore(cast("Any", AwayBucket()))
    name = hashlib.sha256(b"x").hexdigest()
    for call in (store.find(name), store.has(name), store.put_bytes(b"x"), store.delete(name)):
        with pytest.raises(Unavailable):
            await call
    with pytest.raises(Unavailable):
        assert not [entry async for entry in store.entries()]
