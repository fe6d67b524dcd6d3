"""Clips made in this process by the pipeline of the `diffsynth` package."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from mouthpiece.errors import Reason, Unavailable, Unmet
from services.lipsync.engines.speech16 import RATE
from services.lipsync.engines.wan.chain import Clip, ClipOrder
from services.lipsync.engines.wan.clips import CLIP, FPS, LOST, MOTION

TRANSFORMER = "diffusion_pytorch_model*.safetensors"
AUDIO_ENCODER = "wav2vec2-large-xlsr-53-english"
TOKENIZER = "google/umt5-xxl"
WEIGHTS = (
    TRANSFORMER,
    f"{AUDIO_ENCODER}/model.safetensors",
    "models_t5_umt5-xxl-enc-bf16.pth",
    "Wan2.1_VAE.pth",
)
"""Files of the published weights, as patterns within their folder."""
BESIDE = (f"{AUDIO_ENCODER}/preprocessor_config.json", f"{TOKENIZER}/tokenizer_config.json")
"""Without these the loader would look for them on the network."""

SHIFT, GUIDANCE = 3.0, 4.5
"""What the model was published with; the package's own defaults are those of other models."""


class LocalClips:
    """Runs the model here, on `device`. `weights` is the folder of the published weights."""

    ailment = ""

    def __init__(self, weights: Path | None, steps: int, device: str = "cuda") -> None:
        self._weights = weights
        self._steps = steps
        self._device = device
        self._pipeline: Any = None
        self._closing = threading.Event()

    @property
    def name(self) -> str:
        """Names the package's version; `wan_model` tells weights apart."""
        try:
            return f"diffsynth {version('diffsynth')}"
        except PackageNotFoundError:
            return "diffsynth"

    def load(self) -> None:
        """Import the package and load the weights.

        Raises `Unmet`: ENGINE_UNAVAILABLE without the package or a GPU, WEIGHTS_MISSING without the weights
        or with others.
        """
        folder, files = _weight_files(self._weights)
        try:
            torch = importlib.import_module("torch")
            wan = importlib.import_module("diffsynth.pipelines.wan_video")
        except ImportError as error:
            message = (
                f"engine wan-s2v needs the package diffsynth, or a ComfyUI: {error.name} is not installed"
            )
            raise Unmet(Reason.ENGINE_UNAVAILABLE, message) from None
        if self._device == "cuda" and not torch.cuda.is_available():
            raise Unmet(
                Reason.ENGINE_UNAVAILABLE, "engine wan-s2v needs a GPU of 80 GB, or a ComfyUI with one"
            )
        try:
            self._pipeline = wan.WanVideoPipeline.from_pretrained(
                torch_dtype=torch.bfloat16,
                device=self._device,
                model_configs=[wan.ModelConfig(path=paths) for paths in files],
                tokenizer_config=wan.ModelConfig(path=str(folder / TOKENIZER)),
                audio_processor_config=wan.ModelConfig(path=str(folder / AUDIO_ENCODER)),
            )
        except (ValueError, OSError) as error:
            message = f"{folder} has other weights than those of Wan2.2-S2V-14B: {error}"
            raise Unmet(Reason.WEIGHTS_MISSING, message) from None

    def close(self) -> None:
        """The clip that is being made ends after the step it is at."""
        self._closing.set()

    def make(self, order: ClipOrder, called_off: Callable[[], bool], /) -> Clip:
        """Make a clip; the motion handed on is the decoder's own output, in full precision.

        Raises `Unavailable` between two steps when closing or called off.
        """
        torch = importlib.import_module("torch")
        image = importlib.import_module("PIL.Image").fromarray(order.portrait)
        height, width = order.portrait.shape[:2]
        motion = None
        if order.motion is not None:
            kind = {"dtype": self._pipeline.torch_dtype, "device": self._pipeline.device}
            motion = torch.from_numpy(order.motion).to(**kind)
        with torch.no_grad():
            made = self._pipeline(
                prompt=order.prompt,
                input_image=image,
                negative_prompt="",
                seed=order.seed,
                num_frames=CLIP + 1,
                height=height,
                width=width,
                audio_embeds=self._heard(order),
                motion_video=motion,
                num_inference_steps=self._steps,
                cfg_scale=GUIDANCE,
                sigma_shift=SHIFT,
                progress_bar_cmd=partial(self._steps_wanted, called_off),
                output_type="floatpoint",
            )
        kept = made[:, :, -CLIP:]
        kept = kept[:, :, LOST:] if order.number == 0 else kept
        # float32 holds every bfloat16 exactly, and numpy knows no bfloat16.
        motion_array = kept[:, :, -MOTION:].float().cpu().numpy()
        pictures = [np.asarray(picture, np.uint8) for picture in self._pipeline.vae_output_to_video(kept)]
        return Clip(np.stack(pictures), motion_array)

    def _steps_wanted(self, called_off: Callable[[], bool], steps: Iterable[Any]) -> Iterator[Any]:
        """Denoising steps, as long as somebody wants the clip: the pipeline passes its steps through this."""
        for step in steps:
            if self._closing.is_set():
                raise Unavailable("the worker is closing")
            if called_off():
                raise Unavailable("the caller went away")
            yield step

    def _heard(self, order: ClipOrder) -> Any:
        """What the audio encoder makes of the clip, having heard what is around it."""
        wan = importlib.import_module("diffsynth.pipelines.wan_video")
        height, width = order.portrait.shape[:2]
        embeddings, _, _ = wan.WanVideoUnit_S2V.pre_calculate_audio_pose(
            pipe=self._pipeline,
            input_audio=order.speech.astype(np.float32) / 32768,
            audio_sample_rate=RATE,
            s2v_pose_video=None,
            num_frames=CLIP + 1,
            height=height,
            width=width,
            fps=FPS,
        )
        return embeddings[order.place]


def _weight_files(folder: Path | None) -> tuple[Path, list[str | list[str]]]:
    """The folder and its files of every part. Raises `Unmet` (WEIGHTS_MISSING) naming what is not there."""
    if folder is None:
        message = "name the folder of the weights (MOUTHPIECE_LIPSYNC_WAN_WEIGHTS), or a ComfyUI"
        raise Unmet(Reason.WEIGHTS_MISSING, message)
    found: dict[str, list[str]] = {}
    for pattern in (*WEIGHTS, *BESIDE):
        found[pattern] = sorted(str(path) for path in folder.glob(pattern))
        if not found[pattern]:
            raise Unmet(Reason.WEIGHTS_MISSING, f"{folder} has no {pattern}")
    files = [found[pattern] for pattern in WEIGHTS]
    return folder, [paths if len(paths) > 1 else paths[0] for paths in files]
