"""What is to be said: a text, perhaps marked up, with a dictionary of pronunciations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mouthpiece.core.timeline import Span
from mouthpiece.errors import BadInput
from mouthpiece.text.normalize import Kind, Token, language_of
from mouthpiece.text.normalize.said_as import said_as
from mouthpiece.text.normalize.token import Place, merged
from mouthpiece.text.phonemes import pronounced, without_marks
from mouthpiece.text.ssml import Document, Said, read_ssml

MAX_PRONUNCIATIONS = 1000
MAX_WORD = 100
MAX_ALIAS = 500


@dataclass(frozen=True, slots=True)
class Script:
    """A text and how to read it. ``pronunciations``: aliases by word, or words with their sound."""

    text: str
    is_ssml: bool = False
    pronunciations: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `BadInput` (field ``pronunciations``) for too many, or words and aliases that are none."""
        if len(self.pronunciations) > MAX_PRONUNCIATIONS:
            raise BadInput("pronunciations", f"more than {MAX_PRONUNCIATIONS}")
        for word, alias in self.pronunciations.items():
            if not (word.strip() == word and 1 <= len(word) <= MAX_WORD):
                raise BadInput("pronunciations", f"{word[:MAX_WORD]!r} is not a word")
            if not alias.strip() or len(alias) > MAX_ALIAS:
                raise BadInput("pronunciations", f"{word!r} needs an alias of at most {MAX_ALIAS} characters")

    def document(self) -> Document:
        """The text without its markup. Raises `BadInput` (field ``text``)."""
        if self.is_ssml:
            return read_ssml(self.text)
        return Document(without_marks(self.text), range(len(self.text)), range(1, len(self.text) + 1))

    def decided(self, document: Document, language: str) -> Iterator[Token]:
        """What markup and dictionary say how to read, in order, without overlap; markup has the last word."""
        marked = (token for said in document.said if (token := _marked(said, document, language)))
        return merged(self._looked_up(document.text), marked)

    def unheeded(self, document: Document, language: str) -> Iterator[str]:
        """What the markup asks for and cannot be done, in words for a person."""
        for said in document.said:
            if said.meaning and not _marked(said, document, language):
                text = document.text[said.span.first : said.span.end].strip()[:MAX_WORD]
                yield f"<say-as>: {text!r} is not understood as {said.meaning} and is read as usual"

    def _looked_up(self, text: str) -> Iterator[Token]:
        if not self.pronunciations:
            return
        longest_first = sorted(self.pronunciations, key=len, reverse=True)
        pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"
        folded = {word.lower(): alias for word, alias in self.pronunciations.items() if word == word.lower()}
        for found in re.finditer(pattern, text, re.IGNORECASE):
            word = found.group()
            alias = self.pronunciations.get(word) or folded.get(word.lower())
            if alias:
                yield Token(Span(*found.span()), alias, Kind.ALIAS)


def _marked(said: Said, document: Document, tag: str) -> Token | None:
    if said.alias:
        return Token(said.span, said.alias, Kind.ALIAS)
    if said.ipa:
        word = document.text[said.span.first : said.span.end]
        return Token(said.span, pronounced(word, said.ipa), Kind.ALIAS)
    language = language_of(tag)
    text = document.text[said.span.first : said.span.end]
    place = Place(document.text, said.span.first, said.span.end)
    spoken = said_as(said.meaning, said.format, text, language, place) if language else ""
    return Token(said.span, spoken, Kind.ALIAS) if spoken else None
