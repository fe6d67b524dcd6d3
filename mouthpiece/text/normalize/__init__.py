"""Text normalisation: numbers, dates, money, formulas and the like as a person would say them.

Each class of such tokens has a module with its recognisers; each language has one with its tables and its
grammar. `scanner` goes over the text once; `normalize` is the way in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mouthpiece.text.normalize.english import English
from mouthpiece.text.normalize.german import German
from mouthpiece.text.normalize.language import Language
from mouthpiece.text.normalize.normalized import Normalized, Spoken
from mouthpiece.text.normalize.russian import Russian
from mouthpiece.text.normalize.scanner import scan
from mouthpiece.text.normalize.token import Kind, Token, merged

_LANGUAGES: dict[str, Language] = {language.tag: language for language in (English(), German(), Russian())}


def normalize(text: str, language: str, decided: Iterable[Token] = ()) -> Normalized:
    """A text as a person would say it.

    ``language`` is a BCP 47 tag. In languages that are not known here, everything stays as it is, but for the
    tokens that are ``decided`` already, in order and without overlap.
    """
    return Normalized(text, tokens_of(text, language, decided))


def tokens_of(text: str, language: str, decided: Iterable[Token] = ()) -> Iterator[Token]:
    """What `normalize` says otherwise than it is written, each found when it is asked for."""
    known = language_of(language)
    return merged(scan(text, known) if known else iter(()), decided)


def language_of(tag: str) -> Language | None:
    """The grammar of a language; ``None`` when it is not known here."""
    return _LANGUAGES.get(tag.partition("-")[0].lower())


__all__ = ["Kind", "Language", "Normalized", "Spoken", "Token", "language_of", "normalize", "tokens_of"]
