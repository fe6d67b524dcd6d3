"""A job with Wav2Lip through all four services, with weights made from their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import torch

from mouthpiece.choices import ModeName
from mouthpiece.client import VideoOptions
from mouthpiece.media.probe import decode_frames
from tests.support.faces import clip_file
from tests.support.running_suite import RunningSuite
from tests.support.wav2lip_weights import seeded_weights, training_checkpoint

TEXT = "Bob Palmer bought a bubble pipe. Then he went home, happily whistling."


def frames_of(path: Path) -> list[str]:
    return [hashlib.sha256(frame.tobytes()).hexdigest() for frame in decode_frames(path)]


def test_one_chunk_and_several_decode_to_identical_frames(
    suite_with: Callable[..., RunningSuite], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "wav2lip_gan.pth"
    torch.save(training_checkpoint(seeded_weights()), checkpoint)
    environment = {
        "MOUTHPIECE_LIPSYNC_ENGINES": "wav2lip",
        "MOUTHPIECE_LIPSYNC_WAV2LIP_GAN": str(checkpoint),
    }
    client = suite_with(workers=2, **environment).client
    face = clip_file(tmp_path / "face.mp4", 12, Fraction(25), size=192)
    movies: dict[ModeName, Path] = {"single": tmp_path / "one.mp4", "chunked": tmp_path / "several.mp4"}
    chunks: dict[str, int] = {}
    for mode, path in movies.items():
        options = VideoOptions(
            engine="wav2lip",
            quality="lossless",
            mode=mode,
            chunk_seconds=1 if mode == "chunked" else None,
            fps=Fraction(5),
            seed=1,
            ignore_cache=True,
        )
        done = client.generate(path, text=TEXT, avatar=face, options=options)
        chunks[mode] = done.result.statistics.chunks
    checkpoint.unlink()
    assert chunks["single"] == 1
    assert chunks["chunked"] >= 5
    one, several = (frames_of(path) for path in movies.values())
    assert one == several
    assert len(one) > 15
