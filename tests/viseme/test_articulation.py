from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mouthpiece.core.speech import Phoneme, SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span, frame_at, frame_count, samples_of
from services.lipsync.engines.viseme.articulation import LEAD, TAIL, articulate, pronounce
from services.lipsync.engines.viseme.visemes import VISEMES, Channel, described, gestures
from tests.support.viseme_speech import DENSE, SENTENCE, cut, speech_of, spell

RATES = (Fraction(10), Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(60))

IPA_CHART = (
    "pbtdʈɖcɟkɡqɢʔmɱnɳɲŋɴʙrʀⱱɾɽɸβfvθðszʃʒʂʐçʝxɣχʁħʕhɦɬɮʋɹɻjɰlɭʎʟʘǀǃǂǁɓɗʄɠʛ"
    "iyɨʉɯuɪʏʊeøɘɵɤoəɛœɜɞʌɔæɐaɶɑɒʍwɥʜʢʡɕʑɺɧʦʣʧʤʨʥ"
)
ESPEAK_MNEMONICS = "SZTDNGLRXWAEIOUVQ@&3"


@cache
def _speech(knowledge: str) -> SpeechSlice:
    speech = speech_of(spell(SENTENCE), known=knowledge != "none")
    return _half_known(speech) if knowledge == "half" else speech


def _half_known(speech: SpeechSlice) -> SpeechSlice:
    middle = len(speech.samples) // 2
    known = Span(0, middle)
    phonemes = tuple(p for p in speech.phonemes if p.samples.overlaps(known))
    return SpeechSlice(speech.samples, speech.pcm, phonemes, (known,))


def _render(speech: SpeechSlice, frames: Span, fps: Fraction) -> bytes:
    """A track made the way a worker makes it: from no more speech than the engine asks for."""
    heard = samples_of(frames, fps)
    needed = Span(max(0, heard.first - LEAD), heard.end + TAIL)
    return articulate(cut(speech, needed), frames, fps).tobytes()


@pytest.mark.parametrize("knowledge", ["all", "half", "none"])
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_a_track_is_the_same_to_the_bit_however_it_is_cut(knowledge: str, data: st.DataObject) -> None:
    speech = _speech(knowledge)
    fps = data.draw(st.sampled_from(RATES))
    count = frame_count(len(speech.samples), fps)
    at = data.draw(st.integers(0, count))
    whole = articulate(speech, Span(0, count), fps).tobytes()
    assert _render(speech, Span(0, at), fps) + _render(speech, Span(at, count), fps) == whole


@given(
    letters=st.lists(
        st.tuples(st.sampled_from([*"pbmaiuosftʃlk", ""]), st.integers(10, 300)), min_size=1, max_size=20
    ),
    fps=st.sampled_from(RATES),
)
@settings(max_examples=60, deadline=None)
def test_every_channel_stays_between_zero_and_one(letters: list[tuple[str, int]], fps: Fraction) -> None:
    phonemes = spell(" ".join(f"{letter}{length}" for letter, length in letters))
    track = pronounce(phonemes, Span(0, 40), fps)
    assert track.min() >= 0.0
    assert track.max() <= 1.0


@pytest.mark.parametrize("fps", RATES)
def test_lips_shut_for_every_bilabial_in_dense_speech(fps: Fraction) -> None:
    phonemes = spell(DENSE, first=7000)
    frames = Span(0, frame_count(phonemes[-1].samples.end, fps))
    track = pronounce(phonemes, frames, fps)
    for phoneme in phonemes:
        if phoneme.ipa in ("p", "b", "m"):
            frame = frame_at((phoneme.samples.first + phoneme.samples.end) // 2, fps)
            shut = max(frame - 1, frame, key=lambda n: track[max(n, 0), Channel.PRESS])
            assert track[shut, Channel.PRESS] == 1.0
            assert track[shut, Channel.TEETH] == track[shut, Channel.TUCK] == 0.0
            assert track[shut, Channel.JAW] <= 0.25


def test_vowels_open_between_two_bilabials() -> None:
    fps = Fraction(25)
    track = pronounce(spell("b60 ˈɑː140 b60 ˈɑː140 b60"), Span(0, 12), fps)
    assert track[3, Channel.JAW] > 0.6
    assert track[3, Channel.PRESS] < 0.1
    assert track[8, Channel.JAW] > 0.6


@pytest.mark.parametrize("known", [True, False])
def test_the_mouth_rests_before_and_after_speech_and_in_pauses(known: bool) -> None:
    speech = speech_of(spell("800 ˈɑː200 s100 800 ˈoʊ200 800"), known=known)
    track = articulate(speech, Span(0, 80), Fraction(25))
    for quiet in (slice(0, 16), slice(33, 43), slice(55, 80)):
        assert np.abs(track[quiet]).max() < 0.03
    assert track[22, Channel.JAW] > 0.3
    assert track[50, Channel.JAW] > 0.2


def test_an_empty_speech_is_rest() -> None:
    assert not articulate(SpeechSlice(Span(0, 0), b""), Span(0, 5), Fraction(25)).any()


def test_the_mouth_moves_without_jumps() -> None:
    """Full travel of the jaw takes at least 60 ms except where a closure is forced."""
    speech = speech_of(spell("300 k60 ˈæ120 t60 ˈoʊ120 s100 ˈiː140 ʃ90 ˈɑː200 400"))
    track = articulate(speech, Span(0, 100), Fraction(60))
    assert np.abs(np.diff(track[:, Channel.JAW])).max() < 0.28


def test_rounding_comes_before_the_vowel_and_lasts_through_weak_consonants() -> None:
    track = pronounce(spell("s90 t60 ˈuː160 k60 ˈuː160"), Span(0, 14), Fraction(25))
    assert track[2, Channel.ROUND] > 0.2
    assert track[8, Channel.ROUND] > 0.7


@pytest.mark.parametrize(
    ("ipa", "visemes"),
    [
        ("", ["rest"]),
        ("(en)", []),
        ("ː", []),
        ("ˈaɪ", ["ah", "ih"]),
        ("tʃʲ", ["alveolar", "postalveolar", "palatal"]),
        ("m̩", ["bilabial"]),
        ("ã", ["ah"]),
        ("ç", ["palatal"]),
        ("t͡s", ["alveolar", "sibilant"]),
        ("kʰ", ["velar", "glottal"]),
        ("ɡ", ["velar"]),
        ("Ж", ["schwa"]),
    ],
)
def test_phonemes_become_gestures(ipa: str, visemes: list[str]) -> None:
    made = gestures(ipa)
    assert [gesture.viseme for gesture in made] == visemes
    if made:
        assert made[0].first == 0.0
        assert made[-1].end == pytest.approx(1.0)


def test_every_letter_of_the_ipa_and_of_espeak_has_a_viseme() -> None:
    assert [letter for letter in IPA_CHART + ESPEAK_MNEMONICS if not described(letter)] == []


def test_visemes_are_poses() -> None:
    for viseme in VISEMES.values():
        assert len(viseme.pose) == len(Channel)
        assert all(0.0 <= value <= 1.0 for value in viseme.pose)
        assert all(0.0 < dominance <= 7.0 for dominance in viseme.insists)


def test_an_unheard_tail_of_the_speech_changes_nothing() -> None:
    phonemes = spell(SENTENCE)
    speech = speech_of(phonemes)
    louder = SpeechSlice(
        speech.samples,
        speech.pcm[: SPEECH_RATE * 3] + bytes(len(speech.pcm) - SPEECH_RATE * 3),
        tuple(p for p in phonemes if p.samples.first < SPEECH_RATE * 3 // 2),
        speech.known,
    )
    frames = Span(0, 20)
    assert (
        articulate(louder, frames, Fraction(25)).tobytes()
        == articulate(speech, frames, Fraction(25)).tobytes()
    )


def test_silence_around_unknown_phonemes_needs_no_sound() -> None:
    quiet = Phoneme("", Span(0, 48000))
    speech = SpeechSlice(Span(0, 48000), bytes(96000), (quiet,), ())
    assert not articulate(speech, Span(0, 25), Fraction(25)).any()
