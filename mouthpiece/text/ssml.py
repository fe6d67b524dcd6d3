"""SSML (W3C Speech Synthesis Markup Language 1.1), as far as it is understood, into text and marks.

Read by expat; a document type, entities and processing instructions are refused, so that nothing expands and
nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.text.phonemes import MAX_IPA, without_marks

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
    "say-as": frozenset(("interpret-as", "format", "detail")),
}
MEANINGS = frozenset(
    (
        "cardinal",
        "number",
        "ordinal",
        "characters",
        "spell-out",
        "digits",
        "telephone",
        "date",
        "time",
        "currency",
    )
)
"""Values of ``interpret-as``."""


@dataclass(frozen=True, slots=True)
class Said:
    """A stretch of the text that the markup says how to read: by an alias, as something, or by its sounds."""

    span: Span
    alias: str = ""
    meaning: str = ""
    ipa: str = ""


@dataclass(slots=True)
class Document:
    """The text of a document, where each character of it begins and ends there, and its marks.

    ``breaks`` are places in the text and lengths in milliseconds, in order.
    """

    text: str = ""
    places: Sequence[int] = field(default_factory=list[int])
    ends: Sequence[int] = field(default_factory=list[int])
    said: list[Said] = field(default_factory=list)
    breaks: list[tuple[int, int]] = field(default_factory=list)

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
        if name == "say-as" and attributes.get("interpret-as") not in MEANINGS:
            self._fail(f"<say-as> needs interpret-as, one of {', '.join(sorted(MEANINGS))}")
        if name == "phoneme":
            self._check_sounds(attributes)
        self._open.append((name, attributes, self._length))

    def _end(self, name: str) -> None:
        _, attributes, first = self._open.pop()
        if name in ("p", "s"):
            self._paragraph()
        span = Span(first, self._length)
        if name in ("sub", "say-as", "phoneme") and span:
            alias = without_marks(attributes.get("alias", "")).strip()
            said = Said(span, alias, attributes.get("interpret-as", ""), attributes.get("ph", "").strip())
            if self._document.said and self._document.said[-1].span.first >= first:
                self._fail("<sub>, <say-as> and <phoneme> cannot stand within each other")
            self._document.said.append(said)

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
