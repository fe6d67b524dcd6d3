from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.speech import (
    CutGrade,
    CutMark,
    Phoneme,
    Sentence,
    SpeechSlice,
    Word,
    cut_marks,
    ready_frames,
    slice_speech,
)
from mouthpiece.core.timeline import SPEECH_RATE, Span, frame_count
from mouthpiece.rpc.speech_codec import (
    sentence_from_proto,
    sentence_to_proto,
    slice_from_proto,
    slice_to_proto,
)

FPS = Fraction(25)
FRAME = SPEECH_RATE // 25


def sentence(index: int, first: int, samples: int, *, known: bool = True) -> Sentence:
    """Samples that count from 0 at the start of the speech, modulo 30000, in phonemes of 1000."""
    span = Span(first, first + samples)
    pcm = b"".join((n % 30000).to_bytes(2, "little") for n in span)
    cuts = [*range(span.first, span.end, 1000), span.end]
    phonemes = tuple(Phoneme("a", Span(a, b)) for a, b in itertools.pairwise(cuts))
    return Sentence(index, "text", Span(0, 4), span, pcm, phonemes=phonemes if known else None)


@st.composite
def speeches(draw: st.DrawFn) -> list[Sentence]:
    made: list[Sentence] = []
    for index, samples in enumerate(draw(st.lists(st.integers(1, 4000), min_size=1, max_size=5))):
        first = made[-1].samples.end if made else 0
        made.append(sentence(index, first, samples, known=draw(st.booleans())))
    return made


@given(speeches(), st.integers(0, 25_000), st.integers(0, 25_000))
def test_a_slice_holds_the_samples_of_its_span(speech: list[Sentence], one: int, other: int) -> None:
    wanted = Span(min(one, other), max(one, other))
    found = slice_speech(speech, wanted)
    whole = b"".join(sentence.pcm for sentence in speech)
    assert found.pcm == whole[2 * found.samples.first : 2 * found.samples.end]
    assert len(found.samples) == max(0, min(wanted.end, len(whole) // 2) - min(wanted.first, len(whole) // 2))


@given(speeches(), st.integers(0, 25_000), st.integers(1, 5_000))
def test_phonemes_are_complete_where_they_are_said_to_be_known(
    speech: list[Sentence], first: int, length: int
) -> None:
    found = slice_speech(speech, Span(first, first + length))
    for known in found.known:
        covered = [p.samples.clip(known) for p in found.phonemes if p.samples.overlaps(known)]
        assert sum(map(len, covered)) == len(known)


def test_chunks_may_end_at_sentence_ends_pauses_and_word_gaps() -> None:
    words = tuple(Word("w", Span(a, b), Span(0, 1)) for a, b in ((0, 9000), (9600, 20000), (24000, 40000)))
    spoken = Sentence(
        0, "w w w", Span(0, 5), Span(0, 48_000), bytes(96_000), words, pauses=(Span(20_000, 24_000),)
    )
    assert cut_marks(spoken, FPS) == (
        CutMark(5, CutGrade.WORD),
        CutMark(11, CutGrade.PAUSE),
        CutMark(13, CutGrade.WORD),
        CutMark(25, CutGrade.SENTENCE),
    )


@given(st.integers(0, 10**7), st.integers(0, 10**5))
def test_what_is_ready_never_needs_speech_that_is_not_there(samples: int, tail: int) -> None:
    ready = ready_frames(samples, FPS, tail, final=False)
    assert ready == 0 or ready * FRAME + tail <= samples
    assert ready <= ready_frames(samples, FPS, tail, final=True) == frame_count(samples, FPS)


@given(speeches())
def test_sentences_and_slices_survive_the_wire(speech: list[Sentence]) -> None:
    for spoken in speech:
        assert sentence_from_proto(sentence_to_proto(spoken)) == spoken
    cut = slice_speech(speech, Span(500, 2500))
    assert slice_from_proto(slice_to_proto(cut)) == cut


def test_sound_that_does_not_fit_its_span_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes for 2 samples"):
        SpeechSlice(Span(0, 2), b"abc")
