"""Networks in the format of Pocket TTS are read and run by sherpa-onnx, in the voice of a reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mouthpiece.core.speech import Sentence
from mouthpiece.errors import Unmet
from mouthpiece.settings import TtsSettings
from services.tts.casting import Wish, cast
from services.tts.engine import REFERENCE_RATE, EngineFailed, Reference, Rendition, Speaker
from services.tts.engines import create_engines
from services.tts.engines.embedded import EspeakEngine
from services.tts.engines.pocket import PocketEngine
from services.tts.espeak import Cancelled
from services.tts.performance import Fallback, Notice, Studio
from tests.support.tts_engines import FakeEngine
from tests.support.tts_pocket import FRAME, FRAMES_PER_TOKEN, RATE, TAIL, write_model

LEVEL = 0.2


def test_what_is_missing_is_told_by_name(tmp_path: Path) -> None:
    pytest.importorskip("sherpa_onnx")
    folder = write_model(tmp_path)
    (folder / "lm_main.onnx").unlink()
    (folder / "vocab.json").unlink()
    with pytest.raises(Unmet, match=r"lacks lm_main\.onnx, vocab\.json"):
        PocketEngine(folder).load()
    with pytest.raises(Unmet, match="MOUTHPIECE_TTS_POCKET_MODEL"):
        PocketEngine(None).load()


def test_the_settings_name_it() -> None:
    engines = create_engines(TtsSettings(engines="pocket"))
    assert [engine.name for engine in engines] == ["pocket", "espeak"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> PocketEngine:
    pytest.importorskip("sherpa_onnx")
    made = PocketEngine(write_model(tmp_path_factory.mktemp("pocket")), threads=1)
    made.load()
    return made


def reference(level: float = LEVEL) -> Reference:
    """Two seconds whose mean size is known."""
    sound = np.full(2 * REFERENCE_RATE, level, np.float32)
    sound[::2] *= -1
    return Reference(f"level-{level}", sound)


def said(engine: PocketEngine, text: str, level: float = LEVEL, rate: float = 1.0) -> Rendition:
    return engine.speak(text, Speaker("pocket", rate, reference(level)), lambda: False)


def seconds(rendition: Rendition) -> float:
    return len(rendition.sound) / rendition.rate


def test_every_token_is_said_and_nothing_after_the_end(engine: PocketEngine) -> None:
    tokens = len("▁abc▁de")
    wanted = (FRAMES_PER_TOKEN * tokens + TAIL) * FRAME / RATE
    assert seconds(said(engine, "abc de")) == pytest.approx(wanted, abs=0.17)
    longer = seconds(said(engine, "abc defg")) - seconds(said(engine, "abc de"))
    assert longer == pytest.approx(2 * FRAMES_PER_TOKEN * FRAME / RATE, abs=0.001)


@pytest.mark.parametrize("level", [0.1, 0.4])
def test_it_sounds_like_its_reference(engine: PocketEngine, level: float) -> None:
    assert np.abs(said(engine, "abc", level).sound).max() == pytest.approx(level, rel=0.1)


def test_the_same_sentence_sounds_the_same(engine: PocketEngine) -> None:
    one, other = said(engine, "Hello there."), said(engine, "Hello there.")
    assert np.array_equal(one.sound, other.sound)


def test_it_speaks_as_fast_as_is_wanted(engine: PocketEngine) -> None:
    usual, fast = said(engine, "Good morning."), said(engine, "Good morning.", rate=2.0)
    assert seconds(fast) == pytest.approx(seconds(usual) / 2, rel=0.1)


def test_without_a_reference_it_says_nothing(engine: PocketEngine) -> None:
    with pytest.raises(EngineFailed, match="reference"):
        engine.speak("Hello.", Speaker("pocket"), lambda: False)
    with pytest.raises(Cancelled):
        engine.speak("Hello.", Speaker("pocket", 1.0, reference()), lambda: True)


def test_a_version_names_the_weights(engine: PocketEngine, tmp_path: Path) -> None:
    same = PocketEngine(write_model(tmp_path / "same"), threads=1)
    other = PocketEngine(write_model(tmp_path / "other"), threads=1)
    scores = tmp_path / "other" / "token_scores.json"
    scores.write_text(scores.read_text(encoding="utf-8") + " ", encoding="utf-8")
    same.load()
    other.load()
    assert engine.version("pocket") == same.version("pocket") != other.version("pocket")


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"a": "b"}'])
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    pytest.importorskip("sherpa_onnx")
    folder = write_model(tmp_path)
    (folder / "vocab.json").write_text(content, encoding="utf-8")
    with pytest.raises(Unmet, match=r"vocab\.json"):
        PocketEngine(folder).load()


def test_a_network_that_is_none_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("sherpa_onnx")
    folder = write_model(tmp_path)
    (folder / "decoder.onnx").write_bytes(b"no network")
    with pytest.raises(Unmet, match="cannot be read"):
        PocketEngine(folder).load()


def test_it_comes_first_where_a_voice_is_to_be_cloned(engine: PocketEngine) -> None:
    engines = (engine, EspeakEngine())
    cloned = cast("Hello there.", Wish("en", reference=reference()), engines)
    assert [role.engine.name for role in cloned.roles] == ["pocket", "espeak"]
    for wish in (Wish("en"), Wish("de", reference=reference())):
        assert [role.engine.name for role in cast("Hallo.", wish, engines).roles] == ["espeak"]


def test_when_it_fails_another_engine_speaks_and_that_is_told(tmp_path: Path) -> None:
    pytest.importorskip("sherpa_onnx")
    engine = PocketEngine(write_model(tmp_path, fits=False), threads=1)
    engine.load()
    engines = (engine, FakeEngine("other", clones=True), EspeakEngine())
    chosen = cast("Hello there.", Wish("en", reference=reference()), engines)
    notice, sentence = Studio().perform(chosen, Fallback.NEXT_ENGINE, slice(None), lambda: False)
    assert isinstance(notice, Notice)
    assert notice.warning.startswith("pocket: the model failed")
    assert "other speaks instead" in notice.warning
    assert isinstance(sentence, Sentence)
    assert [word.text for word in sentence.words] == ["Hello", "there"]
