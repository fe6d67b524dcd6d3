"""How the tables of this package are written."""

from __future__ import annotations


def words_of(text: str) -> list[str]:
    """The words of a table that is written as a text."""
    return text.split()
