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
    r"|0\d{1,4}[ /]\d{3,9}(?:[ \-]\d{1,6}){0,3}(?![\d\w]|[.,]\d)"  # 030 1234567
)
_CODES = re.compile(
    r"\d{4}(?: \d{4}){3}(?![\d\w])"  # a payment card
    r"|(?=[\d-]{12,25}(?![\d-]))\d{1,7}(?:-\d{1,7}){3,5}[Xx]?(?![\w-])"  # an ISBN
    r"|\d{10,40}(?<!000)(?![\d\w]|[.,]\d)"
)
_FREE_CALLS = re.compile(r"(?:1-)?8(?:00|33|44|55|66|77|88)(?=-[A-Z])(?:-(?:[A-Z]{2,8}|\d{2,4}))+(?![\w-])")
_POST_CODES = {
    "de": re.compile(r"(?<=[ -])\d{5}(?= [A-ZÄÖÜ])"),
    "en": re.compile(r"(?<=[A-Z]{2} )\d{5}(?:-\d{4})?(?![\w-]|[.,]\d)"),
}
"""After a comma, or the two letters of a state."""


def code(source: Source, at: int) -> Token | None:
    """Digits that name something and count nothing: cards, books, towns, long numbers; "1-800-FLOWERS"."""
    language = source.language
    post = _POST_CODES.get(language.tag)
    found = _CODES.match(source.text, at) or (post.match(source.text, at) if post else None)
    if found and (found.re is not post or language.is_post_code(source.place(at, found.end()))):
        groups = [language.digits(group) for group in _DIGITS.findall(found.group())]
        return source.token(at, found.end(), ", ".join(groups), Kind.PHONE)
    found = _FREE_CALLS.match(source.text, at)
    if not found:
        return None
    groups = [language.phone_group(part) if part.isdecimal() else part for part in found.group().split("-")]
    return source.token(at, found.end(), ", ".join(groups), Kind.PHONE)


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
