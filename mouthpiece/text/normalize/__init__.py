"""Text normalisation: numbers, dates, money, formulas and the like as a person would say them.

Each class of such tokens has a module with its recognisers; each language has one with its tables and its
grammar. `scanner` goes over the text once; `normalize` is the way in.
"""

from __future__ import annotations

from mouthpiece.text.normalize.english import English
from mouthpiece.text.normalize.language import Language
from mouthpiece.text.normalize.normalized import Normalized, Spoken
from mouthpiece.text.normalize.russian import Russian
from mouthpiece.text.normalize.scanner import scan
from mouthpiece.text.normalize.token import Kind, Token

_LANGUAGES: dict[str, Language] = {language.tag: language for language in (English(), Russian())}


def normalize(text: str, language: str) -> Normalized:
    """A text as a person would say it.

    ``language`` is a BCP 47 tag. In languages that are not known here, everything stays as it is.
    """
    known = _LANGUAGES.get(language.partition("-")[0].lower())
    return Normalized(text, scan(text, known) if known else ())


__all__ = ["Kind", "Normalized", "Spoken", "Token", "normalize"]
