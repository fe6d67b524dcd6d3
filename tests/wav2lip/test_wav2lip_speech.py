"""What a frame hears does not depend on how the track was cut, and all of the track is heard."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span, frame_count, sample_at, samples_of
from services.lipsync.engines.wav2lip.mel import LEAD, SILENCE, TAIL, Sound, columns_of, heard, windows
from tests.support.viseme_speech import cut

RATES = [Fraction(5), Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(60), Fraction(120)]


def noise(samples: int) -> SpeechSlice:
    pcm = np.random.default_rng(5).integers(-9000, 9000, samples).astype("<i2")
    return SpeechSlice(Span(0, samples), pcm.tobytes())


def heard_by(speech: SpeechSlice, frames: Span, fps: Fraction) -> npt.NDArray[np.float32]:
    """The windows of some frames, from as much of the speech as a worker is sent."""
    span = samples_of(frames, fps)
    sent = cut(speech, Span(max(0, span.first - LEAD), span.end + TAIL))
    return windows(heard(sent, span.end + TAIL), frames, fps)


@settings(max_examples=40)
@given(st.integers(1, 80_000), st.sampled_from(RATES), st.data())
def test_windows_of_a_chunk_equal_those_of_the_whole_track(
    samples: int, fps: Fraction, data: st.DataObject
) -> None:
    speech = noise(samples)
    count = max(1, frame_count(samples, fps))
    first = data.draw(st.integers(0, count - 1))
    frames = Span(first, data.draw(st.integers(first + 1, count)))
    whole = windows(heard(speech, samples + 1), Span(0, count), fps)
    assert np.array_equal(heard_by(speech, frames, fps), whole[frames.first : frames.end])


def test_a_track_is_followed_by_silence_and_every_frame_has_a_window() -> None:
    speech, fps = noise(SPEECH_RATE), Fraction(25)
    made = heard_by(speech, Span(0, frame_count(SPEECH_RATE, fps)), fps)
    assert made.shape == (25, 1, 80, 16)
    assert (made[24, 0, :, -8:] == SILENCE).all()
    assert (made[24, 0, :, 0] > SILENCE).any()


def test_no_speech_at_all_is_silence() -> None:
    made = windows(heard(SpeechSlice(Span(0, 0), b""), TAIL), Span(0, 3), Fraction(25))
    assert (made == SILENCE).all()


def tone(hertz: float, rate: int) -> npt.NDArray[np.int16]:
    return np.round(9000 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate)).astype(np.int16)


def test_speech_at_48_khz_sounds_as_at_16_khz() -> None:
    slow, fast = Sound(tone(440, 16_000)), Sound(tone(440, SPEECH_RATE), step=3)
    inner = slice(4, 76)
    difference = columns_of(slow, Span(0, 80))[:, inner] - columns_of(fast, Span(0, 80))[:, inner]
    loud = columns_of(slow, Span(0, 80))[:, inner] > -1.0
    assert np.abs(difference[loud]).max() < 0.02


def test_what_16_khz_cannot_carry_is_not_folded_back() -> None:
    made = columns_of(Sound(tone(15_000, SPEECH_RATE), step=3), Span(4, 76))
    assert made.max() < -3.0


def test_context_is_as_short_as_the_rules_allow() -> None:
    assert LEAD < SPEECH_RATE // 4
    assert TAIL < SPEECH_RATE // 4
    assert sample_at(1, Fraction(5)) < LEAD
