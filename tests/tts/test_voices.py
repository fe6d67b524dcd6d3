"""Which voice reads a text, and what is refused before any sound is made."""

from __future__ import annotations

import numpy as np
import pytest

from mouthpiece.errors import BadInput
from services.tts.espeak import speak
from services.tts.voices import (
    all_voices,
    choose_voice,
    guess_language,
    is_default,
    listed,
    voice_for_language,
)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("en", "en-us"),
        ("EN_us", "en-us"),
        ("en-GB", "en-gb"),
        ("en-AU", "en-gb"),
        ("ru", "ru"),
        ("de-AT", "de"),
        ("zh", "cmn"),
        ("zh-Hant-TW", "cmn"),
        ("zh-HK", "yue"),
        ("pt", "pt-br"),
        ("pt-PT", "pt"),
        ("no", "nb"),
        ("es-MX", "es-419"),
        ("fr-CA", "fr"),
    ],
)
def test_a_language_tag_names_the_nearest_voice(tag: str, name: str) -> None:
    assert voice_for_language(tag).name == name


@pytest.mark.parametrize("tag", ["xx", "english", " ", "-", "fo"])
def test_a_language_that_nothing_speaks_is_refused(tag: str) -> None:
    with pytest.raises(BadInput) as caught:
        voice_for_language(tag)
    assert caught.value.violations[0].field == "language"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello", "en"),
        ("12345", "en"),
        ("Привет", "ru"),
        ("Привіт, їжак", "uk"),
        ("Прывітанне, ў", "be"),
        ("你好 OK", "zh"),
        ("これは本です", "ja"),
        ("안녕하세요", "ko"),
        ("مرحبا", "ar"),
        ("سلام چطوری", "fa"),
        ("שלום", "he"),
        ("γεια", "el"),
        ("नमस्ते", "hi"),
        ("გამარჯობა", "ka"),
    ],
)
def test_the_script_tells_the_language(text: str, language: str) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize(
    ("text", "language", "voice", "chosen"),
    [
        ("Hello", "", "", "en-us"),
        ("Hello", "", "en-gb+f3", "en-gb+f3"),
        ("Hello", "en", "EN-GB", "en-gb"),
        ("Hello", "", "zh", "cmn"),
        ("Привет, iPhone", "", "", "ru"),
        ("Meet 李明 today", "", "", "en-us"),
        ("Zdravo i здраво", "sr", "", "sr"),
        ("2024", "ru", "", "ru"),
    ],
)
def test_a_voice_is_chosen(text: str, language: str, voice: str, chosen: str) -> None:
    assert choose_voice(text, language, voice).name == chosen


@pytest.mark.parametrize(
    ("text", "language", "voice", "field"),
    [
        ("你好世界", "en", "", "text"),
        ("привет", "", "de", "text"),
        ("東京へ行きます", "ja", "", "text"),
        ("こんにちは", "zh", "", "text"),
        ("Hello", "xx", "", "language"),
        ("Hello", "", "nobody", "voice"),
        ("Hello", "", "en-us+nobody", "voice"),
        ("Hello", "", "en-us+", "voice"),
        ("Hello", "", "en-us+../../lang/ru", "voice"),
        ("Hello", "ru", "en-us", "voice"),
    ],
)
def test_what_no_voice_can_read_is_refused_with_the_field(
    text: str, language: str, voice: str, field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        choose_voice(text, language, voice)
    assert [violation.field for violation in caught.value.violations] == [field]


def test_names_are_unique_and_every_voice_is_found_by_its_name_and_language() -> None:
    voices = all_voices()
    assert len({voice.name for voice in voices}) == len(voices) > 100
    for voice in voices:
        assert choose_voice("1", "", voice.name).voice is voice
        assert voice_for_language(voice.language).language.split("-")[0] == voice.language.split("-")[0]


def test_every_voice_says_something() -> None:
    for voice in all_voices():
        assert np.abs(speak("a", voice.file).pcm).max() > 1000


def test_each_language_has_one_default() -> None:
    defaults = [voice.language for voice in all_voices() if is_default(voice)]
    assert len(set(defaults)) == len(defaults)
    assert {"en-US", "ru", "de", "zh"} <= set(defaults)


def test_listing_is_sorted_and_holds_every_variant_of_a_language() -> None:
    everything = [choice for choice, _ in listed()]
    keys = [(choice.voice.language, choice.voice.name) for choice in everything]
    assert keys == sorted(keys)
    names = [choice.name for choice, _ in listed("ru")]
    assert names[0] == "ru"
    assert "ru+f3" in names
    assert all(name.startswith("ru") for name in names)
    assert {choice.name for choice, _ in listed("zh")} >= {"cmn", "yue", "cmn+f2"}
    assert list(listed("xx")) == []
    assert all(line for _, line in listed("de"))
