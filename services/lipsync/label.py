"""Words drawn on every frame, for all to see that a video is synthetic.

White on a dark plate, so that they are read on any picture. Each frame is drawn on by itself, with whole
numbers only: it does not matter where a chunk begins.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
import numpy.typing as npt

from mouthpiece.errors import BadInput
from services.lipsync.engine import Frame

_Levels = npt.NDArray[np.uint16]
_Mask = npt.NDArray[np.float64]

OPACITY = 0.85
"""Of a label that does not say."""
_FONT = "sans"
"""What OpenCV carries: Rubik, and WenQuanYi for Greek, Chinese, Japanese and Korean."""
_WEIGHT = 500
_SIZE, _LEAST_SIZE = 0.04, 12
"""Height of the letters as a part of the frame's shorter side, and in pixels."""
_MARGIN = 0.025
_MOST_WIDTH = 0.95
_PLATE = 0.6
"""How dark the plate is behind letters that are opaque."""
_WHITE, _BLACK, _GREY = 235, 16, 128
_FINE = 4
"""Edges are drawn so many times larger, and then made smaller, to be smooth."""


class Corner(Enum):
    """Where a label stands: from the bottom and from the right, or not."""

    BOTTOM_RIGHT = (True, True)
    BOTTOM_LEFT = (True, False)
    TOP_RIGHT = (False, True)
    TOP_LEFT = (False, False)


@dataclass(frozen=True, slots=True)
class Label:
    """What is drawn, where, and how opaque, above 0 and up to 1."""

    text: str
    corner: Corner = Corner.BOTTOM_RIGHT
    opacity: float = OPACITY


def check_drawable(text: str, field: str) -> None:
    """Raise `BadInput` for a character that cannot be drawn: the font lacks it, it goes on top of another, or
    it is of a script that is written from the right."""
    question = _drawn("?", 24)
    for char in sorted(set(text) - {"?", " "}):
        foreign = unicodedata.bidirectional(char) in {"R", "AL"} or unicodedata.combining(char)
        if foreign or np.array_equal(_drawn(char, 24), question):
            raise BadInput(field, f"{char!r} ({unicodedata.name(char, 'unnamed')}) cannot be drawn")


def labelled(frames: Iterable[Frame], label: Label | None) -> Iterator[Frame]:
    """Frames with a label on each, as copies; without one, the frames as they are."""
    if label is None:
        yield from frames
        return
    stamp: _Stamp | None = None
    for frame in frames:
        stamp = stamp or _Stamp.of(label, frame.shape[1], frame.shape[0] * 2 // 3)
        yield stamp.on(frame)


@dataclass(frozen=True, slots=True)
class _Layer:
    """What becomes of some rows and columns of a plane: ``(level * kept + added) / 256``."""

    place: tuple[slice, slice]
    kept: _Levels
    added: _Levels

    def draw(self, plane: npt.NDArray[np.uint8]) -> None:
        levels = plane[self.place].astype(np.uint16)
        plane[self.place] = (levels * self.kept + self.added + 128) >> 8


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A label for frames of one size."""

    width: int
    height: int
    luma: _Layer
    chroma: _Layer

    @classmethod
    def of(cls, label: Label, width: int, height: int) -> _Stamp:
        letters = _letters(label.text, width, height)
        rows, columns = letters.shape
        margin = _even(_MARGIN * min(width, height))
        from_bottom, from_right = label.corner.value
        top = max(0, height - rows - margin) if from_bottom else margin
        left = max(0, width - columns - margin) if from_right else margin
        plate = _PLATE * label.opacity * _plate(rows, columns)
        shown = label.opacity * letters
        covered = 1 - (1 - plate) * (1 - shown)
        added = shown * _WHITE + (1 - shown) * plate * _BLACK
        place = slice(top, top + rows), slice(left, left + columns)
        half = slice(top // 2, (top + rows) // 2), slice(left // 2, (left + columns) // 2)
        coarse = covered.reshape(rows // 2, 2, columns // 2, 2).mean((1, 3))
        return cls(width, height, _layer(place, covered, added), _layer(half, coarse, coarse * _GREY))

    def on(self, frame: Frame) -> Frame:
        drawn = frame.copy()
        luma, chroma = (
            drawn[: self.height],
            drawn[self.height :].reshape(2, self.height // 2, self.width // 2),
        )
        self.luma.draw(luma)
        for plane in chroma:
            self.chroma.draw(plane)
        return drawn


def _layer(place: tuple[slice, slice], covered: _Mask, added: _Mask) -> _Layer:
    kept = 256 - np.rint(256 * covered)
    return _Layer(place, kept.astype(np.uint16), np.rint(256 * added).astype(np.uint16))


def _letters(text: str, width: int, height: int) -> _Mask:
    """The text with room around it, 0 to 1, made smaller where it would not fit; both sides are even."""
    size = max(_LEAST_SIZE, round(_SIZE * min(width, height)))
    room = _MOST_WIDTH * width - 2 * _even(_MARGIN * min(width, height))
    while size > 1 and _drawn(text, size).shape[1] + size > room:
        size -= 1
    drawn = _drawn(text, size)
    rows, columns = _even(1.5 * size), min(_even(drawn.shape[1] + size), _even(width))
    mask = np.zeros((rows, columns))
    top, left = (rows - drawn.shape[0]) // 2, (columns - drawn.shape[1]) // 2
    shown = drawn[:rows, : columns - left]
    mask[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    return mask


def _drawn(text: str, size: int) -> _Mask:
    """A text without anything around it sideways, in a line as high as letters with all their parts are."""
    font = cv2.FontFace(_FONT)
    canvas = np.zeros((round(1.4 * size), size * (2 + 2 * len(text)), 3), np.uint8)
    _, drawn = cv2.putText(canvas, text, (size, round(1.05 * size)), (255, 255, 255), font, size, _WEIGHT)
    mask = np.asarray(drawn[:, :, 0], np.float64) / 255
    inked = np.flatnonzero(mask.any(0))
    return mask[:, inked[0] : inked[-1] + 1] if len(inked) else mask[:, :1]


def _plate(rows: int, columns: int) -> _Mask:
    """A rectangle with round corners, 0 to 1."""
    high, wide, radius = _FINE * rows, _FINE * columns, _FINE * rows // 3
    fine = np.zeros((high, wide), np.uint8)
    cv2.rectangle(fine, (radius, 0), (wide - 1 - radius, high - 1), 255, -1)
    cv2.rectangle(fine, (0, radius), (wide - 1, high - 1 - radius), 255, -1)
    for x in (radius, wide - 1 - radius):
        for y in (radius, high - 1 - radius):
            cv2.circle(fine, (x, y), radius, 255, -1)
    return np.asarray(cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA), np.float64) / 255


def _even(value: float) -> int:
    return round(value) // 2 * 2
