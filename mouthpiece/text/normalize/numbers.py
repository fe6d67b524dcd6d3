"""Numbers as they are written: digits in groups, a decimal mark, a sign. Pure values; nobody speaks yet."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 15
"""Digits of the largest number that is said as one; longer ones are read digit by digit."""


@dataclass(frozen=True, slots=True)
class Number:
    """Digits before and after the decimal mark; ``fraction`` is empty for a whole number."""

    whole: str
    fraction: str = ""
    negative: bool = False

    @property
    def is_long(self) -> bool:
        """Whether nobody would say it as one number."""
        return len(self.whole) > LONGEST

    @property
    def value(self) -> int:
        """The whole part; only for one that is not long."""
        return int(self.whole)


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a language writes numbers: the marks between groups of three digits, and before decimals."""

    pattern: re.Pattern[str]
    decimal_marks: str

    def match(self, text: str, at: int) -> tuple[Number, int] | None:
        """The unsigned number that begins at ``at``, and where it ends."""
        found = self.pattern.match(text, at)
        if not found:
            return None
        whole = "".join(char for char in found["whole"] if char.isdecimal())
        return Number(whole, found["fraction"] or ""), found.end()


def style(groups: str, decimal_marks: str) -> NumberStyle:
    """A style with these group marks (the same mark throughout a number) and decimal marks.

    Repeated commas or dots are group marks everywhere: "1,234,567" can be nothing else.
    """
    everywhere = r"(?:,[0-9]{3}){2,20}|(?:\.[0-9]{3}){2,20}|(?:[ ]000){1,5}"
    own = "|".join(rf"(?:{mark}[0-9]{{3}}){{1,20}}" for mark in groups.split())
    grouped = rf"[0-9]{{1,3}}(?:{everywhere}|{own})(?![0-9])"
    fraction = rf"(?:[{re.escape(decimal_marks)}](?P<fraction>[0-9]+))?"
    return NumberStyle(re.compile(rf"(?P<whole>{grouped}|[0-9]+){fraction}"), decimal_marks)


THIN = r"[\u00a0\u2009\u202f]"
ENGLISH = style(rf", {THIN} '", ".")
RUSSIAN = style(r"[\u0020\u00a0\u2009\u202f] '", ",.")
GERMAN = style(rf"\. {THIN} '", ",.")

_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def roman(word: str) -> int:
    """The value of a Roman numeral in its usual spelling; 0 for anything else."""
    if not word or not _ROMAN.fullmatch(word):
        return 0
    values = [_ROMAN_VALUES[letter] for letter in word]
    following = [*values[1:], 0]
    return sum(-one if one < other else one for one, other in zip(values, following, strict=True))
