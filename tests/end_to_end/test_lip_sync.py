from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from mouthpiece.client import VideoOptions
from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import Span, frame_at
from mouthpiece.media.probe import decode_audio
from mouthpiece.rpc.speech_codec import sentence_from_proto
from mouthpiece.v1 import gateway_pb2 as pb
from tests.support.media_faces import lip_opening
from tests.support.media_measure import Curve, follow, loudness
from tests.support.running_suite import RunningSuite

FPS = Fraction(25)
TEXT = (
    "Bob Palmer bought a big brown bubble pipe from my mother. Five more fathers promised to help them. "
    "Remember that people hum in the morning, and mumble about bread and butter."
)
CLOSED = 0.02
"""Distance of the lips, in distances of the eye corners, below which a mouth looks closed."""


@dataclass
class Result:
    opening: Curve
    loudness: Curve
    sentences: list[Sentence]


@pytest.fixture(scope="module")
def spoken(running: RunningSuite, tmp_path_factory: pytest.TempPathFactory) -> Result:
    out = tmp_path_factory.mktemp("lips") / "out.mp4"
    heard: list[Sentence] = []

    def listen(event: pb.JobEvent) -> None:
        if event.HasField("speech"):
            message = event.speech.sentence
            message.pcm = bytes(2 * (message.samples.end - message.samples.first))
            heard.append(sentence_from_proto(message))

    options = VideoOptions(width=480, height=480, quality="high", fps=FPS)
    job = running.client.generate(out, text=TEXT, options=options, on_event=listen)
    return Result(lip_opening(out), loudness(decode_audio(out)[0], job.frames, FPS), heard)


def test_a_face_is_seen_in_every_frame(spoken: Result) -> None:
    assert not np.isnan(spoken.opening).any()


def test_the_mouth_opens_when_there_is_sound_neither_early_nor_late(spoken: Result) -> None:
    fit = follow(spoken.opening, spoken.loudness, 6)
    assert abs(fit.lag) <= 1
    assert fit.r > 0.3


def test_lips_close_on_p_b_and_m(spoken: Result) -> None:
    labials = [p for s in spoken.sentences for p in s.phonemes or () if p.ipa[:1] in ("p", "b", "m")]
    frames = [frame_at((p.samples.first + p.samples.end) // 2, FPS) for p in labials]
    closed = [spoken.opening[max(0, f - 1) : f + 2].min() < CLOSED for f in frames]
    assert len(closed) > 20
    assert np.mean(closed) >= 0.95


def test_the_mouth_stays_closed_in_pauses(spoken: Result) -> None:
    pauses = [p for s in spoken.sentences for p in s.pauses if len(p) > 14_000]
    inner = [Span(frame_at(p.first + 6000, FPS), frame_at(p.end - 6000, FPS)) for p in pauses]
    resting = np.concatenate([spoken.opening[span.first : span.end] for span in inner if span])
    assert resting.size >= 5
    assert np.quantile(resting, 0.9) < 0.03
