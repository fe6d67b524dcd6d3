from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mouthpiece.artifacts import ArtifactStore, hash_file
from mouthpiece.errors import BadInput, DataLoss, NotFound

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
