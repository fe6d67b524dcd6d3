"""Where the command line writes: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from rich.console import Console
from rich.theme import Theme

THEME = Theme(
    {
        "key": "dim",
        "good": "green",
        "busy": "cyan",
        "bad": "red",
        "warn": "yellow",
        "off": "dim",
        "bar.complete": "cyan",
        "bar.finished": "green",
        "bar.back": "grey23",
    }
)
"""Styles by what they mean, which the pictures of this package are written with."""


@cache
def out() -> Console:
    """Standard output."""
    return Console(theme=THEME, highlight=False, emoji=False)


@cache
def err() -> Console:
    """Standard error."""
    return Console(theme=THEME, highlight=False, emoji=False, stderr=True)


def print_json(value: Any) -> None:
    """Write a value for programs to read."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # Halves of characters, which strangers' JSON may hold, cannot be written but as escapes.
    out().print(text.encode(errors="backslashreplace").decode(), markup=False, soft_wrap=True)
