"""The wan-s2v engine with a ComfyUI that forgets, fails and is in use by others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mouthpiece.core.engines import EngineClass
from mouthpiece.core.timeline import Span, samples_of
from mouthpiece.errors import MouthpieceError, Reason, Unavailable, Unmet
from mouthpiece.settings import LipSyncSettings
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.engine import Frame, RenderTask, Unwatched, Watch
from services.lipsync.engines import create_engine
from services.lipsync.engines.wan.clips import LEAD, LOST, TAIL
from services.lipsync.engines.wan.comfyui import Away, ComfyClips, Refused
from services.lipsync.engines.wan.engine import WanConfig, WanEngine
from tests.support.comfyui import FakeComfy, comfyui, write_workflows
from tests.support.heygem_engine import Watching, tone

FPS = Fraction(25)
SIDE = 64
WHOLE = Span(0, 300)
"""Frames of the job: 12 s, three clips."""
PATIENCE = 20


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeComfy]:
    with comfyui(tmp_path / "comfy") as running:
        yield running


def engine_for(fake: FakeComfy) -> WanEngine:
    first, following = write_workflows(fake.folder)
    maker = ComfyClips(fake.url, first, following, 4, PATIENCE, poll=0.01, silence=0.5)
    engine = WanEngine(WanConfig(fake.url, first, following, pixels=SIDE * SIDE), maker)
    engine.load()
    return engine


def portrait() -> Avatar:
    rng = np.random.default_rng(1)
    planes = rng.integers(60, 200, (1, SIDE * 3 // 2, SIDE), np.uint8)
    return Avatar("face", AvatarKind.PORTRAIT, FPS, np.zeros((1, 468, 3), np.float32), planes)


def task(frames: Span, watch: Watch | None = None, fps: Fraction = FPS) -> RenderTask:
    heard = samples_of(frames, fps)
    total = samples_of(WHOLE, FPS).end
    speech = tone(Span(max(0, heard.first - LEAD), min(total, heard.end + TAIL)))
    return RenderTask(frames, fps, speech, 7, watch=watch or Unwatched(), prompt="she laughs")


def run(
    engine: WanEngine, frames: Span, before: Path | None = None, after: Path | None = None
) -> list[Frame]:
    wanted = task(frames)
    chained = RenderTask(
        wanted.frames, FPS, wanted.speech, 7, prompt=wanted.prompt, handover=before, leave=after
    )
    return list(engine.render(engine.prepare(portrait()), chained))


def same(one: list[Frame], other: list[Frame]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_chain_in_pieces_is_the_chain_in_one_piece(fake: FakeComfy, tmp_path: Path) -> None:
    engine = engine_for(fake)
    whole = run(engine, WHOLE)
    fake.restart()  # so that nothing is found in the history
    pieces: list[Frame] = []
    before = None
    for number, span in enumerate([Span(0, 110), Span(110, 126), Span(126, 251), Span(251, 300)]):
        after = tmp_path / f"state{number}"
        pieces += run(engine, span, before, after)
        before = after
    assert same(whole, pieces)
    assert len(set(fake.prompts)) == 3


def test_a_chain_that_begins_anew_differs(fake: FakeComfy) -> None:
    engine = engine_for(fake)
    assert not same(run(engine, WHOLE)[200:], run(engine, Span(200, 300)))


def test_motion_goes_on_over_clips_and_what_the_model_loses_is_made_good(fake: FakeComfy) -> None:
    first, following = write_workflows(fake.folder)
    maker = ComfyClips(fake.url, first, following, 4, PATIENCE, poll=0.01)
    engine = WanEngine(WanConfig(pixels=SIDE * SIDE), maker)
    sixteen = task(Span(0, 170), fps=Fraction(16))
    shown = [int(frame[0, 0]) for frame in engine.render(engine.prepare(portrait()), sixteen)]
    expected = 16 + np.maximum(np.arange(170), LOST) * 219 / 255
    assert np.abs(np.array(shown) - expected).max() < 2


@pytest.mark.parametrize("whole", [True, False])
def test_the_first_clip_may_come_with_or_without_what_is_to_be_dropped(fake: FakeComfy, whole: bool) -> None:
    engine = engine_for(fake)
    usual = run(engine, Span(0, 60))
    fake.restart()
    fake.manners.whole_first = whole
    assert same(run(engine, Span(0, 60)), usual)


def test_the_same_clip_is_not_made_twice(fake: FakeComfy) -> None:
    engine = engine_for(fake)
    run(engine, Span(0, 60))
    run(engine, Span(0, 60))
    assert len(fake.prompts) == 1


def test_a_worker_that_asks_again_finds_its_clip_in_the_queue(fake: FakeComfy) -> None:
    fake.manners.held = threading.Event()
    watch = Watching()
    results: list[list[Frame]] = []
    first, second = engine_for(fake), engine_for(fake)

    def work(engine: WanEngine) -> None:
        results.append(list(engine.render(engine.prepare(portrait()), task(Span(0, 60), watch))))

    threads = [threading.Thread(target=work, args=(engine,)) for engine in (first, second)]
    threads[0].start()
    assert fake.rendering.wait(PATIENCE)
    threads[1].start()
    fake.manners.held.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert same(*results)
    assert len(fake.prompts) == 1


def test_what_a_restart_lost_is_submitted_again(fake: FakeComfy) -> None:
    fake.manners.loses = 2
    run(engine_for(fake), Span(0, 60))
    assert len(fake.prompts) == 3
    assert len(set(fake.prompts)) == 1


def test_a_clip_that_is_lost_again_and_again_fails(fake: FakeComfy) -> None:
    fake.manners.loses = 100
    with pytest.raises(Refused, match="lost a clip 3 times"):
        run(engine_for(fake), Span(0, 60))


def test_a_failure_is_told_and_may_be_tried_again(fake: FakeComfy) -> None:
    fake.manners.fails = "out of memory"
    engine = engine_for(fake)
    with pytest.raises(Refused, match="out of memory"):
        run(engine, Span(0, 60))
    assert len(run(engine, Span(0, 60))) == 60


def test_an_invalid_workflow_is_refused_with_the_reason(fake: FakeComfy) -> None:
    engine = engine_for(fake)
    first, following = write_workflows(fake.folder)
    first.write_text(json.dumps({"1": {"class_type": "Nothing", "inputs": {}}}))
    maker = ComfyClips(fake.url, first, following, 4, PATIENCE, poll=0.01)
    engine = WanEngine(WanConfig(pixels=SIDE * SIDE), maker)
    with pytest.raises(Refused, match="no node"):
        run(engine, Span(0, 60))


def test_one_that_saves_nothing_is_told_what_it_needs(fake: FakeComfy) -> None:
    fake.manners.temporary = True
    with pytest.raises(Refused, match="SaveImage"):
        run(engine_for(fake), Span(0, 60))


def test_a_clip_that_is_too_short_is_refused(fake: FakeComfy) -> None:
    fake.manners.pictures = 50
    with pytest.raises(MouthpieceError, match="50 pictures, not 77"):
        run(engine_for(fake), Span(0, 60))


def test_calling_off_interrupts_only_the_own_clip(fake: FakeComfy) -> None:
    fake.manners.held = threading.Event()
    watch = Watching()
    engine = engine_for(fake)

    def call_off() -> None:
        fake.rendering.wait(PATIENCE)
        watch.called_off = True

    threading.Thread(target=call_off, daemon=True).start()
    with pytest.raises(Unavailable, match="went away"):
        list(engine.render(engine.prepare(portrait()), task(Span(0, 60), watch)))
    assert fake.interrupts == fake.prompts


def test_one_that_is_away_is_told_and_comes_back(fake: FakeComfy) -> None:
    engine = engine_for(fake)
    fake.stop()
    with pytest.raises(Away):
        run(engine, Span(0, 60))
    assert "does not answer" in engine.ailment
    fake.start()
    until(lambda: not engine.ailment)
    assert len(run(engine, Span(0, 60))) == 60


def until(holds: Callable[[], object]) -> None:
    """Look again and again until something holds that another thread brings about."""
    tick = threading.Event()
    for _ in range(PATIENCE * 200):
        if holds():
            return
        tick.wait(0.005)
    raise AssertionError("it never happened")


def test_it_says_what_it_is(fake: FakeComfy) -> None:
    engine = engine_for(fake)
    info = engine.info
    assert info.engine_class is EngineClass.CHAINED
    assert (info.takes_portrait, info.takes_video, info.takes_prompt) == (True, False, True)
    (fake.folder / "first.json").write_text(json.dumps({"9": {"class_type": "FakeS2V"}}))
    other = ComfyClips(fake.url, fake.folder / "first.json", fake.folder / "next.json", 4, 1)
    assert WanEngine(WanConfig(), other).info.version != info.version


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ('{"nodes": []}', "Export"),
        ('{"1": {"class_type": "A", "inputs": {"x": "{{promt}}"}}}', "promt"),
    ],
)
def test_a_workflow_that_cannot_work_is_refused_at_the_start(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "w.json"
    path.write_text(content)
    settings = LipSyncSettings(wan_comfyui="http://127.0.0.1:9", wan_workflow=path, wan_workflow_next=path)
    with pytest.raises(Unmet, match=said) as raised:
        create_engine("wan-s2v", settings)
    assert raised.value.reason is Reason.ENGINE_UNAVAILABLE


def test_without_weights_or_comfyui_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Unmet) as raised:
        create_engine("wan-s2v", LipSyncSettings()).load()
    assert raised.value.reason is Reason.WEIGHTS_MISSING
    with pytest.raises(Unmet, match=r"diffusion_pytorch_model\*") as raised:
        create_engine("wan-s2v", LipSyncSettings(wan_weights=tmp_path)).load()
    assert raised.value.reason is Reason.WEIGHTS_MISSING
