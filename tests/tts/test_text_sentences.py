"""Texts are cut into sentences that hold everything that can be said."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.text.scripts import is_readable, is_sounding, letters_by_script
from mouthpiece.text.sentences import MAX_WEIGHT, Ending, Piece, split_sentences, weight


def cut(text: str, language: str = "en") -> list[str]:
    return [piece.text for piece in split_sentences(text, language)]


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("en", "One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        (
            "en",
            "Dr. Smith met Mr. J. R. R. Tolkien. He left.",
            ["Dr. Smith met Mr. J. R. R. Tolkien.", "He left."],
        ),
        ("en", "It costs $3.14 at 5 p.m. See you.", ["It costs $3.14 at 5 p.m.", "See you."]),
        ("en", "Use e.g. this, i.e. that. Done.", ["Use e.g. this, i.e. that.", "Done."]),
        ("en", '"Really?" she asked. "Yes!" "No."', ['"Really?" she asked.', '"Yes!"', '"No."']),
        ("en", "Wait... what? Go.", ["Wait... what?", "Go."]),
        ("en", "See fig. 3 and no. 5. No. Never.", ["See fig. 3 and no. 5.", "No.", "Never."]),
        ("en", "So do I. He left.", ["So do I.", "He left."]),
        ("en", "1. First thing. 2. Second thing.", ["1. First thing.", "2. Second thing."]),
        ("en", "Visit www.example.com. Now.", ["Visit www.example.com.", "Now."]),
        (
            "de",
            "Am 3. Mai kam Dr. Ey z. B. nach Ulm. Er blieb.",
            ["Am 3. Mai kam Dr. Ey z. B. nach Ulm.", "Er blieb."],
        ),
        ("de", "Er sagte: „Ja.“ Dann ging er.", ["Er sagte: „Ja.“", "Dann ging er."]),
        (
            "ru",
            "Это было в 2020 г. А. С. Ким жил в г. Москве. Да.",
            ["Это было в 2020 г. А. С. Ким жил в г. Москве.", "Да."],
        ),
        (
            "ru",
            "Хлеб, соль и т.д. «Да», — сказал он. См. рис. 3.",
            ["Хлеб, соль и т.д.", "«Да», — сказал он.", "См. рис. 3."],
        ),
        ("ru", "Это было в 2020 г. Он жил там.", ["Это было в 2020 г.", "Он жил там."]),
        ("zh", "你好。世界！“真的？”他问。", ["你好。", "世界！", "“真的？”", "他问。"]),
        ("ja", "これはペンです。「はい。」", ["これはペンです。", "「はい。」"]),
        ("hi", "नमस्ते। आप कैसे हैं?", ["नमस्ते।", "आप कैसे हैं?"]),
        ("ar", "مرحبا. كيف حالك؟ بخير.", ["مرحبا.", "كيف حالك؟", "بخير."]),
    ],
)
def test_sentences_end_where_a_reader_stops(language: str, text: str, sentences: list[str]) -> None:
    assert cut(text, language) == sentences


def test_paragraphs_end_at_empty_lines_and_at_short_lines() -> None:
    pieces = list(split_sentences("A title\n\nOne. Two.\n- a\n- b", "en"))
    assert [piece.text for piece in pieces] == ["A title", "One.", "Two.", "- a", "- b"]
    ends = [Ending.PARAGRAPH, Ending.SENTENCE, Ending.PARAGRAPH, Ending.PARAGRAPH, Ending.PARAGRAPH]
    assert [piece.ending for piece in pieces] == ends


def test_a_line_that_was_wrapped_goes_on() -> None:
    text = "This line is so long that an editor has wrapped it at\nsome column. Its\nend is here."
    assert cut(text) == [text[: text.index(" Its")], "Its\nend is here."]


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    text = "this goes on, and on; " * 40
    pieces = list(split_sentences(text.strip(), "en"))
    assert len(pieces) > 3
    assert all(piece.text.endswith(";") and piece.ending is Ending.CLAUSE for piece in pieces[:-1])


def test_a_long_text_without_punctuation_is_cut_between_words() -> None:
    pieces = list(split_sentences("word " * 300, "en"))
    assert all(set(piece.text.split()) == {"word"} for piece in pieces)
    assert sum(len(piece.text.split()) for piece in pieces) == 300


def test_a_number_is_not_cut_at_its_comma() -> None:
    text = "x" * 235 + " 1,234,567 and the rest of it"
    assert any("1,234,567" in piece for piece in cut(text))


def test_an_accent_stays_with_its_letter() -> None:
    text = "e\u0301" * 400
    assert all(piece[0] == "e" for piece in cut(text))


def test_what_cannot_be_said_makes_no_sentence() -> None:
    assert cut("... !!! —\n\n***") == []


anything = st.text(
    st.one_of(
        st.sampled_from(" \n\t.!?,;:…。！？、\"'”»)(«-—12aBяЖ好の한😀e\u0301\u200b\r\u2028§$"),
        st.characters(codec="utf-8"),
    ),
    max_size=600,
)


@given(anything, st.sampled_from(["en", "de", "ru", "zh", ""]))
def test_everything_that_sounds_is_in_exactly_one_bounded_piece(text: str, language: str) -> None:
    pieces = list(split_sentences(text, language))
    at = 0
    for piece in pieces:
        assert piece.source.first >= at
        assert not any(is_sounding(char) for char in text[at : piece.source.first])
        assert text[piece.source.first : piece.source.end] == piece.text == piece.text.strip()
        assert sum(weight(char) for char in piece.text) <= MAX_WEIGHT
        at = piece.source.end
    assert not any(is_sounding(char) for char in text[at:])


@pytest.mark.parametrize(
    "unit", [".", ". ", "\n", "a", "a. ", "I. ", "好", "\u0301", "a\n", "?", '"', "1.", "x,", '."', "z. B. "]
)
def test_hostile_texts_take_time_in_proportion_to_their_length(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        start = time.process_time()
        for _ in split_sentences(text, "de"):
            pass
        return time.process_time() - start

    seconds(2_000)
    assert seconds(60_000) < 30 * max(0.02, seconds(6_000))


def test_scripts_are_told_from_letters_alone() -> None:
    letters = letters_by_script("Hello мир 你好 こんにちは カナ ｱｲ 한국 123 😀 !")
    assert letters == {"LATIN": 5, "CYRILLIC": 3, "HAN": 2, "KANA": 9, "HANGUL": 2}


def test_a_text_is_readable_when_it_has_a_letter_or_a_digit() -> None:
    assert is_readable("— 7 —")
    assert is_readable("ж")
    assert not is_readable("…!? 😀 $")


def test_pieces_are_values() -> None:
    first, again = (list(split_sentences("One. Two.", "en")) for _ in range(2))
    assert first == again
    assert isinstance(first[0], Piece)
