"""Recordings whose words are known get the times of words and phonemes; wrong words get none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.speech import Phoneme, Sentence
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.errors import BadInput
from mouthpiece.text.phonemes import pronounced
from services.tts.alignment import fit
from services.tts.cepstra import HOP, RATE, cepstra, with_slopes
from services.tts.espeak import Manner
from services.tts.recording import plan_transcript, sentences, survey
from services.tts.synthesis import MAX_TEXT
from services.tts.warping import follow
from tests.support.tts_audio import Spoken, bilabials, speak_aloud, write_wav

EN = (
    "Bob Palmer bought a map of the Mississippi, but Pam and her brother Ben preferred a simple paper plan. "
    "Maybe people believe that perfect plans are impossible to make! Please put the blue bottle on the table."
)
OTHER = (
    "The weather forecast says there will be heavy snow in the mountains tonight. Scientists discovered "
    "seven tiny creatures under the thick ice sheet. Are you sure this is the right street?"
)
RU = "Папа Павел купил большую машину, потому что мама попросила поменять обои. Бабушка и брат пили компот."
DE = "Der Bäcker bäckt jeden Morgen Brot und Brezeln. Peter und Paula möchten im Sommer zum Bodensee fahren."
ZH = "爸爸和妈妈明天早上去北京，弟弟跑步很快。我们买苹果和葡萄，朋友们都不怕困难。"


def aligned(tmp_path: Path, spoken: Spoken, text: str, language: str = "") -> list[Sentence]:
    recording = survey(write_wav(tmp_path / "a.wav", spoken.sound), 600)
    return list(sentences(recording, plan_transcript(text, language)))


def errors_ms(speech: Sequence[Sentence], truth: Spoken) -> np.ndarray:
    found = [at for sentence in speech for at in bilabials(sentence.phonemes or ())]
    real = truth.bilabials()
    assert len(found) == len(real) >= 8
    return np.abs(np.subtract(found, real)) * 1000 / SPEECH_RATE


@pytest.mark.parametrize(
    ("text", "file", "manner", "noise"),
    [
        (EN, "gmw/en-US+f3", Manner(), 0.0),
        (EN, "gmw/en-US+m7", Manner(rate=220), 0.0),
        (EN, "gmw/en+klatt4", Manner(rate=130, pitch=30), 0.0),
        (RU, "zle/ru", Manner(rate=190, pitch=90, melody=90), 0.2),
        (DE, "gmw/de+f2", Manner(rate=140), 0.05),
        (ZH, "sit/cmn+f3", Manner(rate=180), 0.0),
    ],
)
def test_lips_close_when_they_do_in_the_recording(
    tmp_path: Path, text: str, file: str, manner: Manner, noise: float
) -> None:
    truth = speak_aloud(text, file, manner)
    level = noise * float(truth.sound.std())
    rustle = np.random.default_rng(5).normal(0, level, len(truth.sound)).astype(np.float32)
    noisy = Spoken(truth.sound + rustle, truth.phonemes)
    speech = aligned(tmp_path, noisy, text)
    assert all(sentence.phonemes is not None for sentence in speech)
    errors = [
        abs(np.array(truth.bilabials()) - at).min() * 1000 / SPEECH_RATE
        for sentence in speech
        for at in bilabials(sentence.phonemes or ())
    ]
    assert len(errors) >= 8
    assert np.median(errors) <= 20


@pytest.fixture(scope="module")
def long_speech(tmp_path_factory: pytest.TempPathFactory) -> tuple[Spoken, str, list[Sentence]]:
    """Half a minute of speech with longer pauses than the synthesizer makes."""
    text = f"{EN} {OTHER}"
    truth = speak_aloud(text, "gmw/en-US+f3", Manner(rate=150), pause=0.9)
    return truth, text, aligned(tmp_path_factory.mktemp("long"), truth, text)


def test_a_long_recording_is_followed_from_piece_to_piece(
    long_speech: tuple[Spoken, str, list[Sentence]],
) -> None:
    truth, _, speech = long_speech
    assert len(speech) >= 4
    errors = errors_ms(speech, truth)
    assert np.median(errors) <= 20
    assert np.percentile(errors, 90) <= 80


def test_phonemes_fill_every_piece(long_speech: tuple[Spoken, str, list[Sentence]]) -> None:
    for sentence in long_speech[2]:
        assert sentence.phonemes
        assert sentence.phonemes[0].samples.first == sentence.samples.first
        assert sentence.phonemes[-1].samples.end == sentence.samples.end
        assert all(one.samples.end == other.samples.first for one, other in pairwise(sentence.phonemes))


def test_nothing_sounds_in_pauses(long_speech: tuple[Spoken, str, list[Sentence]]) -> None:
    for sentence in long_speech[2]:
        for part in sentence.phonemes or ():
            assert not part.ipa or not any(pause.overlaps(part.samples) for pause in sentence.pauses)


def test_words_come_in_order_once_each_and_cover_the_transcript(
    long_speech: tuple[Spoken, str, list[Sentence]],
) -> None:
    _, text, speech = long_speech
    words = [word for sentence in speech for word in sentence.words]
    assert [word.text for word in words] == [token.strip(".,?!") for token in text.split()]
    assert all(text[word.source.first : word.source.end] == word.text for word in words)
    assert all(one.samples.end <= other.samples.end for one, other in pairwise(words))
    assert " ".join(sentence.text for sentence in speech) == text


@pytest.mark.parametrize(
    ("said", "file", "written"), [(EN, "gmw/en-US+f3", OTHER), (RU, "zle/ru", EN), (OTHER, "gmw/en-US", EN)]
)
def test_a_transcript_of_something_else_is_not_believed(
    tmp_path: Path, said: str, file: str, written: str
) -> None:
    speech = aligned(tmp_path, speak_aloud(said, file, Manner(rate=150)), written)
    assert all(sentence.phonemes is None for sentence in speech)
    assert all(sentence.words == () and sentence.text == "" for sentence in speech)


def test_noise_is_not_taken_for_any_words(tmp_path: Path) -> None:
    rustle = np.random.default_rng(2).normal(0, 0.1, 10 * SPEECH_RATE).astype(np.float32)
    speech = aligned(tmp_path, Spoken(rustle, ()), EN)
    assert all(sentence.phonemes is None for sentence in speech)


def test_a_transcript_that_ends_early_serves_for_its_part(tmp_path: Path) -> None:
    truth = speak_aloud(f"{EN} {OTHER} {OTHER}", "gmw/en-US+f3", Manner(rate=150), pause=0.9)
    speech = aligned(tmp_path, truth, EN)
    assert speech[0].phonemes is not None
    assert speech[-1].phonemes is None


@pytest.mark.parametrize("text", ["", " \n", "…", "東京へ"])
def test_a_transcript_that_cannot_be_said_is_left_out(text: str) -> None:
    assert plan_transcript(text, "ja") is None


def test_an_unknown_language_or_an_endless_transcript_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        plan_transcript("hello", "xx")
    assert caught.value.violations[0].field == "language"
    with pytest.raises(BadInput) as caught:
        plan_transcript("a" * (MAX_TEXT + 1), "")
    assert caught.value.violations[0].field == "transcript"


# The parts -------------------------------------------------------------------------------------------------


def test_cepstra_have_a_frame_per_ten_milliseconds() -> None:
    assert cepstra(np.zeros(RATE, np.float32)).shape == (100, 13)
    assert cepstra(np.zeros(RATE + 1, np.float32)).shape == (101, 13)
    assert cepstra(np.zeros(0, np.float32)).shape == (0, 13)


def test_cepstra_do_not_depend_on_loudness_but_for_the_first() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    loud, soft = cepstra(sound), cepstra(sound / np.float32(4))
    assert np.abs(loud[:, 1:] - soft[:, 1:]).max() < 0.02
    assert (loud[:, 0] > soft[:, 0] + 5).all()


def test_a_click_shows_in_the_frame_it_is_in() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[50 * HOP + HOP // 2] = 1
    assert int(cepstra(sound)[:, 0].argmax()) == 50


@pytest.mark.parametrize("pace", [0.7, 1.0, 1.4])
def test_warping_finds_a_known_pace(pace: float) -> None:
    other = with_slopes(
        np.cumsum(np.random.default_rng(1).normal(0, 1, (900, 13)), axis=0).astype(np.float32)
    )
    truth = 20 + np.rint(np.arange(500) * pace).astype(int)
    path = follow(other[truth], other, 0)
    assert np.abs(path.frames - truth)[30:].max() <= 2
    assert (np.diff(path.frames) >= 0).all()
    assert path.cost < 0.2


@pytest.mark.parametrize(("rows", "width"), [(1, 1), (1, 500), (500, 1), (2, 3), (300, 290)])
def test_warping_copes_with_any_sizes(rows: int, width: int) -> None:
    features = np.random.default_rng(1).normal(0, 1, (rows + width, 26)).astype(np.float32)
    path = follow(features[:rows], features[rows:], 0)
    assert len(path.frames) == rows
    assert 0 <= path.frames.min() <= path.frames.max() < width
    assert np.isfinite(path.cost)


spans = st.tuples(st.integers(0, 5000), st.integers(0, 5000)).map(lambda pair: Span(min(pair), max(pair)))


def disjoint(parts: list[Span]) -> tuple[Span, ...]:
    kept: list[Span] = []
    for part in sorted(parts):
        if part and (not kept or part.first > kept[-1].end):
            kept.append(part)
    return tuple(kept)


@given(st.lists(spans, max_size=20).map(sorted), spans.filter(bool), st.lists(spans, max_size=5))
def test_sounds_are_fitted_between_pauses_without_gap_or_overlap(
    times: list[Span], within: Span, rests: list[Span]
) -> None:
    pauses = tuple(part.clip(within) for part in disjoint(rests) if part.overlaps(within))
    parts = list(fit([Phoneme("a", span) for span in times], within, pauses))
    assert parts[0].samples.first == within.first
    assert parts[-1].samples.end == within.end
    assert all(one.samples.end == other.samples.first for one, other in pairwise(parts))
    assert not any(part.ipa and pause.overlaps(part.samples) for part in parts for pause in pauses)


def test_a_dictionary_tells_how_a_transcript_sounds() -> None:
    plan = plan_transcript("Hello Nguyen.", "en", {"Nguyen": "win"})
    assert plan is not None
    assert [piece.text for piece in plan.pieces] == ["Hello win."]
    with pytest.raises(BadInput, match="cannot be pronounced"):
        plan_transcript("Hello Nguyen.", "en", {"Nguyen": pronounced("Nguyen", "5")})
