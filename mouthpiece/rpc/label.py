"""Labels that are drawn on frames: what may be said, and where."""

from __future__ import annotations

from mouthpiece.choices import CornerName
from mouthpiece.errors import Violation
from mouthpiece.v1.common_pb2 import (
    CORNER_BOTTOM_LEFT,
    CORNER_BOTTOM_RIGHT,
    CORNER_TOP_LEFT,
    CORNER_TOP_RIGHT,
    Corner,
    Label,
)

MAX_LABEL = 64
"""Characters of the longest label."""

CORNERS: dict[CornerName, Corner.ValueType] = {
    "bottom-right": CORNER_BOTTOM_RIGHT,
    "bottom-left": CORNER_BOTTOM_LEFT,
    "top-right": CORNER_TOP_RIGHT,
    "top-left": CORNER_TOP_LEFT,
}


def check_label(label: Label, field: str) -> list[Violation]:
    """What is wrong with a label that came in some field."""
    found: list[Violation] = []
    if not label.text.strip() or len(label.text) > MAX_LABEL or not label.text.isprintable():
        found.append(Violation(f"{field}.text", f"is not 1 to {MAX_LABEL} printable characters on one line"))
    if not 0 <= label.opacity <= 1:
        found.append(Violation(f"{field}.opacity", f"{label.opacity:g} is not between 0 and 1"))
    if label.corner not in Corner.values():
        found.append(Violation(f"{field}.corner", f"{label.corner} is not a corner"))
    return found
