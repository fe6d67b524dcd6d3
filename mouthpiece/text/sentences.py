"""Cutting a text into sentences of bounded length, in any script, in time linear in its length.

The rules are those of typography, not of a model: a full stop ends a sentence unless it belongs to an
abbreviation, an initial, a number or an address, or a lower-case letter follows. Where they are in doubt
they do not cut: a sentence too long is heard less than a stop too many.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import filterfalse

from mouthpiece.core.timeline import Span
from mouthpiece.text.abbreviations import UNITS, Abbreviations, abbreviations
from mouthpiece.text.scripts import HAN, KANA, is_sounding, script_of

MAX_WEIGHT = 240
"""Longest piece, counted in letters of an alphabet; about 16 seconds of speech."""

OPENING_WEIGHT = 75
"""About where a speech's first piece ends, if there is a clause to end it with: 5 seconds."""

_BREATH = 1_000
"""Code points after which a sentence is read as two: so much has to be looked at before it can begin."""

_WEIGHTS = {HAN: 4, KANA: 2, "HANGUL": 3}


class Ending(Enum):
    """What stands at the end of a piece."""

    PARAGRAPH = "paragraph"
    SENTENCE = "sentence"
    CLAUSE = "clause"
    """The sentence was too long and goes on after a comma or the like."""
    WORD = "word"
    """The sentence was too long and goes on without any mark."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence or a part of one, without the white space around it; ``source`` in code points."""

    text: str
    source: Span
    ending: Ending


def weight(char: str) -> int:
    """How much speech a character stands for; a letter of an alphabet is 1."""
    return _WEIGHTS.get(script_of(char), 1)


def split_sentences(text: str, language: str = "") -> Iterator[Piece]:
    """Cut a text into pieces, in order, that hold everything in it that can be said.

    ``language`` is a tag such as "de" or "de-AT"; it decides which abbreviations there are.
    """
    for span, ending in sentence_spans(text, language):
        yield from bounded(text, span, ending)


def sentence_spans(text: str, language: str = "", first: int = 0) -> Iterator[tuple[Span, Ending]]:
    """The sentences of a text, however long, with what stands at their ends; from that on at ``first``."""
    known = abbreviations(language.partition("-")[0].lower())
    for paragraph in _paragraphs(text, first):
        ends = [*_sentence_ends(text, paragraph, known), paragraph.end]
        yield from _sounding(text, paragraph.first, _with_breaths(text, paragraph.first, ends))


def _with_breaths(text: str, first: int, ends: Iterable[int]) -> Iterator[int]:
    """The ends, and those spaces at which a sentence that goes on for a minute is divided."""
    for end in ends:
        while end - first > _BREATH and (space := _last_space(text, Span(first, first + _BREATH))):
            yield space
            first = space
        yield end
        first = end


def _last_space(text: str, span: Span) -> int:
    """Where the last white space within a span ends; 0 when there is none behind its beginning."""
    return next((at for at in range(span.end, span.first + 1, -1) if text[at - 1].isspace()), 0)


def _sounding(text: str, first: int, ends: Iterable[int]) -> Iterator[tuple[Span, Ending]]:
    spans: list[Span] = []
    for end in ends:
        span = _strip(text, Span(first, end))
        first = end
        if _sounds(text, span):
            spans.append(span)
    for number, span in enumerate(spans):
        yield span, Ending.PARAGRAPH if number == len(spans) - 1 else Ending.SENTENCE


def _sounds(text: str, span: Span) -> bool:
    return any(is_sounding(text[at]) for at in span)


def _strip(text: str, span: Span) -> Span:
    part = text[span.first : span.end]
    first = span.first + len(part) - len(part.lstrip())
    return Span(min(first, span.end), max(span.first + len(part.rstrip()), min(first, span.end)))


# Paragraphs ------------------------------------------------------------------------------------------------

_WRAPPED_LINE = 50
"""A line at least this long without a stop at its end was broken to fit a page, not to end a thought."""


def _paragraphs(text: str, first: int) -> Iterator[Span]:
    """Stretches of lines that belong together; that from ``first`` on, which may stand within a line."""
    end = text.rfind("\n", 0, first) + 1
    previous = ""
    for line in text[end:].splitlines(keepends=True):
        content = line.strip()
        if end > first and not (content and _goes_on(previous, content)):
            yield Span(first, end)
            first = end
        end += len(line)
        previous = content
        if not content:
            first = max(first, end)
    if end > first:
        yield Span(first, end)


def _goes_on(line: str, following: str) -> bool:
    if following[0].islower():
        return True
    return len(line) >= _WRAPPED_LINE and line[-1] not in _STOPS and following[0].isalnum()


# Sentences -------------------------------------------------------------------------------------------------

_SPACED_STOPS = ".!?…‽"
_FREE_STOPS = "。！？｡．؟۔।॥։።፧๚๛။។៕"
_STOPS = _SPACED_STOPS + _FREE_STOPS
_CLOSERS = "\"'”’»›)]}」』）】》〉＂"
_OPENERS = "\"'“‘„«‹([{「『（【《〈¿¡*_-–—"
_GERMAN_CLOSERS = "“«"  # which open a quotation elsewhere, but never right behind a Western stop
_END = re.compile(
    rf"[{re.escape(_SPACED_STOPS)}]+[{re.escape(_CLOSERS + _GERMAN_CLOSERS)}]*"
    rf"|[{re.escape(_FREE_STOPS)}][{re.escape(_STOPS)}]*[{re.escape(_CLOSERS)}]*"
)
_SPACE = re.compile(r"\s*")
_LONGEST_ABBREVIATION = 16
_TIMES = frozenset(("a.m", "p.m", "т.д", "т.п"))  # dotted, and as a rule the last word of their sentence


def _sentence_ends(text: str, paragraph: Span, known: Abbreviations) -> Iterator[int]:
    """Positions within a paragraph, before its end, at which a sentence is over."""
    first = paragraph.first
    for match in _END.finditer(text, paragraph.first, paragraph.end):
        end = match.end()
        after = _SPACE.match(text, end, paragraph.end)
        following = after.end() if after else end
        if following >= paragraph.end:
            return
        if _is_end(text, Span(first, match.start()), match.group(), Span(end, following), known):
            yield end
            first = end


def _is_end(text: str, before: Span, mark: str, gap: Span, known: Abbreviations) -> bool:
    """Whether ``mark`` ends the sentence ``before`` it; ``gap`` is the white space that follows."""
    following = text[gap.end]
    if mark[0] in _FREE_STOPS:
        return True
    if not gap:
        return mark[0] != "." and script_of(following) in _WEIGHTS
    if following.islower() or following in ",;:":
        return False
    if mark.rstrip(_CLOSERS + _GERMAN_CLOSERS) != ".":
        return True
    return not _stop_belongs_to_word(text, before, gap.end, known)


def _stop_belongs_to_word(text: str, before: Span, following: int, known: Abbreviations) -> bool:
    """Whether the stop after ``before`` is part of an abbreviation, initial or number, not an end."""
    if not before or text[before.end - 1].isspace():
        return False
    words = text[max(before.first, before.end - 2 * _LONGEST_ABBREVIATION) : before.end].split()
    word = words[-1].lstrip(_OPENERS)
    if _is_abbreviation(word.lower(), words[:-1], text[following], known):
        return True
    if word.isdecimal():
        alone = not text[before.first : before.end - len(word)].strip()
        return len(word) <= 2 and (known.ordinals or alone)
    if len(word) == 1:
        pair = text[following].isalpha() and text[following + 1 : following + 2] == "."  # "z. B."
        return pair or _is_initial(word, words[:-1])
    return "." in word and word.lower() not in _TIMES and _is_dotted(word)


def _is_abbreviation(word: str, earlier: list[str], following: str, known: Abbreviations) -> bool:
    if word in UNITS and earlier and earlier[-1][-1].isdecimal():
        return False
    return word in known.before_anything or (word in known.before_numbers and following.isdecimal())


def _is_initial(letter: str, earlier: list[str]) -> bool:
    if letter == "I" and earlier and earlier[-1][-1].islower():
        return False  # "So do I. He left."
    return letter.isupper()


def _is_dotted(word: str) -> bool:
    """Whether it looks like "U.S", "т.е" or "Ph.D"."""
    return all(1 <= len(part) <= 3 and part.isalpha() for part in word.split("."))


# Sentences that are too long -----------------------------------------------------------------------------

_STRONG = frozenset(";:—–؛；：·")
_WEAK = frozenset(",،、，)）»”")


def bounded(
    text: str,
    span: Span,
    ending: Ending,
    is_joined: Callable[[int], bool] = lambda _: False,
    *,
    opens: bool = False,
) -> Iterator[Piece]:
    """The span as pieces of at most ``MAX_WEIGHT``; only the last one has ``ending``.

    Positions that are ``is_joined`` are cut only where there is no other. When the span ``opens`` a speech,
    its first clause is a piece if one ends around ``OPENING_WEIGHT``: there is something to hear early.
    """
    first = span.first
    cut = _opening(text, span, is_joined) if opens else None
    while cut := cut or _cut(text, Span(first, span.end), is_joined):
        end, kind = cut
        part = _strip(text, Span(first, end))
        if _sounds(text, part):
            yield Piece(text[part.first : part.end], part, kind)
        first, cut = end, None
    rest = _strip(text, Span(first, span.end))
    if _sounds(text, rest):
        yield Piece(text[rest.first : rest.end], rest, ending)


_Cut = tuple[int, Ending]


def _opening(text: str, span: Span, is_joined: Callable[[int], bool]) -> _Cut | None:
    """Where the first clause of a span ends, if that is neither late nor next to the beginning."""
    earliest, limit, latest = (_reach(text, span, OPENING_WEIGHT * share // 3) for share in (1, 3, 6))
    if limit == span.end:
        return None
    for ends in (range(limit, earliest, -1), range(limit + 1, latest + 1)):
        if found := _clause_end(text, filterfalse(is_joined, ends)):
            return found
    if _reach(text, span, MAX_WEIGHT) == span.end:
        return None
    return _anywhere(text, range(latest, limit, -1), is_joined)  # it must be cut somewhere


def _cut(text: str, span: Span, is_joined: Callable[[int], bool]) -> _Cut | None:
    """Where to end the first piece of a span that is too long; ``None`` when it is not."""
    limit = _reach(text, span, MAX_WEIGHT)
    if limit == span.end:
        return None
    earliest = _reach(text, span, MAX_WEIGHT * 2 // 5)
    return _anywhere(text, range(limit, earliest, -1), is_joined)


def _anywhere(text: str, every: range, is_joined: Callable[[int], bool]) -> _Cut:
    for ends in (list(filterfalse(is_joined, every)), every):
        if found := _clause_end(text, ends) or _word_end(text, ends):
            return found
    return _before_marks(text, every), Ending.WORD


def _clause_end(text: str, ends: Iterable[int]) -> _Cut | None:
    """The first of ``ends`` that is right behind a mark, the stronger marks before the weaker ones."""
    marked = [end for end in ends if text[end - 1] in _STRONG | _WEAK and not _within_number(text, end)]
    strong = (end for end in marked if text[end - 1] in _STRONG)
    found = next(strong, marked[0] if marked else None)
    return None if found is None else (found, Ending.CLAUSE)


def _word_end(text: str, ends: Iterable[int]) -> _Cut | None:
    return next(((end, Ending.WORD) for end in ends if text[end - 1].isspace()), None)


def _reach(text: str, span: Span, limit: int) -> int:
    """End of the longest start of the span that weighs at most ``limit``."""
    total = 0
    for at in span:
        total += weight(text[at])
        if total > limit:
            return at
    return span.end


def _within_number(text: str, end: int) -> bool:
    return text[end - 2 : end - 1].isdecimal() and text[end : end + 1].isdecimal()


def _before_marks(text: str, ends: range) -> int:
    """The first of ``ends`` that does not separate a letter from its accents; the first of all if all do."""
    for end in ends:
        if unicodedata.combining(text[end]) == 0 and unicodedata.category(text[end])[0] != "M":
            return end
    return ends[0]
