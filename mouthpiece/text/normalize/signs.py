"""Emoji, and signs that stand alone."""

from __future__ import annotations

from functools import cache

import emoji

from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.token import Kind, Token

_FIRSTS = frozenset(key[0] for key in emoji.EMOJI_DATA) - frozenset("#*0123456789©®™↔←→↑↓")
_LONGEST = max(map(len, emoji.EMOJI_DATA))
_SKIN_TONES = "".join(map(chr, range(0x1F3FB, 0x1F400)))


def pictured(source: Source, at: int) -> Token | None:
    """An emoji, by its name in the data of Unicode; repeated ones are said once, whatever their skin tone."""
    length = _length(source, at)
    if not length or source.language.tag not in emoji.LANGUAGES:
        return None
    sign, end = source.text[at : at + length], at + length
    while source.text.startswith(sign, end):
        end += length
    name = _name(sign, source.language.tag)
    return source.token(at, end, name, Kind.EMOJI) if name else None


def _length(source: Source, at: int) -> int:
    """Code points of the emoji at a position; 0 when there is none."""
    if source.char(at) not in _FIRSTS:
        return 0
    window = source.text[at : at + _LONGEST]
    return next((length for length in range(len(window), 0, -1) if emoji.is_emoji(window[:length])), 0)


@cache
def _name(sign: str, tag: str) -> str:
    bare = "".join(char for char in sign if char not in _SKIN_TONES) or sign
    named = emoji.demojize(bare, language=tag, delimiters=("", ""))
    return " ".join(named.replace("_", " ").replace("-", " ").replace(":", " ").split())


def symbol(source: Source, at: int) -> Token | None:
    """A sign that is said as a word when it stands between words or numbers."""
    char = source.char(at)
    spoken = source.language.symbols.get(char)
    if not spoken or not _is_meant(source, at):
        return None
    return source.token(at, at + 1, spoken, Kind.SYMBOL)


def _is_meant(source: Source, at: int) -> bool:
    if source.char(at) in "©®™°%":
        return True
    before, after = source.text[max(0, at - 2) : at].strip(), source.text[at + 1 : at + 3].strip()
    if not after or not (before or source.char(at) in "≈→±"):
        return False
    return not {before[-1:], after[:1]} & set("&=+@")
