"""What a listener would complain of, measured: clicks at joins, clipping, noise in silence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from mouthpiece.core.speech import Sentence
from mouthpiece.core.timeline import SPEECH_RATE
from services.tts.casting import Wish, cast
from services.tts.engines.embedded import EspeakEngine
from services.tts.loudness import CEILING_DBTP, true_peaks
from services.tts.performance import Fallback, Studio
from tests.support.tts_audio import samples_of

MS = SPEECH_RATE // 1000
VOICES = {
    "en-us": "Bob Palmer bought a map. Really? Yes: it cost $3.50! Stop.\n\nA new paragraph, at last.",
    "en-gb+f3": "Peter picked a pepper. Six thick thistle sticks! Tick, tock. Is it?\n\nBuzzing bees.",
    "en-us+whisper": "Bob Palmer bought a map. Really? Stop.",
    "de+m3": "Zwölf Boxkämpfer jagen Viktor. Schön! Ist das so? Ach.\n\nEin neuer Absatz.",
    "ru": "Папа попал в банк. Опять! Мама мыла раму, а он спал. Щука.\n\nНовый абзац.",
    "ru+f2": "Жук жужжит. Шипит змея! Что это? Цапля.",
    "fr": "Le chat dort. Quelle heure est-il ? Bonjour !",
    "es+f5": "El perro corre. ¿Qué hora es? ¡Basta!",
    "cmn": "你好，世界。今天天气很好！我们去公园，好吗？",
}
STUDIO = Studio()
Samples = npt.NDArray[np.int64]


@pytest.fixture(scope="module", params=VOICES)
def speech(request: pytest.FixtureRequest) -> list[Sentence]:
    chosen = cast(VOICES[request.param], Wish(voice=request.param), (EspeakEngine(),))
    spoken = STUDIO.perform(chosen, Fallback.NONE, slice(None), lambda: False)
    return [sentence for sentence in spoken if isinstance(sentence, Sentence)]


def whole(speech: list[Sentence]) -> Samples:
    return np.concatenate([samples_of(sentence) for sentence in speech])


def longest_run(flags: npt.NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int(np.max(np.diff(edges)[::2], initial=0))


def test_nothing_clicks_where_sentences_meet(speech: list[Sentence]) -> None:
    sound = whole(speech)
    assert len(speech) >= 3
    for one, other in pairwise(speech):
        assert one.samples.end == other.samples.first
        join = sound[one.samples.end - 5 * MS : one.samples.end + MS // 4]  # a plosive is loud after a while
        assert np.abs(np.diff(join)).max() <= 300
        assert np.abs(sound[one.samples.end - 5 * MS : one.samples.end]).max() == 0


def test_nothing_clicks_where_a_voice_begins_or_ends(speech: list[Sentence]) -> None:
    """A click is a step out of silence; sounds, however sudden, take a few samples to get loud."""
    for sentence in speech:
        sound = samples_of(sentence)
        loud = np.flatnonzero(np.abs(sound) > 8)
        before, after = sound[loud[0] - 1 : loud[0] + 1], sound[loud[-1] : loud[-1] + 2]
        assert abs(int(np.diff(before)[0])) < 400
        assert abs(int(np.diff(after)[0])) < 400


def test_nothing_is_clipped(speech: list[Sentence]) -> None:
    sound = whole(speech)
    assert np.abs(sound).max() < 32_767
    assert true_peaks(np.asarray(sound / 32_768, np.float32)).max() <= 10 ** (CEILING_DBTP / 20)
    assert longest_run(np.abs(sound) == np.abs(sound).max()) < 8  # no plateau at the top


def test_silence_stays_silent(speech: list[Sentence]) -> None:
    sound = whole(speech)
    pauses = [pause for sentence in speech for pause in sentence.pauses]
    assert len(pauses) > len(speech)
    for sentence in speech:
        rest = sentence.pauses[-1]
        faded = sound[rest.first + len(rest) * 2 // 3 : rest.end]  # some voices have an echo
        assert np.abs(faded).max(initial=0) <= 16  # -66 dB of full scale
