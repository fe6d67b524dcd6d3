"""Sounds in the International Phonetic Alphabet as the mnemonics of espeak-ng.

Each language of espeak-ng has a table of phonemes with names of its own. What each of them sounds like in a
voice is asked of the library; the inverse of that is what a voice can pronounce.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

_STRESS = {"ˈ": "'", "ˌ": ","}
_IGNORED = frozenset(". ‿|‖/[]͜͡")
"""Boundaries of syllables and feet, ties between letters of one sound, and brackets."""
_NEAREST = {
    "ɝ": ("ɜː", "ɚ"),
    "ɚ": ("ɜː", "ə"),
    "ɜ": ("ɜː", "ə"),
    "ɒ": ("ɑː", "ɔ"),
    "ɐ": ("a", "ə", "ʌ"),
    "ɪ": ("i",),
    "ʊ": ("u", "uː"),
    "a": ("ɑː", "æ", "aː"),
    "æ": ("a", "ɛ"),
    "e": ("eː", "ɛ", "eɪ"),
    "o": ("oː", "ɔ", "oʊ"),
    "ɔ": ("o", "oː", "ɔː"),
    "ɛ": ("e",),
    "ə": ("ɜ",),
    "ʌ": ("a",),
    "r": ("ɹ", "ɾ", "ʁ"),
    "ɹ": ("r", "ɾ"),
    "ʁ": ("ʀ", "r", "ɹ"),
    "ɫ": ("l",),
    "l": ("ɫ", "ɭ"),
    "ɨ": ("ᵻ", "i"),
}
"""What stands in for a sound that a voice has not, nearest first."""
_LONGEST = 4


class Unpronounceable(ValueError):
    """The voice has no such sound. The message names it."""


def mnemonics(ipa: str, inventory: Mapping[str, str]) -> str:
    """The sounds of one word by their names. ``inventory``: the names of a voice's phonemes by their IPA.

    Raises `Unpronounceable`.
    """
    text = unicodedata.normalize("NFC", ipa).replace("g", "ɡ").replace(":", "ː").replace("'", "ˈ")
    text = "".join(char for char in text if char not in _IGNORED)
    parts: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in _STRESS:
            parts.append(_STRESS[text[at]])
            at += 1
            continue
        length, name = _next(text, at, inventory)
        parts += (name, "|")
        at += length
    if not any(part == "|" for part in parts):
        raise Unpronounceable("there is no sound")
    return "".join(parts).strip("|")


def _next(text: str, at: int, inventory: Mapping[str, str]) -> tuple[int, str]:
    """The longest sound at a position, and its name."""
    for length in range(min(_LONGEST, len(text) - at), 0, -1):
        symbol = text[at : at + length]
        if name := inventory.get(symbol):
            return length, name
        if symbol.endswith("ː") and (name := _near(symbol, inventory)):
            return length, name
    if name := _near(text[at], inventory):
        return 1, name
    raise Unpronounceable(f"the voice has no sound {text[at]!r}")


def _near(symbol: str, inventory: Mapping[str, str]) -> str:
    """What a voice has in place of a sound, of its own length if it can be; empty when there is nothing."""
    short = symbol.removesuffix("ː")
    nearest = (short, f"{short}ː", *_NEAREST.get(short, ()))
    in_order = sorted(nearest, key=lambda other: other.endswith("ː") != symbol.endswith("ː"))
    return next((inventory[other] for other in in_order if other in inventory), "")
