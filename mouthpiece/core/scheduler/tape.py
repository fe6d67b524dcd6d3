"""The frames of one job as a tape that grows at its end while heads render stretches of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mouthpiece.core.speech import CutGrade, CutMark
from mouthpiece.core.timeline import Span

GRADE_COST = 0.2
"""What one grade worse is worth, as a part of the wanted length."""
_NEAR = 0.5
"""How far from the wanted length a mark may be to count as near, as a part of it."""
_REST = 0.3
"""A rest shorter than this part of the wanted length is not left over."""


@dataclass(slots=True)
class Tape:
    """A partition of ``[0, ready)`` into delivered ``[0, front)``, done, kept, taken and free frames."""

    ready: int = 0
    final: bool = False
    front: int = 0
    free: list[Span] = field(default_factory=list[Span])
    """Ascending; two of them touch at the wall only."""
    taken: dict[int, Span] = field(default_factory=dict[int, Span])
    """In flight, by first frame."""
    done: dict[int, Span] = field(default_factory=dict[int, Span])
    """Done and not yet delivered, by first frame."""
    kept: list[Span] = field(default_factory=list[Span])
    """Known to be done before the speech reached their end; ascending."""
    delivered: list[Span] = field(default_factory=list[Span])
    """The chunks of ``[0, front)``, ascending."""
    wall: int = 0
    """No chunk that is cut from now on crosses this frame."""
    finished: int = 0
    """How many frames are delivered or done."""
    _frames: list[int] = field(default_factory=list[int])
    _grades: dict[int, int] = field(default_factory=dict[int, int])

    def grow(self, ready: int, marks: Iterable[CutMark], *, final: bool) -> None:
        """Add frames at the end, and marks anywhere."""
        for mark in marks:
            if mark.frame not in self._grades:
                insort(self._frames, mark.frame)
            self._grades[mark.frame] = min(mark.grade, self._grades.get(mark.frame, CutGrade.ANYWHERE))
        self.final = self.final or final
        before, self.ready = self.ready, max(self.ready, ready)
        if self.final:
            self.kept = [span for span in self.kept if span.end <= self.ready]
        for span in _without(Span(before, self.ready), self.kept):
            self._release(span)
        for span in [span for span in self.kept if span.end <= self.ready]:
            self.kept.remove(span)
            self._store(span)

    @property
    def complete(self) -> bool:
        """Whether every frame of a final speech was delivered."""
        return self.final and self.front == self.ready

    def stretch_at(self, first: int) -> Span | None:
        """The free stretch that begins at ``first``."""
        at = bisect_left(self.free, first, key=lambda span: span.first)
        return self.free[at] if at < len(self.free) and self.free[at].first == first else None

    def take(self, span: Span) -> None:
        """Free frames go in flight."""
        self._occupy(span)
        self.taken[span.first] = span

    def give_back(self, span: Span) -> None:
        """Frames in flight are free again."""
        del self.taken[span.first]
        self._release(span)

    def finish(self, span: Span) -> None:
        """Frames in flight are done."""
        del self.taken[span.first]
        self._store(span)

    def adopt(self, span: Span) -> bool:
        """Free frames are done without having been in flight; False, and nothing, unless all are free."""
        if not span or not any(stretch.contains(span) for stretch in self.free):
            return False
        self._occupy(span)
        self._store(span)
        return True

    def build_wall(self, at: int) -> None:
        """From now on no chunk that is cut crosses frame ``at``; it may cross where the wall stood before."""
        self.wall = at
        free, self.free = self.free, []
        for stretch in free:
            self._release(stretch)

    def deliver(self) -> Iterator[Span]:
        """Move the front over what is done, chunk by chunk."""
        while (span := self.done.pop(self.front, None)) is not None:
            self.front = span.end
            self.delivered.append(span)
            yield span

    def lose(self, span: Span) -> bool:
        """Frames that were done or delivered are free again, and what was delivered behind them is only done.

        False, and nothing, unless ``span`` is exactly one such chunk.
        """
        if span in self.delivered:
            at = self.delivered.index(span)
            self.done.update((one.first, one) for one in self.delivered[at:])
            self.front = span.first
            del self.delivered[at:]
        if self.done.get(span.first) != span:
            return False
        del self.done[span.first]
        self.finished -= len(span)
        self._release(span)
        return True

    def closed(self, stretch: Span) -> bool:
        """Whether a chunk may end where the free ``stretch`` ends."""
        return stretch.end < self.ready or self.final or stretch.end in self._grades

    def can_cut(self, stretch: Span, limit: int = 0) -> bool:
        """Whether a chunk that begins with the free ``stretch`` can end anywhere yet."""
        at = bisect_right(self._frames, stretch.first)
        marked = at < len(self._frames) and self._frames[at] <= stretch.end
        return marked or self.closed(stretch) or 0 < limit < len(stretch)

    def marks_within(self, frames: Span) -> list[tuple[int, int]]:
        """Marks strictly inside ``frames``, with their grades."""
        between = self._frames[
            bisect_right(self._frames, frames.first) : bisect_left(self._frames, frames.end)
        ]
        return [(frame, self._grades[frame]) for frame in between]

    def cut(self, stretch: Span, wanted: int, limit: int = 0) -> int:
        """Where a chunk that begins with ``stretch`` best ends; its beginning when it cannot end yet.

        ``wanted`` and ``limit`` are lengths. The limit (0: none) is kept, inside a word if there is no other
        way; the wanted length only comes near.
        """
        most = min(stretch.end, stretch.first + limit) if limit else stretch.end
        whole = most == stretch.end and self.closed(stretch)
        if whole and len(stretch) <= wanted * (1 + _REST):
            return most
        near = _window(stretch.first, wanted, 1 - _NEAR, 1 + 2 * _NEAR)
        ends = self._ends(stretch.first, near, most, whole=whole)
        if not ends:
            return most if most < stretch.end else stretch.first
        return _best(ends, stretch.first, wanted)

    def cut_fixed(self, stretch: Span, wanted: int, limit: int = 0) -> int:
        """As `cut`, but the wanted length is kept, inside a word where no mark is near it.

        Waits until the speech shows every mark that is near, so that the cuts depend on the speech alone.
        """
        wanted = min(wanted, limit) if limit else wanted
        most = min(stretch.end, stretch.first + limit) if limit else stretch.end
        open_end = stretch.end == self.ready and not self.final
        if open_end and len(stretch) < wanted * (1 + _NEAR):
            return stretch.first
        if most == stretch.end and len(stretch) <= wanted * (1 + _REST):
            return most
        near = _window(stretch.first, wanted, 1 - _NEAR, 1 + _NEAR)
        ends = self.marks_within(near.clip(Span(stretch.first, most + 1)))
        ends = [end for end in ends if end[1] < CutGrade.ANYWHERE]
        return _best(ends, stretch.first, wanted) if ends else stretch.first + wanted

    def _ends(self, first: int, near: Span, most: int, *, whole: bool) -> list[tuple[int, int]]:
        """Marks near the wanted length, else the next on either side; the whole stretch is one."""
        ends = self.marks_within(near.clip(Span(first, most + 1)))
        if whole and most <= near.end:
            ends.append((most, CutGrade.SENTENCE))
        if ends:
            return ends
        below = bisect_right(self._frames, min(near.first, most)) - 1
        above = bisect_left(self._frames, near.end)
        ends = [(self._frames[at], self._grades[self._frames[at]]) for at in (below, above) if self._has(at)]
        ends = [end for end in ends if first < end[0] <= most]
        return [*ends, (most, CutGrade.SENTENCE)] if whole else ends

    def _has(self, at: int) -> bool:
        return 0 <= at < len(self._frames)

    def _store(self, span: Span) -> None:
        self.done[span.first] = span
        self.finished += len(span)

    def _occupy(self, span: Span) -> None:
        at = bisect_right(self.free, span.first, key=lambda stretch: stretch.first) - 1
        if at < 0 or not self.free[at].contains(span):
            raise ValueError(f"{span} is not free")
        rest = (Span(self.free[at].first, span.first), Span(span.end, self.free[at].end))
        self.free[at : at + 1] = [part for part in rest if part]

    def _release(self, span: Span) -> None:
        if span.first < self.wall < span.end:
            self._release(Span(span.first, self.wall))
            span = Span(self.wall, span.end)
        at = bisect_left(self.free, span.first, key=lambda stretch: stretch.first)
        first, end = span.first, span.end
        if at < len(self.free) and self.free[at].first == end != self.wall:
            end = self.free.pop(at).end
        if at and self.free[at - 1].end == first != self.wall:
            at -= 1
            first = self.free.pop(at).first
        self.free.insert(at, Span(first, end))


def _window(first: int, wanted: int, least: float, most: float) -> Span:
    return Span(first + round(wanted * least), first + round(wanted * most) + 1)


def _best(ends: Iterable[tuple[int, int]], first: int, wanted: int) -> int:
    def badness(end: tuple[int, int]) -> tuple[float, int]:
        return abs(end[0] - first - wanted) / wanted + GRADE_COST * end[1], end[0]

    return min(ends, key=badness)[0]


def _without(span: Span, others: Iterable[Span]) -> Iterator[Span]:
    """What is left of ``span`` beside ``others``, which are ascending and disjoint."""
    first = span.first
    for other in others:
        if other.overlaps(Span(first, span.end)):
            if first < other.first:
                yield Span(first, other.first)
            first = min(other.end, span.end)
    if first < span.end:
        yield Span(first, span.end)
