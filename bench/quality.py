"""What each quality costs and gives: bytes, fidelity, processor time.

Run as `python -m bench.quality`. One clip: the default portrait talking, 720p, with a camera's noise, which
is what encoders struggle with in real footage. Fidelity is the PSNR of luma against the frames that went in.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from pathlib import Path
from time import process_time

import cv2
import numpy as np

from bench.merge import machine
from bench.viseme import FPS, make_avatar
from mouthpiece.core.timeline import Span
from mouthpiece.media.encode import ChunkEncoder, working_encoders
from mouthpiece.media.enhance import Backdrop, Frame, enhanced
from mouthpiece.media.probe import decode_frames
from mouthpiece.media.quality import PRESETS, Adjustment, Quality, fits
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.models import default_models_dir
from services.lipsync.engine import RenderTask
from services.lipsync.engines.viseme.engine import VisemeEngine
from tests.support.viseme_speech import SENTENCE, speech_of, spell

FRAMES = 50
WIDTH, HEIGHT = 1280, 720
NOISE = 1.5
"""Standard deviation of the noise, in levels of 255."""


def main() -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = noisy(talking(folder))
        print(f"{FRAMES} frames {WIDTH}x{HEIGHT} at {float(FPS):g} fps, one core, on {machine()}")
        print(f"{'quality':>10}{'encoder':>12}{'kB/s':>8}{'PSNR':>10}{'encode':>12}")
        for encoder in working_encoders():
            for quality in Quality:
                if fits(encoder, quality, WIDTH, HEIGHT):
                    path = folder / f"{encoder}-{quality}.mp4"
                    start = process_time()
                    with ChunkEncoder(path, FPS, WIDTH, HEIGHT, quality, encoder=encoder) as writer:
                        for frame in frames:
                            writer.write(frame)
                        size = writer.finish().size_bytes
                    pace = FRAMES / (process_time() - start)
                    rate = size * FPS / FRAMES / 1000
                    told = f"{psnr(frames, decode_frames(path)):.1f} dB"
                    print(f"{quality:>10}{encoder:>12}{float(rate):>8.0f}{told:>10}{pace:>8.0f} fps")
        for what, pace in paces(frames):
            print(f"{what:>22}{pace:>8.0f} fps")


def talking(folder: Path) -> list[Frame]:
    """The default portrait saying a sentence."""
    avatar = make_avatar(folder, "portrait", WIDTH, HEIGHT, FaceTracker.load(default_models_dir()))
    engine = VisemeEngine()
    engine.load()
    task = RenderTask(Span(0, FRAMES), FPS, speech_of(spell(" ".join([SENTENCE] * 2))), seed=1)
    return [frame.copy() for frame in engine.render(engine.prepare(avatar), task)]


def noisy(frames: Iterable[Frame]) -> list[Frame]:
    rng = np.random.default_rng(7)
    made: list[Frame] = []
    for frame in frames:
        noise = np.round(rng.normal(0, NOISE, frame.shape))
        made.append(np.clip(frame + noise, 16, 235).astype(np.uint8))
    return made


def psnr(before: Iterable[Frame], after: Iterable[Frame]) -> float:
    """PSNR of luma over all frames, in decibels."""
    errors = [
        np.square(a[:HEIGHT].astype(np.float32) - b[:HEIGHT]).mean()
        for a, b in zip(before, after, strict=True)
    ]
    error = float(np.mean(errors))
    return 10 * math.log10(255**2 / error) if error else math.inf


def paces(frames: list[Frame]) -> Iterable[tuple[str, float]]:
    """Frames per second of what is done between engine and encoder."""
    backdrop = Backdrop(frames[0], (105, 95))
    for what, how, behind in (
        ("enhance", PRESETS[Quality.HIGH].enhancement, None),
        ("background", Adjustment(), backdrop),
    ):
        start = process_time()
        count = sum(1 for _ in enhanced(frames, how, behind))
        yield what, count / (process_time() - start)


if __name__ == "__main__":
    main()
