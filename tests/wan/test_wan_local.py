"""Clips of the pipeline in this process: what it is told, and what is kept of its answer."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mouthpiece.errors import Reason, Unavailable, Unmet
from services.lipsync.engines.wan.chain import Chain, ClipOrder
from services.lipsync.engines.wan.local import BESIDE, WEIGHTS, LocalClips

WIDTH, HEIGHT = 32, 16


@dataclass
class FakePipeline:
    """Answers as the pipeline of diffsynth does: 81 pictures in bfloat16, batch and channels first."""

    loaded: dict[str, Any] = field(default_factory=dict[str, Any])
    torch_dtype: torch.dtype = torch.bfloat16
    device: str = "cpu"
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    steps: int = 0

    def from_pretrained(self, **given: Any) -> FakePipeline:
        self.loaded = given
        return self

    def __call__(self, **given: Any) -> torch.Tensor:
        self.calls.append(given)
        for _ in given["progress_bar_cmd"](range(given["num_inference_steps"])):
            self.steps += 1
        generator = torch.Generator().manual_seed(given["seed"])
        made = torch.rand(1, 3, given["num_frames"], given["height"], given["width"], generator=generator)
        return made.to(self.torch_dtype)

    def vae_output_to_video(self, made: torch.Tensor) -> list[Any]:
        pictures = (made[0].float() * 255).round().to(torch.uint8).permute(1, 2, 3, 0)
        return [picture.numpy() for picture in pictures]


class FakeUnit:
    """Cuts sound into clips of 5 s, named by their first sample."""

    @staticmethod
    def pre_calculate_audio_pose(**given: Any) -> tuple[list[float], None, int]:
        sound = given["input_audio"]
        assert sound.dtype == np.float32
        assert (given["audio_sample_rate"], given["fps"], given["num_frames"]) == (16000, 16, 81)
        firsts = [float(sound[first]) for first in range(0, len(sound), 80_000)]
        return firsts, None, len(firsts)


def _picture(pixels: Any) -> SimpleNamespace:
    return SimpleNamespace(size=(pixels.shape[1], pixels.shape[0]))


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> FakePipeline:
    """Stands in for packages that the tests' environment does not have."""
    wan, picture = ModuleType("diffsynth.pipelines.wan_video"), ModuleType("PIL.Image")
    fake = FakePipeline()
    vars(wan).update(WanVideoUnit_S2V=FakeUnit, WanVideoPipeline=fake, ModelConfig=SimpleNamespace)
    vars(picture)["fromarray"] = _picture
    for name in ("diffsynth", "diffsynth.pipelines", "PIL"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "diffsynth.pipelines.wan_video", wan)
    monkeypatch.setitem(sys.modules, "PIL.Image", picture)
    return fake


def files_of(folder: Path) -> Path:
    """Empty files by the names of the published weights."""
    for pattern in (*WEIGHTS, *BESIDE):
        path = folder / pattern.replace("*", "-1")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def loaded(folder: Path) -> LocalClips:
    maker = LocalClips(files_of(folder), 3, device="cpu")
    maker.load()
    return maker


def order(number: int, chain: Chain) -> ClipOrder:
    speech = np.repeat(np.array([8192, 16384, -8192], np.int16), 80_000)
    portrait = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return ClipOrder(number, portrait, speech, number, "she waves", 5 + number, chain.motion)


def test_clips_follow_each_other_with_motion_in_full_precision(
    pipeline: FakePipeline, tmp_path: Path
) -> None:
    maker, chain = loaded(tmp_path), Chain(0)
    for number in range(2):
        chain.add(maker.make(order(number, chain), lambda: False))
    first, second = pipeline.calls
    assert (first["seed"], first["audio_embeds"], first["motion_video"]) == (5, 0.25, None)
    assert (second["seed"], second["audio_embeds"]) == (6, 0.5)
    assert (second["num_frames"], second["output_type"], second["num_inference_steps"]) == (
        81,
        "floatpoint",
        3,
    )
    made = pipeline(**first)
    assert second["motion_video"].dtype is torch.bfloat16
    assert torch.equal(second["motion_video"], made[:, :, -73:])
    assert chain.end == 160


def test_motion_survives_being_handed_on(pipeline: FakePipeline, tmp_path: Path) -> None:
    maker, chain = loaded(tmp_path), Chain(0)
    chain.add(maker.make(order(0, chain), lambda: False))
    chain.save(tmp_path / "state")
    for going_on in (chain, Chain.load(tmp_path / "state")):
        maker.make(order(1, going_on), lambda: False)
    direct, handed = (call["motion_video"] for call in pipeline.calls[1:])
    assert torch.equal(direct, handed)


def test_a_clip_that_nobody_wants_any_more_ends_after_a_step(pipeline: FakePipeline, tmp_path: Path) -> None:
    maker = loaded(tmp_path)
    with pytest.raises(Unavailable, match="went away"):
        maker.make(order(0, Chain(0)), lambda: pipeline.steps == 2)
    assert pipeline.steps == 2
    maker.close()
    with pytest.raises(Unavailable, match="closing"):
        maker.make(order(0, Chain(0)), lambda: False)
    assert pipeline.steps == 2


def test_the_loader_is_told_of_every_part(pipeline: FakePipeline, tmp_path: Path) -> None:
    loaded(tmp_path)
    parts = [config.path for config in pipeline.loaded["model_configs"]]
    assert parts == [str(tmp_path / name.replace("*", "-1")) for name in WEIGHTS]
    assert pipeline.loaded["tokenizer_config"].path == str(tmp_path / "google/umt5-xxl")


@pytest.mark.parametrize("pattern", [*WEIGHTS, *BESIDE])
def test_a_file_that_is_missing_is_named(tmp_path: Path, pattern: str) -> None:
    (files_of(tmp_path) / pattern.replace("*", "-1")).unlink()
    with pytest.raises(Unmet, match=pattern.split("/")[0].replace("*", ".")) as raised:
        LocalClips(tmp_path, 3).load()
    assert raised.value.reason is Reason.WEIGHTS_MISSING


def test_a_worker_without_the_package_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("diffsynth", "diffsynth.pipelines.wan_video"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Unmet, match="diffsynth") as raised:
        LocalClips(files_of(tmp_path), 3).load()
    assert raised.value.reason is Reason.ENGINE_UNAVAILABLE
