"""A text cut into passages to be spoken: normalised, of bounded length, each with its place in the source."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mouthpiece.core.timeline import Span
from mouthpiece.text.normalize import Normalized, normalize
from mouthpiece.text.script import Script
from mouthpiece.text.scripts import is_sounding
from mouthpiece.text.sentences import Ending, bounded, sentence_spans
from mouthpiece.text.ssml import Document

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
    document: Document
    pause_ms: int | None = None
    """Length of the silence after it, where markup says so."""

    def source_of(self, spoken: Span) -> Span:
        """The stretch of the source that a non-empty stretch of ``text`` stands for."""
        return self.document.place_of(self.normalized.source_of(spoken.shift(self.first)))


def as_it_is(text: str) -> Passage:
    """A text in words already, as one passage."""
    whole = Span(0, len(text))
    return Passage(text, text, whole, Ending.SENTENCE, Normalized(text, ()), 0, Script(text).document())


def split_passages(script: Script, document: Document, language: str) -> Iterator[Passage]:
    """The passages of a script, in order; they hold everything in it that can be said.

    ``document`` is what the script says without its markup.
    """
    normalized = normalize(document.text, language, script.decided(document, language))
    masked = _masked(normalized)
    breaks = deque(document.breaks)
    for span, ending in sentence_spans(masked, language):
        for part, part_ending, pause in _between_breaks(masked, span, ending, breaks):
            passages = list(_passages(normalized, part, part_ending, document, script.text))
            yield from passages[:-1]
            if passages:
                yield replace(passages[-1], pause_ms=pause)


def _between_breaks(
    text: str, sentence: Span, ending: Ending, breaks: deque[tuple[int, int]]
) -> Iterator[tuple[Span, Ending, int | None]]:
    """A sentence, cut at the breaks in it, with the length of the break after each part."""
    first = sentence.first
    while breaks and breaks[0][0] <= sentence.end:
        at, pause = breaks.popleft()
        if _sounds(text[first:at]):
            yield Span(first, at), Ending.CLAUSE, pause
            first = at
    if _sounds(text[first : sentence.end]):
        after = _after(text, sentence.end, breaks)
        yield Span(first, sentence.end), ending, after


def _after(text: str, end: int, breaks: deque[tuple[int, int]]) -> int | None:
    """The break between a sentence and the next one."""
    if breaks and not text[end : breaks[0][0]].strip():
        return breaks.popleft()[1]
    return None


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


def _passages(
    normalized: Normalized, sentence: Span, ending: Ending, document: Document, text: str
) -> Iterator[Passage]:
    spoken = Span(normalized.spoken_at(sentence.first), normalized.spoken_at(sentence.end))
    for piece in bounded(normalized.text, spoken, ending):
        source = document.place_of(normalized.source_of(piece.source))
        written = text[source.first : source.end]
        yield Passage(piece.text, written, source, piece.ending, normalized, piece.source.first, document)


def _sounds(text: str) -> bool:
    return any(map(is_sounding, text))
