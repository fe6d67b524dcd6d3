from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.timeline import (
    SPEECH_RATE,
    STANDARD_RATES,
    Span,
    clip_index,
    frame_at,
    frame_count,
    full_frames,
    nearest_standard_rate,
    sample_at,
    samples_of,
)

rates = st.sampled_from(STANDARD_RATES)
frames = st.integers(0, 1_000_000)
spans = st.tuples(frames, frames).map(lambda pair: Span(min(pair), max(pair)))


def test_twenty_seconds_at_2997_are_599_frames() -> None:
    # 20 · 30000/1001 = 599.40…
    assert frame_count(20 * SPEECH_RATE, Fraction(30000, 1001)) == 599


def test_half_a_frame_rounds_up() -> None:
    assert frame_count(SPEECH_RATE // 50, Fraction(25)) == 1
    assert frame_count(SPEECH_RATE // 50 - 1, Fraction(25)) == 0


@given(frames, rates)
def test_a_frame_is_shown_while_its_first_sample_is_heard(frame: int, fps: Fraction) -> None:
    first = sample_at(frame, fps)
    assert frame_at(first, fps) == frame
    assert first == 0 or frame_at(first - 1, fps) == frame - 1


@given(st.integers(0, 10**9), rates)
def test_full_frames_end_within_the_samples(samples: int, fps: Fraction) -> None:
    count = full_frames(samples, fps)
    assert Fraction(count) / fps <= Fraction(samples, SPEECH_RATE) < Fraction(count + 1) / fps


@given(st.lists(st.integers(1, 400), min_size=1, max_size=20), rates)
def test_the_samples_of_consecutive_spans_are_consecutive(lengths: list[int], fps: Fraction) -> None:
    end = 0
    heard = 0
    for length in lengths:
        samples = samples_of(Span(end, end + length), fps)
        assert samples.first == heard
        end, heard = end + length, samples.end
    assert heard == sample_at(end, fps)


@given(st.integers(2, 500), st.integers(0, 5000))
def test_a_clip_plays_forwards_then_backwards_one_frame_at_a_time(length: int, frame: int) -> None:
    here, following = clip_index(frame, length), clip_index(frame + 1, length)
    assert 0 <= here < length
    assert abs(here - following) == 1


def test_a_clip_of_three_frames_shows_its_ends_once_per_turn() -> None:
    assert [clip_index(frame, 3) for frame in range(9)] == [0, 1, 2, 1, 0, 1, 2, 1, 0]


def test_a_portrait_has_one_frame_for_ever() -> None:
    assert {clip_index(frame, 1) for frame in range(100)} == {0}


@pytest.mark.parametrize(
    ("measured", "nominal"),
    [
        (Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(25012, 1000), Fraction(25)),
        (Fraction(23976, 1000), Fraction(24000, 1001)),
        (Fraction(599, 10), Fraction(60000, 1001)),
        (Fraction(18), Fraction(18)),
    ],
)
def test_a_measured_rate_becomes_the_standard_rate_near_it(measured: Fraction, nominal: Fraction) -> None:
    assert nearest_standard_rate(measured) == nominal


@pytest.mark.parametrize(("first", "end"), [(-1, 4), (5, 4)])
def test_what_is_not_a_span_cannot_be_made(first: int, end: int) -> None:
    with pytest.raises(ValueError, match="not a span"):
        Span(first, end)


@given(spans, spans)
def test_clipping_keeps_what_both_have(one: Span, other: Span) -> None:
    both = set(range(max(one.first, other.first), min(one.end, other.end))) if one.overlaps(other) else set()
    clipped = one.clip(other)
    assert len(clipped) == len(both)
    assert other.contains(clipped)
