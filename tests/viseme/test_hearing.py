"""Articulation from sound alone: judged by speech whose phonemes are known to us, not to it."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.core.speech import Sentence, SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span, frame_count, samples_of
from services.lipsync.engines.viseme.articulation import LEAD, TAIL, pronounce
from services.lipsync.engines.viseme.hearing import WEIGHTS, hear, weights_sha256
from services.lipsync.engines.viseme.visemes import Channel
from services.tts.synthesis import plan_speech, sentences
from tests.support.media_measure import follow, loudness
from tests.support.viseme_speech import cut

FPS = Fraction(25)
RATES = (FPS, Fraction(10), Fraction(30000, 1001), Fraction(60))
TEXTS = {
    "pl": "Dzień dobry, mamy nowe pomidory, ogórki i chleb. Proszę, oto pani bilet do Poznania, peron piąty.",
    "uk": "Добрий ранок, мамо. Бабуся пише довгого листа, а хлопці біжать до моря й голосно співають.",
}
"""In languages that were kept out of the lessons."""

Curve = npt.NDArray[np.float64]


@cache
def spoken(language: str) -> Sentence:
    """A text in one piece, with its phonemes."""
    parts = list(sentences(plan_speech(TEXTS[language], language)))
    return Sentence(
        0,
        "",
        Span(0, 0),
        Span(0, parts[-1].samples.end),
        b"".join(part.pcm for part in parts),
        phonemes=tuple(phoneme for part in parts for phoneme in part.phonemes or ()),
    )


def sound(language: str) -> Curve:
    return np.frombuffer(spoken(language).pcm, "<i2").astype(np.float64)


def heard(pcm: Curve, fps: Fraction = FPS) -> Curve:
    """The track of a whole speech, given as samples of full scale 32 768."""
    samples = np.clip(np.round(pcm), -32768, 32767).astype("<i2")
    speech = SpeechSlice(Span(0, samples.size), samples.tobytes())
    return hear(speech, Span(0, frame_count(samples.size, fps)), fps)


def wanted(language: str) -> Curve:
    sentence = spoken(language)
    return pronounce(sentence.phonemes or (), Span(0, frame_count(len(sentence.samples), FPS)), FPS)


@pytest.mark.parametrize("language", TEXTS)
def test_the_mouth_follows_a_language_it_was_never_taught(language: str) -> None:
    track, truth = heard(sound(language)), wanted(language)
    for channel, least in (
        (Channel.JAW, 0.78),
        (Channel.WIDTH, 0.7),
        (Channel.ROUND, 0.7),
        (Channel.TEETH, 0.75),
        (Channel.PRESS, 0.4),
    ):
        fit = follow(track[:, channel], truth[:, channel])
        assert fit.r_unmoved > least, channel.name
        assert abs(fit.lag) < 0.6, channel.name


@pytest.mark.parametrize("language", TEXTS)
def test_it_knows_more_than_how_loud_it_is(language: str) -> None:
    pcm, truth = sound(language), wanted(language)[:, Channel.JAW]
    envelope = follow(loudness(pcm, len(truth), FPS), truth)
    assert follow(heard(pcm)[:, Channel.JAW], truth).r > envelope.r + 0.1


@pytest.mark.parametrize("decibels", [-25, 6])
def test_the_level_of_a_recording_does_not_matter(decibels: int) -> None:
    pcm = sound("pl")
    quieter = heard(pcm * 10 ** (decibels / 20))
    assert np.corrcoef(quieter[:, Channel.JAW], heard(pcm)[:, Channel.JAW])[0, 1] > 0.97


def test_noise_costs_little() -> None:
    pcm = sound("uk")
    noise = np.random.default_rng(4).normal(size=pcm.size) * np.sqrt(np.mean(pcm**2)) / 10
    jaw = heard(pcm + noise)[:, Channel.JAW]
    assert np.corrcoef(jaw, wanted("uk")[:, Channel.JAW])[0, 1] > 0.72


def test_the_mouth_is_quite_at_rest_in_silence() -> None:
    quiet = np.zeros(SPEECH_RATE)
    track = heard(np.concatenate((quiet, sound("pl"), quiet)))
    assert not track[:20].any()
    assert not track[-20:].any()


@pytest.mark.parametrize("level", [20.0, 200.0])
def test_the_mouth_stays_closed_over_the_noise_of_a_room(level: float) -> None:
    noise = np.random.default_rng(5).normal(size=3 * SPEECH_RATE) * level
    opening = heard(noise)
    assert ((1 - opening[:, Channel.PRESS]) * opening[:, Channel.JAW]).max() < 0.15


def test_pauses_of_a_noisy_recording_are_quiet() -> None:
    pause = np.zeros(SPEECH_RATE)
    pcm = np.concatenate((sound("pl"), pause, sound("pl")))
    noise = np.random.default_rng(6).normal(size=pcm.size) * np.sqrt(np.mean(pcm**2)) / 20
    first = frame_count(sound("pl").size, FPS)
    jaw = heard(pcm + noise)[:, Channel.JAW]
    assert jaw[first + 3 : first + 22].mean() < 0.05 < jaw[:first].mean()


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_a_track_is_the_same_to_the_bit_however_it_is_cut(data: st.DataObject) -> None:
    sentence = spoken("uk")
    fps = data.draw(st.sampled_from(RATES))
    speech = SpeechSlice(sentence.samples, sentence.pcm)
    count = frame_count(len(speech.samples), fps)
    whole = hear(speech, Span(0, count), fps)
    first = data.draw(st.integers(0, count - 1))
    part = Span(first, data.draw(st.integers(first + 1, count)))
    seen = samples_of(part, fps)
    piece = cut(speech, Span(max(0, seen.first - LEAD), seen.end + TAIL))
    assert hear(piece, part, fps).tobytes() == whole[part.first : part.end].tobytes()


@given(seed=st.integers(0, 1000), level=st.floats(0, 40_000))
@settings(max_examples=15, deadline=None)
def test_every_channel_stays_between_zero_and_one_whatever_is_heard(seed: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    track = heard(rng.normal(size=20_000) * level * rng.random(20_000))
    assert track.shape == (frame_count(20_000, FPS), len(Channel))
    assert track.min() >= 0
    assert track.max() <= 1


def test_no_frames_and_no_sound_are_fine() -> None:
    assert hear(SpeechSlice(Span(0, 0), b""), Span(3, 3), FPS).shape == (0, len(Channel))
    assert not hear(SpeechSlice(Span(0, 0), b""), Span(0, 3), FPS).any()


def test_the_weights_are_small_and_have_a_name() -> None:
    assert WEIGHTS.stat().st_size < 100_000
    assert len(weights_sha256()) == 64
