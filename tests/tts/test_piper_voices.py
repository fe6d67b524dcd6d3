"""Networks in the format of piper's voices are read, fed with what espeak-ng says, and heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mouthpiece.errors import Unmet
from services.tts.engine import EngineFailed, Speaker
from services.tts.engines.piper import PiperEngine
from services.tts.espeak import Cancelled, to_ipa
from tests.support.tts_piper import HOP, RATE, SYMBOLS, write_voice


def engine_of(path: Path) -> PiperEngine:
    engine = PiperEngine(path)
    engine.load()
    return engine


def heard(sound: np.ndarray, hop: int = HOP) -> str:
    """The symbols that a tiny network was given, by their pitch."""
    numbers: list[int] = []
    for symbol in sound.reshape(-1, hop):
        # The phase of a sine after one sample tells its frequency: no transform is as exact on 30 ms.
        speed = np.arccos(
            np.clip((symbol[2:] + symbol[:-2]) @ symbol[1:-1] / (2 * symbol[1:-1] @ symbol[1:-1]), -1, 1)
        )
        numbers.append(round((float(speed) * RATE / (2 * np.pi) - 100) / 5))
    return "".join(SYMBOLS[number] for number in numbers)


def test_a_voice_hears_the_sounds_of_a_sentence_and_its_punctuation(tmp_path: Path) -> None:
    engine = engine_of(write_voice(tmp_path / "tiny.onnx"))
    said = engine.speak("Hello there, friend. Why?", Speaker("tiny"), lambda: False)
    symbols = heard(said.sound)
    assert said.rate == RATE
    assert (symbols[:2], symbols[-1]) == ("^_", "$")
    assert set(symbols[1::2]) == {"_"}
    assert symbols[2:-1:2] == ", ".join(
        to_ipa(part, "en-us") for part in ("Hello there", "friend")
    ) + ". " + (to_ipa("Why", "en-us") + "?")


def test_points_in_numbers_end_nothing(tmp_path: Path) -> None:
    engine = engine_of(write_voice(tmp_path / "tiny.onnx"))
    assert "." not in heard(engine.speak("It is 3.14 or so", Speaker("tiny"), lambda: False).sound)


def test_symbols_that_a_voice_does_not_know_are_left_out(tmp_path: Path) -> None:
    known = {symbol: [number] for number, symbol in enumerate(SYMBOLS) if symbol != "h"}
    engine = engine_of(write_voice(tmp_path / "tiny.onnx", phoneme_id_map=known))
    assert "h" not in heard(engine.speak("Hello", Speaker("tiny"), lambda: False).sound)


def test_a_faster_voice_is_shorter(tmp_path: Path) -> None:
    engine = engine_of(write_voice(tmp_path / "tiny.onnx"))
    usual = engine.speak("Good morning.", Speaker("tiny"), lambda: False).sound
    fast = engine.speak("Good morning.", Speaker("tiny", 2.0), lambda: False).sound
    assert len(fast) * 2 == len(usual)


def test_speakers_of_a_voice_are_voices(tmp_path: Path) -> None:
    engine = engine_of(write_voice(tmp_path / "many.onnx", speakers=3))
    assert [voice.name for voice in engine.voices()] == ["many", "many#s0", "many#s1", "many#s2"]
    levels = [
        np.abs(engine.speak("Hello.", Speaker(f"many#s{number}"), lambda: False).sound).max()
        for number in (1, 2)
    ]
    assert levels[1] == pytest.approx(2 * levels[0])


def test_a_folder_holds_voices_by_language(tmp_path: Path) -> None:
    write_voice(tmp_path / "a.onnx")
    write_voice(tmp_path / "b.onnx", language={"code": "de_DE"}, espeak={"voice": "de"})
    engine = engine_of(tmp_path)
    assert [(voice.name, voice.language) for voice in engine.voices()] == [("a", "en-US"), ("b", "de-DE")]
    assert engine.version("a") != engine.version("b")


@pytest.mark.parametrize("spoil", ["missing", "no description", "not a network", "no numbers"])
def test_what_cannot_be_read_is_said_to_be_missing(tmp_path: Path, spoil: str) -> None:
    path = write_voice(tmp_path / "tiny.onnx")
    beside = tmp_path / "tiny.onnx.json"
    if spoil == "missing":
        path.unlink()
    elif spoil == "no description":
        beside.unlink()
    elif spoil == "not a network":
        path.write_bytes(b"hello")
    else:
        beside.write_text("{}")
    with pytest.raises(Unmet):
        PiperEngine(path).load()


def test_an_endless_sentence_is_a_failure_and_a_caller_may_go_away(tmp_path: Path) -> None:
    engine = engine_of(write_voice(tmp_path / "tiny.onnx"))
    with pytest.raises(EngineFailed, match="symbols"):
        engine.speak("hello " * 2000, Speaker("tiny"), lambda: False)
    with pytest.raises(Cancelled):
        engine.speak("hello", Speaker("tiny"), lambda: True)
