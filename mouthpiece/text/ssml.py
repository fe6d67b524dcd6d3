"""SSML (W3C Speech Synthesis Markup Language 1.1), as far as it is understood, into text and marks.

Read by expat; a document type, entities and processing instructions are refused, so that nothing expands and
nothing is fetched.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf, log2
from typing import NoReturn, TypeVar
from xml.parsers import expat

from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.text.delivery import (
    FASTEST,
    HIGHEST,
    LOUDEST,
    LOWEST,
    SLOWEST,
    SOFTEST,
    Change,
    Delivery,
    Emphasis,
)
from mouthpiece.text.normalize.said_as import READERS, format_of
from mouthpiece.text.phonemes import MAX_IPA, without_marks

_Value = TypeVar("_Value")

LONGEST_BREAK_MS = 10_000

_STRENGTHS = {"none": 0, "x-weak": 100, "weak": 200, "medium": 400, "strong": 800, "x-strong": 1200}
_TIME = re.compile(r"\+?(\d{1,6}(?:\.\d{1,3})?)(ms|s)")
_ATTRIBUTES = {
    "speak": frozenset(("version", "xmlns", "xml:lang", "xmlns:xsi", "xsi:schemaLocation")),
    "p": frozenset(("xml:lang",)),
    "s": frozenset(("xml:lang",)),
    "break": frozenset(("time", "strength")),
    "sub": frozenset(("alias",)),
    "phoneme": frozenset(("alphabet", "ph")),
    "say-as": frozenset(("interpret-as", "format")),
    "emphasis": frozenset(("level",)),
    "prosody": frozenset(("rate", "pitch", "volume")),
}
_EMPHASES = {
    "none": Emphasis.NONE,
    "reduced": Emphasis.REDUCED,
    "moderate": Emphasis.MODERATE,
    "strong": Emphasis.STRONG,
}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
_PITCHES = {"x-low": -4.0, "low": -2.0, "medium": 0.0, "default": 0.0, "high": 2.5, "x-high": 5.0}
_VOLUMES = {
    "silent": SOFTEST,
    "x-soft": -12.0,
    "soft": -6.0,
    "medium": 0.0,
    "default": 0.0,
    "loud": 4.0,
    "x-loud": 8.0,
}
_PERCENT = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{1,3})?)%")
_FACTOR = re.compile(r"\d{1,2}(?:\.\d{1,3})?")
_SEMITONES = re.compile(r"([+-]\d{1,2}(?:\.\d{1,3})?)st")
_DECIBELS = re.compile(r"([+-]\d{1,2}(?:\.\d{1,3})?)dB")


@dataclass(frozen=True, slots=True)
class Said:
    """A stretch of the text that the markup says how to read: by an alias, as something, or by its sounds."""

    span: Span
    alias: str = ""
    meaning: str = ""
    ipa: str = ""
    format: str = ""


@dataclass(slots=True)
class Document:
    """The text of a document, where each character of it begins and ends there, and its marks.

    ``breaks`` are places in the text and lengths in milliseconds, ``changes`` those from which on it is said
    otherwise, both in order.
    """

    text: str = ""
    places: Sequence[int] = field(default_factory=list[int])
    ends: Sequence[int] = field(default_factory=list[int])
    said: list[Said] = field(default_factory=list)
    breaks: list[tuple[int, int]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def delivery_at(self, place: int) -> Delivery:
        """How the text is said at a place."""
        index = bisect_right(self.changes, place, key=lambda change: change[0]) - 1
        return self.changes[index][1] if index >= 0 else Delivery()

    def place_of(self, span: Span) -> Span:
        """Where a non-empty stretch of the text stands in the document."""
        return Span(self.places[span.first], self.ends[span.end - 1])


def read_ssml(source: str) -> Document:
    """Read a document.

    Raises:
        BadInput: (field ``text``) not well-formed, or with an element or attribute that is not understood;
            tells the line and column.
    """
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._document = Document()
        self._parts: list[str] = []
        self._places: list[int] = []
        self._ends: list[int] = []
        self._length = 0
        self._open: list[tuple[str, Mapping[str, str], int]] = []
        self._deliveries = [Delivery()]
        self._parser = expat.ParserCreate(encoding="utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse
        self._parser.ProcessingInstructionHandler = self._refuse
        self._bytes = 0
        self._chars = 0

    def read(self) -> Document:
        try:
            self._parser.Parse(self._source.encode("utf-8", "surrogatepass"), True)
        except expat.ExpatError as error:
            self._fail(f"not well-formed: {expat.ErrorString(error.code)}", error.lineno, error.offset)
        self._document.text = without_marks("".join(self._parts))
        self._document.places, self._document.ends = self._places, self._ends
        return self._document

    def _fail(self, what: str, line: int = 0, column: int = 0) -> NoReturn:
        line = line or self._parser.CurrentLineNumber
        column = column or self._parser.CurrentColumnNumber
        raise BadInput("text", f"{what} (line {line}, column {column + 1})")

    def _refuse(self, *_: object) -> None:
        self._fail("declarations and processing instructions are not allowed")

    # ---------------------------------------------------------------- places

    def _place(self) -> int:
        """The code point of the source at which the parser is. Positions only grow."""
        at = self._parser.CurrentByteIndex
        while self._bytes < at:
            self._bytes += len(self._source[self._chars].encode("utf-8", "surrogatepass"))
            self._chars += 1
        return self._chars

    def _add(self, text: str, place: int, *, copied: bool) -> None:
        self._parts.append(text)
        self._length += len(text)
        self._ends += range(place + 1, place + 1 + len(text)) if copied else [place] * len(text)
        self._places += range(place, place + len(text)) if copied else [place] * len(text)

    # ---------------------------------------------------------------- what expat finds

    def _characters(self, text: str) -> None:
        if not self._open:
            return
        place = self._place()
        is_reference = self._source[place] == "&"
        self._add(text, place, copied=not is_reference)
        if is_reference:  # "&amp;" is one character, five in the document
            self._ends[-1] = self._source.index(";", place) + 1

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        known = _ATTRIBUTES.get(name)
        if known is None:
            self._fail(f"<{name}> is not understood")
        if unknown := sorted(attributes.keys() - known):
            self._fail(f"<{name}> has no attribute {unknown[0]!r}")
        if (name == "speak") == bool(self._open):
            self._fail("<speak> must be the outermost element, and the only one of its kind")
        if name in ("p", "s"):
            self._paragraph()
        if name == "break":
            self._document.breaks.append((self._length, self._break(attributes)))
        if name == "sub" and not attributes.get("alias", "").strip():
            self._fail("<sub> needs an alias")
        if name == "say-as":
            self._check_meaning(attributes)
        if name == "phoneme":
            self._check_sounds(attributes)
        if name in ("emphasis", "prosody"):
            self._deliveries.append(self._delivery(name, attributes))
            self._change()
        self._open.append((name, attributes, self._length))

    def _end(self, name: str) -> None:
        _, attributes, first = self._open.pop()
        if name in ("p", "s"):
            self._paragraph()
        if name in ("emphasis", "prosody"):
            self._deliveries.pop()
            self._change()
        span = Span(first, self._length)
        if name in ("sub", "say-as", "phoneme") and span:
            alias = without_marks(attributes.get("alias", "")).strip()
            said = Said(
                span,
                alias,
                attributes.get("interpret-as", ""),
                attributes.get("ph", "").strip(),
                attributes.get("format", ""),
            )
            if self._document.said and self._document.said[-1].span.first >= first:
                self._fail("<sub>, <say-as> and <phoneme> cannot stand within each other")
            self._document.said.append(said)

    def _check_meaning(self, attributes: Mapping[str, str]) -> None:
        meaning, written = attributes.get("interpret-as", ""), attributes.get("format", "")
        if meaning not in READERS:
            self._fail(f"<say-as> needs interpret-as, one of {', '.join(sorted(READERS))}")
        if format_of(meaning, written) is None:
            self._fail(f"{written!r} is not a format of {meaning}")

    # ---------------------------------------------------------------- delivery

    def _change(self) -> None:
        """From here on the text is said otherwise."""
        changes = self._document.changes
        if changes and changes[-1][0] == self._length:
            changes.pop()
        changes.append((self._length, self._deliveries[-1]))

    def _delivery(self, name: str, attributes: Mapping[str, str]) -> Delivery:
        """How the text within an element is said, inside of others."""
        around = self._deliveries[-1]
        if name == "emphasis":
            level = attributes.get("level", "moderate")
            return replace(around, emphasis=self._named("level", level, _EMPHASES))
        delivery = Delivery(
            around.rate * self._rate(attributes.get("rate", "medium").strip()),
            around.pitch + self._pitch(attributes.get("pitch", "medium").strip()),
            max(SOFTEST, around.volume + self._volume(attributes.get("volume", "medium").strip())),
            around.emphasis,
        )
        self._check_range("rate", delivery.rate * 100, SLOWEST * 100, FASTEST * 100, "%")
        self._check_range("pitch", delivery.pitch, LOWEST, HIGHEST, "st")
        self._check_range("volume", delivery.volume, SOFTEST, LOUDEST, "dB")
        return delivery

    def _named(self, what: str, value: str, names: Mapping[str, _Value]) -> _Value:
        if value not in names:
            self._fail(f"{value!r} is not a {what}: {', '.join(names)}")
        return names[value]

    def _check_range(self, what: str, value: float, least: float, most: float, unit: str) -> None:
        if not least - 0.05 <= value <= most + 0.05:
            self._fail(
                f"{what} comes to {value:g}{unit}, which is not within {least:g}{unit} to {most:g}{unit}"
            )

    def _rate(self, value: str) -> float:
        """ "80%" of the usual rate, "+10%" more than that, or a factor."""
        if found := _PERCENT.fullmatch(value):
            part = float(found[2]) / 100
            return {"": part, "+": 1 + part, "-": 1 - part}[found[1]]
        return float(value) if _FACTOR.fullmatch(value) else self._named("rate", value, _RATES)

    def _pitch(self, value: str) -> float:
        """Semitones, a change in percent, or a name."""
        if found := _SEMITONES.fullmatch(value):
            return float(found[1])
        found = _PERCENT.fullmatch(value)
        if found and found[1]:
            factor = 1 + float(f"{found[1]}{found[2]}") / 100
            return 12 * log2(factor) if factor > 0 else -inf
        return self._named("pitch in semitones (+2st) or percent (+10%), or one", value, _PITCHES)

    def _volume(self, value: str) -> float:
        """Decibels, or a name."""
        found = _DECIBELS.fullmatch(value)
        return float(found[1]) if found else self._named("volume in decibels (+6dB), or one", value, _VOLUMES)

    def _check_sounds(self, attributes: Mapping[str, str]) -> None:
        if attributes.get("alphabet", "ipa") != "ipa":
            self._fail("the alphabet of <phoneme> is ipa")
        if not 1 <= len(attributes.get("ph", "").strip()) <= MAX_IPA:
            self._fail(f"<phoneme> needs ph, sounds of at most {MAX_IPA} characters")

    def _paragraph(self) -> None:
        if self._length:
            self._add("\n\n", self._place(), copied=False)

    def _break(self, attributes: Mapping[str, str]) -> int:
        if "time" not in attributes:
            strength = attributes.get("strength", "medium")
            if strength not in _STRENGTHS:
                self._fail(f"{strength!r} is not a strength: {', '.join(_STRENGTHS)}")
            return _STRENGTHS[strength]
        found = _TIME.fullmatch(attributes["time"].strip())
        length = float(found[1]) * (1000 if found[2] == "s" else 1) if found else -1
        if not 0 <= length <= LONGEST_BREAK_MS:
            self._fail(f"{attributes['time']!r} is not a time from 0ms to {LONGEST_BREAK_MS // 1000}s")
        return round(length)
