"""Pictures made better or put before another background, by libavfilter.

What becomes of a frame depends on itself and, for what evens out over time, on as many frames before and
after it as `Adjustment` says: no filter here remembers more. Given those, it does not depend on where a chunk
begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import hypot

import av
import av.filter
import numpy as np
import numpy.typing as npt
from av.error import BlockingIOError as NeedsMore
from av.error import EOFError as AtEnd
from av.filter.context import FilterContext

from mouthpiece.media.encode import picture_of
from mouthpiece.media.quality import SMOOTHED_FRAMES, Adjustment

Frame = npt.NDArray[np.uint8]
"""Planar I420, BT.709, limited range: uint8 of shape (height * 3 // 2, width)."""

Filter = tuple[str, str]
"""A filter of libavfilter and its arguments."""

_SIMILARITY, _BLEND = 0.45, 0.3
"""Distance to the key's colour up to which a pixel is background, and over which it turns into foreground.
The unit is the key's own distance to grey: screens differ in how strong their colour is."""
_FILTER_UNIT = hypot(255, 255)
_TIME_BASE = Fraction(1, 25)
_MIDDLE = 125.5
"""The level half-way between black and white: contrast turns about it."""
_LUMA_RANGE = 219


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What stands behind a person: `picture` instead of everything of the colour `key`, as (U, V) levels."""

    picture: Frame
    key: tuple[int, int]

    def filters(self) -> list[Filter]:
        """The filters that take the key's colour out of a picture."""
        blue, red = self.key
        # Luma of the key does not matter: shadows on a screen are of its colour too.
        reach = hypot(blue - 128, red - 128) / _FILTER_UNIT
        near, soft = max(1e-5, _SIMILARITY * reach), _BLEND * reach
        return [("chromakey", f"color=0x80{blue:02x}{red:02x}:yuv=1:similarity={near:.5f}:blend={soft:.5f}")]


def filters_of(adjustment: Adjustment) -> list[Filter]:
    """The filters that change a picture so; none where it stays as it is."""
    found: list[Filter] = []
    if adjustment.brightness or adjustment.contrast or adjustment.saturation:
        shift = _MIDDLE + _LUMA_RANGE * adjustment.brightness
        luma = f"clip((val-{_MIDDLE})*{1 + adjustment.contrast:.4f}+{shift + 0.5:.4f},16,235)"
        # What is not whole is cut off by the filter: half a level more rounds it.
        chroma = f"clip((val-128)*{1 + adjustment.saturation:.4f}+128.5,16,240)"
        found.append(("lutyuv", f"y='{luma}':u='{chroma}':v='{chroma}'"))
    if adjustment.sharpness:
        found.append(("unsharp", f"lx=5:ly=5:la={adjustment.sharpness:.4f}"))
    return found


def filters_over_time(adjustment: Adjustment) -> list[Filter]:
    """The filters that even out what changes from frame to frame."""
    found: list[Filter] = []
    if adjustment.flicker_frames > 1:
        # Each frame gets the mean brightness of itself and the frames after it.
        found.append(("deflicker", f"size={adjustment.flicker_frames}:mode=am"))
    if adjustment.smoothing:
        # Pixels that differ by more than noise does are not mixed. "p": frames before and after count alike.
        near, far = 0.04 * adjustment.smoothing, 0.08 * adjustment.smoothing
        levels = ":".join(f"{plane}a={near:.4f}:{plane}b={far:.4f}" for plane in range(3))
        found.append(("atadenoise", f"s={SMOOTHED_FRAMES}:a=p:{levels}"))
    return found


def enhanced(
    frames: Iterable[Frame], adjustment: Adjustment, backdrop: Backdrop | None = None
) -> Iterator[Frame]:
    """Frames put before a backdrop, if any, then adjusted; as many as went in, in their order.

    The first `adjustment.before` and the last `adjustment.after` of them lack neighbours.
    """
    graph: _Graph | None = None
    if backdrop is None and not filters_over_time(adjustment) and not filters_of(adjustment):
        yield from frames
        return
    for frame in frames:
        graph = graph or _Graph(frame.shape[1], frame.shape[0] * 2 // 3, adjustment, backdrop)
        graph.push(frame)
        yield from graph.ready()
    if graph is not None:
        graph.end()
        yield from graph.ready()


class _Graph:
    """A chain of filters, with the picture and perhaps a backdrop going in."""

    def __init__(self, width: int, height: int, adjustment: Adjustment, backdrop: Backdrop | None) -> None:
        self._size = (height, width)
        self._backdrop = backdrop
        self._pushed = 0
        self._graph = av.filter.Graph()
        self._graph.threads = 1  # a slot is one core's work
        self._inputs = [self._input()]
        last = self._chain(self._inputs[0], filters_over_time(adjustment))
        last = last if backdrop is None else self._before(last, backdrop)
        last = self._chain(last, [*filters_of(adjustment), ("format", "pix_fmts=yuv420p")])
        last.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def _input(self) -> FilterContext:
        height, width = self._size
        pixels = av.VideoFormat("yuv420p", width, height)
        return self._graph.add_buffer(width=width, height=height, format=pixels, time_base=_TIME_BASE)

    def _before(self, last: FilterContext, backdrop: Backdrop) -> FilterContext:
        """The picture over a backdrop, which is a second input."""
        person = self._chain(last, backdrop.filters())
        self._inputs.append(self._input())
        overlay = self._graph.add("overlay", "format=yuv420")
        self._inputs[1].link_to(overlay, 0, 0)
        person.link_to(overlay, 0, 1)
        return overlay

    def _chain(self, last: FilterContext, filters: Iterable[Filter]) -> FilterContext:
        for name, arguments in filters:
            following = self._graph.add(name, arguments)
            last.link_to(following)
            last = following
        return last

    def push(self, frame: Frame) -> None:
        """Put a frame in; it is copied, for filters may draw on what they get."""
        pictures = [frame] if self._backdrop is None else [frame, self._backdrop.picture]
        for entry, pixels in zip(self._inputs, pictures, strict=True):
            picture = picture_of(pixels.copy(), *self._size)
            picture.pts, picture.time_base = self._pushed, _TIME_BASE
            entry.push(picture)
        self._pushed += 1

    def end(self) -> None:
        """No more frames come."""
        for entry in self._inputs:
            entry.push(None)

    def ready(self) -> Iterator[Frame]:
        """Frames that are done."""
        while True:
            try:
                done = self._graph.vpull()
            except (NeedsMore, AtEnd):
                return
            yield np.ascontiguousarray(done.to_ndarray(), np.uint8)
