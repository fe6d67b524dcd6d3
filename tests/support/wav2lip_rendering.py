"""Rendering with Wav2Lip the way a worker does: from no more speech than the engine asks for."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span, samples_of
from services.lipsync.avatar import Avatar, AvatarKind
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines.wav2lip.engine import Wav2LipEngine
from tests.support.viseme_speech import cut

WIDTH, HEIGHT = 160, 128


def clip(frames: int, fps: Fraction = Fraction(25)) -> Avatar:
    """A clip of coloured noise with a face that moves to the right by 1.5 pixels a frame."""
    rng = np.random.default_rng(3)
    planes = rng.integers(16, 236, (frames, HEIGHT * 3 // 2, WIDTH), np.uint8)
    points = np.zeros((frames, 468, 3), np.float32)
    points[..., :2] = rng.uniform(0, 1, (468, 2)) * (70, 80) + (20, 25)
    points[..., 0] += 1.5 * np.arange(frames)[:, np.newaxis]
    kind = AvatarKind.VIDEO if frames > 1 else AvatarKind.PORTRAIT
    return Avatar("clip", kind, fps, points, planes)


def babble(seconds: int) -> SpeechSlice:
    """Noise that changes its loudness and colour all the time, so that no two frames hear the same."""
    rng = np.random.default_rng(11)
    samples = seconds * SPEECH_RATE
    at = np.arange(samples) / SPEECH_RATE
    steps = rng.uniform(0, 1, 25 * seconds)
    loudness = np.interp(at, np.arange(25 * seconds) / 25, steps)
    tone = np.sin(2 * np.pi * np.cumsum(200 + 3000 * loudness) / SPEECH_RATE)
    pcm = 9000 * loudness * (tone + 0.3 * rng.standard_normal(samples))
    return SpeechSlice(Span(0, samples), np.round(pcm.clip(-32000, 32000)).astype("<i2").tobytes())


def render(
    engine: Wav2LipEngine, avatar: Avatar, speech: SpeechSlice, cuts: list[int], fps: Fraction = Fraction(25)
) -> list[Frame]:
    """Frames of the chunks between `cuts`, each rendered by itself."""
    prepared = engine.prepare(avatar)
    made: list[Frame] = []
    for first, end in pairwise(cuts):
        span = samples_of(Span(first, end), fps)
        needed = Span(max(0, span.first - engine.info.lead_samples), span.end + engine.info.tail_samples)
        task = RenderTask(Span(first, end), fps, cut(speech, needed), seed=1)
        made += engine.render(prepared, task)
    return made
