"""The heygem engine against a container with all its bad habits."""

from __future__ import annotations

import threading
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from mouthpiece.core.engines import EngineClass
from mouthpiece.core.timeline import clip_index
from mouthpiece.errors import Busy, MouthpieceError, Reason, Unavailable, Unmet
from mouthpiece.settings import LipSyncSettings
from services.lipsync.engines import create_engine
from services.lipsync.engines.health import Health
from services.lipsync.engines.heygem.container import Container
from services.lipsync.engines.heygem.engine import HeygemConfig, HeygemEngine
from services.lipsync.engines.heygem.protocol import Garbled
from services.lipsync.engines.heygem.task import Died, Lost, Stuck
from tests.support.heygem_engine import (
    QUICK,
    Watching,
    engine_for,
    files_in,
    in_background,
    numbered_avatar,
    rendered,
    task,
)
from tests.support.heygem_video import NOT_SEEN, QUEUE_FULL, FakeHeygem, Habits, container

PATIENCE = 20


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeHeygem]:
    with container(tmp_path / "face2face") as running:
        yield running


@pytest.fixture
def engine(fake: FakeHeygem) -> Iterator[HeygemEngine]:
    made = engine_for(fake)
    yield made
    made.close()


def until(holds: Callable[[], object]) -> None:
    """Look again and again until something holds that another thread brings about."""
    limit = time.monotonic() + PATIENCE
    tick = threading.Event()
    while not holds():
        assert time.monotonic() < limit, "it never happened"
        tick.wait(0.005)


def expected(first: int, end: int, clip: int) -> list[int]:
    return [clip_index(number, clip) for number in range(first, end)]


# ---------------------------------------------------------------- what it makes


@pytest.mark.parametrize(("first", "end"), [(0, 10), (7, 31), (100, 131)])
def test_the_head_plays_on_where_the_chunk_before_ended(engine: HeygemEngine, first: int, end: int) -> None:
    assert rendered(engine, numbered_avatar(9), task(first, end)) == expected(first, end, 9)


def test_a_portrait_stays_where_it_is(engine: HeygemEngine) -> None:
    assert rendered(engine, numbered_avatar(1), task(20, 100)) == [0] * 80


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(12), Fraction(60)])
def test_every_rate_gives_the_exact_number_of_frames(engine: HeygemEngine, fps: Fraction) -> None:
    avatar = numbered_avatar(11, fps)
    assert rendered(engine, avatar, task(5, 28, fps=fps)) == expected(5, 28, 11)


def test_the_container_gets_the_exact_speech_and_a_clip_it_can_read(
    fake: FakeHeygem, engine: HeygemEngine
) -> None:
    fake.habits.held = threading.Event()
    running = in_background(engine, numbered_avatar(5), task(3, 28))
    assert fake.rendering.wait(PATIENCE)
    sent = fake.submissions[0]
    audio = fake.folder / sent["audio_url"].removeprefix("/code/data/")
    with wave.open(str(audio)) as file:
        assert (file.getframerate(), file.getnframes()) == (16000, 16000)
    assert sent["video_url"].startswith("/code/data/mouthpiece/clip-")
    assert (sent["chaofen"], sent["watermark_switch"], sent["pn"]) == (0, 0, 1)
    fake.habits.held.set()
    running.result()


def test_bare_names_are_sent_when_the_container_has_no_path(fake: FakeHeygem) -> None:
    engine = engine_for(fake, path="")
    assert rendered(engine, numbered_avatar(4), task(0, 5)) == expected(0, 5, 4)
    assert "/" not in fake.submissions[0]["video_url"]


def test_a_clip_is_made_once_and_a_task_leaves_nothing_else_behind(
    fake: FakeHeygem, engine: HeygemEngine
) -> None:
    rendered(engine, numbered_avatar(5), task(0, 10))
    (clip,) = files_in(fake.folder)
    rendered(engine, numbered_avatar(5), task(8, 18))
    assert fake.submissions[0]["video_url"] == fake.submissions[1]["video_url"]
    assert files_in(fake.folder) == {clip}


def test_it_says_what_it_is(engine: HeygemEngine) -> None:
    info = engine.info
    assert info.engine_class is EngineClass.REMOTE
    assert (info.max_chunk_frames, info.max_chunk_seconds) == (750, 600)
    other = HeygemEngine(replace(HeygemConfig("", Path(), ""), super_resolution=True))
    assert other.info.version != info.version


# ---------------------------------------------------------------- bad habits


def test_an_answer_is_read_whatever_it_calls_itself(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.encodes_twice = True
    assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)


def test_busy_is_no_success(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.busy_for = 2
    assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)
    assert fake.answers == [10001, 10001, 10000]


def test_a_chunk_goes_elsewhere_when_the_container_stays_busy(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.busy_for = 1_000_000
    with pytest.raises(Busy):
        rendered(engine, numbered_avatar(3), task(0, 4))
    assert set(fake.answers) == {10001}


def test_the_end_of_a_task_is_kept_because_it_is_told_once(fake: FakeHeygem) -> None:
    fake.habits.growing, fake.habits.pieces = 4, threading.Semaphore(1)
    first = engine_for(fake, replace(QUICK, result=PATIENCE))
    running = in_background(first, numbered_avatar(3), task(0, 4))
    until(lambda: any(fake.folder.rglob("*-r.mp4")) and not fake.tasks)
    first.close()  # the worker ends after the one answer and before the file is whole
    with pytest.raises(Unavailable):
        running.result()
    fake.habits.pieces.release(3)
    assert rendered(engine_for(fake), numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)
    assert len(fake.submissions) == 1


def test_a_task_goes_on_while_its_worker_restarts(fake: FakeHeygem) -> None:
    fake.habits.held = threading.Event()
    first = engine_for(fake)
    running = in_background(first, numbered_avatar(3), task(0, 4))
    assert fake.rendering.wait(PATIENCE)
    first.close()
    with pytest.raises(Unavailable):
        running.result()
    fake.habits.held.set()
    assert rendered(engine_for(fake), numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)
    assert len(fake.submissions) == 1


def test_a_lost_answer_about_the_end_is_made_good_by_the_file(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.loses_end = True
    assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)
    assert len(fake.submissions) == 1


def test_a_task_that_a_restart_wiped_out_is_lost(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.forgets = True
    with pytest.raises(Lost):
        rendered(engine, numbered_avatar(3), task(0, 4))
    assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)


def test_a_container_that_restarts_in_between_is_waited_for(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.held = threading.Event()
    running = in_background(engine, numbered_avatar(3), task(0, 4))
    assert fake.rendering.wait(PATIENCE)
    fake.restart()
    with pytest.raises(Lost):
        running.result()
    assert not engine.ailment


def test_a_container_that_dies_is_taken_out_until_it_is_back(fake: FakeHeygem) -> None:
    engine = engine_for(fake, replace(QUICK, silence=0.05))
    fake.habits.held = threading.Event()
    running = in_background(engine, numbered_avatar(3), task(0, 4))
    assert fake.rendering.wait(PATIENCE)
    fake.stop()
    with pytest.raises(Died):
        running.result()
    assert "does not answer" in engine.ailment
    with pytest.raises(Unavailable):
        rendered(engine, numbered_avatar(3), task(0, 4))
    fake.habits.held.set()
    fake.start()
    until(lambda: not engine.ailment)
    assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)


def test_a_container_that_still_starts_is_waited_for_without_holding_up_the_worker(tmp_path: Path) -> None:
    with container(tmp_path / "shared", Habits(warm_up=0.1)) as starting:
        engine = engine_for(starting)
        assert engine.ailment
        until(lambda: not engine.ailment)
        assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)


@pytest.mark.parametrize("status", [200, 500, 503])
def test_an_ill_container_lets_chunks_go_elsewhere_until_it_is_well(
    fake: FakeHeygem, engine: HeygemEngine, status: int
) -> None:
    fake.habits.ill = status
    with pytest.raises(Unavailable):
        rendered(engine, numbered_avatar(3), task(0, 4))
    assert engine.ailment
    fake.habits.ill = 0
    until(lambda: not engine.ailment)
    assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)


@pytest.mark.parametrize("status", [200, 503])
def test_a_container_that_is_ill_for_a_moment_goes_on_with_its_task(
    fake: FakeHeygem, engine: HeygemEngine, status: int
) -> None:
    fake.habits.held = threading.Event()
    running = in_background(engine, numbered_avatar(3), task(0, 4))
    assert fake.rendering.wait(PATIENCE)
    fake.habits.ill, fake.habits.ill_for = status, 3
    until(lambda: not fake.habits.ill_for)
    fake.habits.held.set()
    assert running.result() == expected(0, 4, 3)
    assert len(fake.submissions) == 1


def test_full_queues_are_reported_while_the_container_answers_as_if_it_were_well(
    fake: FakeHeygem, engine: HeygemEngine
) -> None:
    fake.habits.queue_full = True
    with pytest.raises(Stuck, match=QUEUE_FULL) as raised:
        rendered(engine, numbered_avatar(3), task(0, 4))
    assert raised.value.status == "UNAVAILABLE"
    assert "must be restarted" in engine.ailment
    before = fake.queries
    until(lambda: fake.queries > before + 5)  # it answers all the while
    assert engine.ailment


def test_only_a_restart_heals_what_needs_one() -> None:
    closing, answers = threading.Event(), iter([True, True, False, False, True])
    asked: list[bool] = []

    def ping() -> None:
        asked.append(next(answers))
        if not asked[-1]:
            raise Unavailable("away")

    health = Health(ping, closing, 0.001)
    health.fell_ill("stuck", restart=True)
    until(lambda: not health.ailment)
    assert asked == [True, True, False, False, True]


def test_a_task_beyond_the_cap_fails_and_can_be_tried_again(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.cap = 0.02
    fake.habits.frames_per_second = 10
    with pytest.raises(MouthpieceError, match="no final result"):
        rendered(engine, numbered_avatar(3), task(0, 4))
    fake.habits.cap, fake.habits.frames_per_second = 60, 2000
    assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)


def test_a_failure_says_what_it_usually_means(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.fails = NOT_SEEN
    with pytest.raises(MouthpieceError, match="check the shared folder"):
        rendered(engine, numbered_avatar(3), task(0, 4))


@pytest.mark.parametrize("folder", ["temp", "result", ""])
@pytest.mark.parametrize("ending", [".mp4", ".avi"])
def test_the_result_is_found_wherever_the_image_puts_it(
    fake: FakeHeygem, engine: HeygemEngine, folder: str, ending: str
) -> None:
    fake.habits.result_folder, fake.habits.ending = folder, ending
    assert rendered(engine, numbered_avatar(3), task(0, 4)) == expected(0, 4, 3)


def test_a_result_that_still_grows_is_waited_for(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.growing = 5
    assert rendered(engine, numbered_avatar(3), task(0, 25)) == expected(0, 25, 3)


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ("missing", "is not there"),
        ("short", "lasts 0.2"),
        ("black", "is black"),
        ("garbled", "the rendered video"),
    ],
)
def test_a_success_that_is_none_is_refused_and_leaves_nothing(
    fake: FakeHeygem, engine: HeygemEngine, lie: str, said: str
) -> None:
    fake.habits.lies = lie
    with pytest.raises(MouthpieceError, match=said):
        rendered(engine, numbered_avatar(3), task(0, 13))
    fake.habits.lies = ""
    assert rendered(engine, numbered_avatar(3), task(0, 13)) == expected(0, 13, 3)


def test_a_submission_without_a_code_is_an_error_of_ours(fake: FakeHeygem) -> None:
    import requests

    assert requests.post(f"{fake.url}/easy/submit", json={"audio_url": "a"}, timeout=5).status_code == 500
    with Container(f"{fake.url}/nothing") as wrong, pytest.raises(Garbled, match="404"):
        wrong.ping()


# ---------------------------------------------------------------- meanwhile


def test_progress_grows_between_the_milestones(fake: FakeHeygem, engine: HeygemEngine) -> None:
    fake.habits.held = threading.Event()
    watch = Watching()
    running = in_background(engine, numbered_avatar(3), task(0, 40, watch))
    until(lambda: len(set(watch.foreseen)) > 1)
    fake.habits.held.set()
    running.result()
    assert watch.foreseen == sorted(watch.foreseen)
    assert max(watch.foreseen) < 40


def test_a_task_that_is_called_off_goes_on_and_is_waited_for(
    fake: FakeHeygem, engine: HeygemEngine, caplog: pytest.LogCaptureFixture
) -> None:
    fake.habits.held = threading.Event()
    watch = Watching()
    running = in_background(engine, numbered_avatar(3), task(0, 4, watch))
    assert fake.rendering.wait(PATIENCE)
    watch.called_off = True
    until(lambda: "cannot be stopped" in caplog.text)
    assert running.thread.is_alive()
    fake.habits.held.set()
    assert running.result() == []


def test_an_engine_without_a_shared_folder_says_what_to_set() -> None:
    with pytest.raises(Unmet, match="HEYGEM_FOLDER") as raised:
        create_engine("heygem", LipSyncSettings())
    assert raised.value.reason is Reason.ENGINE_UNAVAILABLE


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    engine = HeygemEngine(HeygemConfig("http://127.0.0.1:9", tmp_path / "file", ""))
    with pytest.raises(Unmet, match="cannot be written"):
        engine.load()
