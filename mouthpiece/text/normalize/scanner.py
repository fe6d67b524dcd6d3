"""One pass over a text: at each place where something may begin, the recognisers are asked in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mouthpiece.text.normalize import (
    addresses,
    chemistry,
    dates,
    ordinals,
    phones,
    quantities,
    signs,
    times,
    words,
)
from mouthpiece.text.normalize.language import Language
from mouthpiece.text.normalize.maths import finding
from mouthpiece.text.normalize.source import Recogniser, Source
from mouthpiece.text.normalize.token import Token

_AT_DIGIT: Sequence[Recogniser] = (
    dates.date,
    phones.phone,
    phones.code,
    times.time,
    words.version,
    ordinals.ordinal,
    ordinals.compound,
    ordinals.percentage,
    dates.decade,
    dates.year_of_era,
    ordinals.fraction,
    quantities.dimensions,
    quantities.feet,
    quantities.multiple,
    finding.expression,
    addresses.address,
    quantities.quantity,
    words.alphanumeric,
    quantities.bare,
)
_AT_LETTER: Sequence[Recogniser] = (
    addresses.address,
    dates.month_first,
    dates.weekday,
    words.street,
    words.abbreviation,
    words.codec,
    words.version,
    chemistry.formula,
    finding.expression,
    ordinals.roman_numeral,
    quantities.quantity,
    words.alphanumeric,
    words.initialism,
)
_AT_SIGN: Sequence[Recogniser] = (
    finding.delimited,
    phones.phone,
    quantities.compared,
    quantities.quantity,
    ordinals.numbered,
    addresses.tag,
    dates.decade,
    ordinals.fraction,
    finding.expression,
    signs.pictured,
    signs.symbol,
)
_STARTS = re.compile(r"[^\s\w.,;:!?\"”»)\]}…]|[^\W_]")
_PLAIN_WORD = re.compile(r"[^\W\d_]{2,}(?:['’][^\W\d_]+)?(?=[ ,;!?\n\"”»)…]|:(?!/)|\.(?:\s|$)|$)")
_RUN = re.compile(r"\w+")
_EQUAL_SIGNS = re.compile(r"(.)\1*")


def scan(text: str, language: Language) -> Iterator[Token]:
    """What is not said as it is written, in order, without overlap."""
    source = Source(text, language)
    abbreviated = frozenset(written.rstrip(".") for written in language.abbreviations)
    at = 0
    while found := _STARTS.search(text, at):
        at = found.start()
        plain = _PLAIN_WORD.match(text, at)
        if (
            plain
            and plain.group().isalpha()
            and plain.group().islower()
            and plain.group() not in abbreviated
            and plain.group() not in language.months
        ):
            at = plain.end()
            continue
        token = _recognised(source, at)
        if token:
            yield token
            at = token.source.end
        else:
            at = _after(text, at)


def _after(text: str, at: int) -> int:
    """Where to look on when nothing begins at a position: after the word, or at the last of equal signs."""
    if run := _RUN.match(text, at):
        return run.end()
    signs = _EQUAL_SIGNS.match(text, at)
    return max(at + 1, signs.end() - 1) if signs else at + 1


def _recognised(source: Source, at: int) -> Token | None:
    char = source.text[at]
    recognisers = _AT_DIGIT if char in "0123456789" else _AT_LETTER if char.isalpha() else _AT_SIGN
    for recognise in recognisers:
        if token := recognise(source, at):
            return token
    return None
