"""Which writing systems a text uses, from the names that the Unicode standard gives its letters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

HAN = "HAN"
KANA = "KANA"
LATIN = "LATIN"
CYRILLIC = "CYRILLIC"

_NAMES = {"CJK": HAN, "HIRAGANA": KANA, "KATAKANA": KANA, "KATAKANA-HIRAGANA": KANA}
_WIDTHS = ("FULLWIDTH ", "HALFWIDTH ")
_SOUNDING = frozenset("&%@§")


@lru_cache(maxsize=1 << 16)
def script_of(char: str) -> str:
    """Script of a letter, such as ``LATIN``, ``HAN`` or ``KANA``; empty for other characters."""
    if not unicodedata.category(char).startswith("L"):
        return ""
    name = unicodedata.name(char, "")
    for width in _WIDTHS:
        name = name.removeprefix(width)
    first = name.partition(" ")[0]
    return _NAMES.get(first, first)


def letters_by_script(text: str) -> Counter[str]:
    """How many letters of each script a text has."""
    counts: Counter[str] = Counter()
    for char, count in Counter(text).items():
        if script := script_of(char):
            counts[script] += count
    return counts


@lru_cache(maxsize=1 << 16)
def is_alphanumeric(char: str) -> bool:
    """Whether the character is a letter or a digit in any script."""
    return unicodedata.category(char)[0] in "LN"


@lru_cache(maxsize=1 << 16)
def is_sounding(char: str) -> bool:
    """Whether a reader says something at this character: letters, digits, emoji, currency and maths signs."""
    category = unicodedata.category(char)
    return category[0] in "LN" or category in ("Sc", "Sm", "So") or char in _SOUNDING


def is_readable(text: str) -> bool:
    """Whether there is a letter or a digit in the text."""
    return any(is_alphanumeric(char) for char in text)
