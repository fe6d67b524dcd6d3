"""Phone numbers and other strings of digit groups."""

from __future__ import annotations

import re

from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.token import Kind, Token

_PHONES = re.compile(
    r"\+\d{1,3}[ \u00a0.\-]?\(?\d{1,4}\)?(?:[ \u00a0.\-]?\d{2,4}){2,4}(?![\d\w])"  # +1-800-555-0199
    r"|(?:[18][ \u00a0\-]?)?\(\d{3,4}\)[ \u00a0\-]?\d{2,3}[ \u00a0\-]\d{2,4}(?:[ \u00a0\-]\d{2,4})?(?![\d\w])"
    r"|(?:[18]-)?\d{3}-\d{3}-\d{4}(?![\d\w-])"
    r"|[78][ \-]\d{3}[ \-]\d{3}[ \-]\d{2}[ \-]\d{2}(?![\d\w-])"
    r"|(?:[18]-)?[2-9]\d{2}-[01]\d{3}(?![\d\w-])"  # 555-0199: nobody counts from 555 to 199
    r"|\d{3}-\d{2}-\d{2}(?![\d\w-])"
)
_DIGITS = re.compile(r"\d+")


def phone(source: Source, at: int) -> Token | None:
    """A phone number: its groups, with rests between them."""
    found = _PHONES.match(source.text, at)
    if not found:
        return None
    language = source.language
    groups = [language.phone_group(group) for group in _DIGITS.findall(found.group())]
    plus = f"{language.words.plus} " if found.group().startswith("+") else ""
    return source.token(at, found.end(), plus + ", ".join(groups), Kind.PHONE)
