"""The cache of prepared avatars: complete or not at all, made once, bounded, and never in the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from services.lipsync.avatar.cache import AvatarCache
from services.lipsync.avatar.preparation import FACTS, LANDMARKS, PLANES, Stopped

FRAME_BYTES = 4 * 6


class Preparations:
    """Writes small avatars and counts how often it was asked to."""

    def __init__(self, frames: int = 1) -> None:
        self.count = 0
        self.frames = frames

    def __call__(self, folder: Path) -> None:
        self.count += 1
        write(folder, self.frames)


def write(folder: Path, frames: int = 1) -> None:
    (folder / PLANES).write_bytes(bytes(FRAME_BYTES * frames))
    np.save(folder / LANDMARKS, np.zeros((frames, 468, 3), np.float32))
    facts = {
        "kind": "portrait", "fps": "25", "width": 4, "height": 4, "source_size": [4, 4],
        "source_fps": "", "source_frames": 1, "faces": 1, "warnings": ["small"], "empty": [],
    }  # fmt: skip
    (folder / FACTS).write_text(json.dumps(facts))


def test_what_was_prepared_is_found_after_a_restart(tmp_path: Path) -> None:
    prepare = Preparations(3)
    AvatarCache(tmp_path, 1 << 20).obtain("a", prepare)
    avatar, info = AvatarCache(tmp_path, 1 << 20).obtain("a", prepare)
    assert prepare.count == 1
    assert (avatar.key, avatar.frames, avatar.warnings) == ("a", 3, ("small",))
    assert info.warnings == ("small",)


def test_a_preparation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        write(folder)
        raise OSError("disk full")

    cache = AvatarCache(tmp_path, 1 << 20)
    with pytest.raises(OSError, match="disk full"):
        cache.obtain("a", fail)
    assert cache.find("a") is None
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size] == []


@pytest.mark.parametrize("damage", [PLANES, LANDMARKS, FACTS])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: str) -> None:
    prepare = Preparations()
    cache = AvatarCache(tmp_path, 1 << 20)
    cache.obtain("a", prepare)
    (tmp_path / "a" / damage).write_bytes(b"x")
    assert cache.find("a") is None
    assert cache.obtain("a", prepare)[0].frames == 1
    assert prepare.count == 2


def test_what_was_unused_for_longest_goes_first(tmp_path: Path) -> None:
    one = AvatarCache(tmp_path / "probe", 1 << 20)
    one.obtain("a", Preparations())
    size = sum(file.stat().st_size for file in (tmp_path / "probe" / "a").iterdir())
    cache = AvatarCache(tmp_path / "cache", 2 * size + size // 2)
    for age, key in ((300, "a"), (200, "b")):
        cache.obtain(key, Preparations())
        then = (tmp_path / "cache" / key).stat().st_mtime - age
        os.utime(tmp_path / "cache" / key, (then, then))
    cache.find("a")
    cache.obtain("c", Preparations())
    assert sorted(cache.names()) == ["a", "c"]
    assert cache.names()[-1] == "a" or cache.names()[0] == "c"


def test_an_avatar_larger_than_the_cache_is_kept_while_it_is_the_newest(tmp_path: Path) -> None:
    cache = AvatarCache(tmp_path, 10)
    cache.obtain("a", Preparations())
    cache.obtain("b", Preparations())
    assert cache.names() == ["b"]


def test_frames_in_use_stay_readable_when_their_entry_goes(tmp_path: Path) -> None:
    cache = AvatarCache(tmp_path, 10)
    avatar, _ = cache.obtain("a", Preparations())
    cache.obtain("b", Preparations())
    assert cache.find("a") is None
    assert avatar.frame_i420(0).sum() == 0


def test_threads_that_want_the_same_prepare_it_once(tmp_path: Path) -> None:
    prepare = Preparations()
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(AvatarCache(tmp_path, 1 << 20).obtain, "a", prepare) for _ in range(8)]
        found = [future.result(60) for future in waiting]
    assert prepare.count == 1
    assert len(found) == 8


def _obtain_in_process(folder: Path) -> int:
    prepare = Preparations()
    AvatarCache(folder, 1 << 20).obtain("a", prepare)
    return prepare.count


def test_processes_that_share_a_folder_prepare_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert sum(pool.map(_obtain_in_process, [tmp_path] * 4)) == 1


def test_waiting_for_another_ends_when_one_is_told_to_stop(tmp_path: Path) -> None:
    inside, leave = threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        inside.set()
        leave.wait(60)
        write(folder)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(AvatarCache(tmp_path, 1 << 20).obtain, "a", slow)
        assert inside.wait(60)
        with pytest.raises(Stopped):
            AvatarCache(tmp_path, 1 << 20).obtain("a", Preparations(), lambda: False)
        leave.set()
        assert holder.result(60)[0].frames == 1


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    AvatarCache(tmp_path, 1 << 20)
    stale, fresh = tmp_path / ".scratch" / "old", tmp_path / ".scratch" / "new"
    for folder in (stale, fresh):
        folder.mkdir()
    os.utime(stale, (1, 1))
    AvatarCache(tmp_path, 1 << 20)
    assert not stale.exists()
    assert fresh.exists()
