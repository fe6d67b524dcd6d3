"""One engine on two devices of a local cluster; needs the package `ray`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import Span
from mouthpiece.errors import Reason, Unmet
from mouthpiece.settings import LipSyncSettings
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines import create_engine
from services.lipsync.engines.spread import BATCH, SpreadEngine
from tests.support.heygem_engine import FPS, numbered_avatar

FRAMES = Span(5, 5 + 9 * BATCH + 7)
TASK = RenderTask(FRAMES, FPS, SpeechSlice(Span(0, 0), b""), 7)
MAKE = partial(create_engine, "timed", LipSyncSettings(timed_frames_per_second=1000))
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: mouthpiece[ray]")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # what is imported here is not ours, and warns
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("ray"),
]


@pytest.fixture(scope="module")
def spread() -> Iterator[SpreadEngine]:
    engine = SpreadEngine(MAKE, 2)
    engine.load()
    yield engine
    engine.close()


def alone() -> list[Frame]:
    engine = MAKE()
    engine.load()
    return list(engine.render(engine.prepare(numbered_avatar(30)), TASK))


@needs_ray
def test_two_devices_make_the_frames_of_one(spread: SpreadEngine) -> None:
    assert spread.info == MAKE().info
    assert len(set(spread.processes)) == 2
    made = list(spread.render(spread.prepare(numbered_avatar(30)), TASK))
    assert np.array_equal(np.stack(made), np.stack(alone()))


@needs_ray
def test_a_device_that_dies_is_replaced_and_its_frames_are_made_again(spread: SpreadEngine) -> None:
    before = list(spread.processes)
    frames = spread.render(spread.prepare(numbered_avatar(30)), TASK)
    made = [next(frames)]
    os.kill(before[1], signal.SIGKILL)
    made += frames
    assert np.array_equal(np.stack(made), np.stack(alone()))
    assert spread.processes[0] == before[0]
    assert spread.processes[1] != before[1]


def test_a_worker_without_ray_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Unmet, match="the package ray") as raised:
        SpreadEngine(MAKE, 2).load()
    assert raised.value.reason is Reason.ENGINE_UNAVAILABLE


def test_only_windowed_engines_are_spread() -> None:
    assert isinstance(create_engine("viseme", LipSyncSettings(devices=2)), SpreadEngine)
    chained = LipSyncSettings(devices=2, wan_weights=Path("nowhere"))
    assert not isinstance(create_engine("wan-s2v", chained), SpreadEngine)
