"""The wan-s2v engine with the real pipeline and very small weights; needs the package `diffsynth`."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mouthpiece.core.timeline import Span, samples_of
from mouthpiece.errors import Reason, Unavailable, Unmet
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines.wan.chain import Clip, ClipOrder
from services.lipsync.engines.wan.clips import CLIP, LEAD, LOST, TAIL
from services.lipsync.engines.wan.engine import WanConfig, WanEngine
from services.lipsync.engines.wan.local import LocalClips
from tests.support.heygem_engine import tone

if find_spec("diffsynth") is None:
    pytest.skip("diffsynth is not installed: requirements/wan.txt", allow_module_level=True)
# What is imported here is not ours, and warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("diffsynth"),
    pytest.mark.timeout(600),  # the package alone takes 10 s of CPU to import
]

SIDE = 64
STEPS = 2
TOTAL = 8
"""Seconds of speech: two clips."""


class Remembering:
    """Makes a clip once: who orders the same again, to the last bit, gets the same."""

    ailment = ""

    def __init__(self, maker: LocalClips) -> None:
        self.name = maker.name
        self.orders: list[ClipOrder] = []
        self.clips: list[Clip] = []
        self._maker = maker
        self._made: dict[str, Clip] = {}

    def load(self) -> None:
        self._maker.load()

    def close(self) -> None:
        self._maker.close()

    def make(self, order: ClipOrder, called_off: Callable[[], bool], /) -> Clip:
        motion = b"" if order.motion is None else order.motion.tobytes()
        rest = repr((order.number, order.place, order.prompt, order.seed)).encode()
        content = [rest, order.portrait.tobytes(), order.speech.tobytes(), motion]
        key = hashlib.sha256(b"|".join(content)).hexdigest()
        if key not in self._made:
            self._made[key] = self._maker.make(order, called_off)
            self.orders.append(order)
            self.clips.append(self._made[key])
        return self._made[key]


class Pipeline:
    """What the package's pipeline was told, and what it made of it."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.made: list[torch.Tensor] = []


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    import_module("tests.support.wan_weights").write_small_weights(folder)
    return folder


@pytest.fixture(scope="module")
def pipeline(weights: Path) -> Iterator[Pipeline]:
    """Listens to the real pipeline."""
    kind = import_module("diffsynth.pipelines.wan_video").WanVideoPipeline
    heard, call = Pipeline(), kind.__call__

    def listen(self: Any, **given: Any) -> Any:
        heard.calls.append(given)
        made = call(self, **given)
        heard.made.append(made)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "__call__", listen)
        yield heard


@pytest.fixture(scope="module")
def maker(weights: Path, pipeline: Pipeline) -> Remembering:
    """With two clips of a chain made."""
    remembering = Remembering(LocalClips(weights, STEPS, device="cpu"))
    remembering.load()
    render(remembering, Fraction(16), Span(0, TOTAL * 16))
    return remembering


def portrait() -> Avatar:
    planes = np.random.default_rng(1).integers(60, 200, (1, SIDE * 3 // 2, SIDE), np.uint8)
    return Avatar("face", AvatarKind.PORTRAIT, Fraction(25), np.zeros((1, 468, 3), np.float32), planes)


def render(
    maker: Remembering, fps: Fraction, frames: Span, before: Path | None = None, after: Path | None = None
) -> list[Frame]:
    engine = WanEngine(WanConfig(pixels=SIDE * SIDE), maker)
    heard = samples_of(frames, fps)
    total = samples_of(Span(0, TOTAL), Fraction(1)).end
    speech = tone(Span(max(0, heard.first - LEAD), min(total, heard.end + TAIL)))
    task = RenderTask(frames, fps, speech, 7, prompt="she waves", handover=before, leave=after)
    return list(engine.render(engine.prepare(portrait()), task))


def pictures_of(made: torch.Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """As the package makes pictures of numbers: -1 is black, 1 is white, and parts are cut off."""
    scaled = ((made + 1) * (255 / 2)).clip(0, 255).to(torch.uint8)
    return scaled[0].permute(1, 2, 3, 0).numpy()


def test_a_chain_in_pieces_is_the_chain_in_one_piece(maker: Remembering, tmp_path: Path) -> None:
    fps = Fraction(25)
    whole = render(maker, fps, Span(0, 25 * TOTAL))
    pieces: list[Frame] = []
    before = None
    for number, span in enumerate([Span(0, 70), Span(70, 121), Span(121, 130), Span(130, 200)]):
        after = tmp_path / f"state{number}"
        pieces += render(maker, fps, span, before, after)
        before = after
    assert np.array_equal(np.stack(whole), np.stack(pieces))
    assert len(maker.clips) == 2


def test_the_next_clip_goes_on_from_the_last_73_pictures_to_the_bit(
    maker: Remembering, pipeline: Pipeline
) -> None:
    first, second = pipeline.calls[:2]
    made = pipeline.made[0]
    assert first["motion_video"] is None
    assert torch.equal(second["motion_video"], made[:, :, -73:])
    assert second["motion_video"].dtype is torch.bfloat16
    assert (first["seed"], second["seed"]) == (7, 8)
    shown = maker.clips[0].pictures[-73:]
    assert np.array_equal(shown, pictures_of(torch.from_numpy(maker.orders[1].motion).bfloat16()))


def test_a_picture_is_shown_with_the_sound_it_was_made_for(maker: Remembering, pipeline: Pipeline) -> None:
    raw = [pictures_of(made)[-CLIP:] for made in pipeline.made[:2]]
    expected = np.concatenate([raw[0][LOST : LOST + 1].repeat(LOST, 0), raw[0][LOST:], raw[1]])
    shown = np.concatenate([maker.clips[0].pictures[:1].repeat(LOST, 0), *(c.pictures for c in maker.clips)])
    frames = render(maker, Fraction(16), Span(0, 2 * CLIP))
    assert np.array_equal(shown, expected)
    assert all(np.array_equal(frames[0], frame) for frame in frames[:4])
    assert not np.array_equal(frames[3], frames[4])


def test_a_sound_is_heard_at_its_picture(
    maker: Remembering, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def heard(speech: np.ndarray[Any, np.dtype[np.int16]], place: int) -> torch.Tensor:
        """The first layer's features of a clip: that layer hears no farther than its own neighbourhood."""
        ended = ClipOrder(0, portrait_picture, speech, place, "", 1, None)
        with pytest.raises(Unavailable):
            maker.make(ended, lambda: True)
        features: torch.Tensor = pipeline.calls[-1]["audio_embeds"][0, 0]
        return features.float()

    portrait_picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    silence = np.zeros(16_000 * 10, np.int16)
    spoken = silence.copy()
    spoken[16_000 * 5 + 40 * 1000 : 16_000 * 5 + 42 * 1000] = 8000
    change = (heard(spoken, 1) - heard(silence, 1)).abs().amax(0)
    loud = np.flatnonzero(change.numpy() > 0.05 * float(change.max()))
    assert change.shape == (CLIP,)
    assert 38 <= loud.min() <= 40
    assert 41 <= loud.max() <= 44


def test_weights_of_another_model_are_refused(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(weights, other)
    torch.save({"weight": torch.zeros(3)}, other / "Wan2.1_VAE.pth")
    with pytest.raises(Unmet, match="other weights") as raised:
        LocalClips(other, STEPS, device="cpu").load()
    assert raised.value.reason is Reason.WEIGHTS_MISSING
