"""A text cut into passages to be spoken: normalised, of bounded length, each with its place in the source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mouthpiece.core.timeline import Span
from mouthpiece.text.normalize import Normalized, normalize
from mouthpiece.text.sentences import Ending, bounded, sentence_spans

_MISLEADING = re.compile(r"[.!?…;:\n\r]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence or a part of one: what is said, and what it is said for."""

    text: str
    """What is said."""
    written: str
    """The part of the source that it stands for."""
    source: Span
    """Where that is, in code points."""
    ending: Ending
    normalized: Normalized
    first: int
    """Where ``text`` begins in the spoken text."""

    def source_of(self, spoken: Span) -> Span:
        """The stretch of the source that a non-empty stretch of ``text`` stands for."""
        return self.normalized.source_of(spoken.shift(self.first))


def as_it_is(text: str) -> Passage:
    """A text in words already, as one passage."""
    whole = Span(0, len(text))
    return Passage(text, text, whole, Ending.SENTENCE, Normalized(text, ()), 0)


def split_passages(text: str, language: str) -> Iterator[Passage]:
    """The passages of a text, in order; they hold everything in it that can be said."""
    normalized = normalize(text, language)
    masked = _masked(normalized)
    for span, ending in sentence_spans(masked, language):
        yield from _passages(normalized, span, ending)


def _masked(normalized: Normalized) -> str:
    """The source with digits in place of tokens whose marks would be taken for ends of sentences."""
    parts: list[str] = []
    at = 0
    for token in normalized.tokens:
        if _MISLEADING.search(normalized.written, token.source.first, token.source.end):
            parts += (normalized.written[at : token.source.first], "0" * len(token.source))
            at = token.source.end
    parts.append(normalized.written[at:])
    return "".join(parts)


def _passages(normalized: Normalized, sentence: Span, ending: Ending) -> Iterable[Passage]:
    spoken = Span(normalized.spoken_at(sentence.first), normalized.spoken_at(sentence.end))
    for piece in bounded(normalized.text, spoken, ending):
        source = normalized.source_of(piece.source)
        written = normalized.written[source.first : source.end]
        yield Passage(piece.text, written, source, piece.ending, normalized, piece.source.first)
