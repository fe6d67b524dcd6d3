"""Placing the sentences of an edited speech so that those that were kept stay where they were.

An edit makes a speech shorter or longer. Pauses around the edit take up the difference within what sounds
natural, and as few sentences as possible move; from the first that is back in its old place on, nothing has
changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from mouthpiece.core.timeline import SPEECH_RATE, Span

_FIXED = SPEECH_RATE // 5
"""Shorter pauses, 0.2 s, are within a sentence and stay as they are."""

_SHORTEST = SPEECH_RATE * 3 // 25
"""Pauses between sentences shrink to 0.12 s at most."""

_SHRINK, _STRETCH = Fraction(7, 20), Fraction(11, 5)
"""Shares of a pause that it may shrink or stretch to."""


@dataclass(frozen=True, slots=True)
class Take:
    """A sentence to be placed, in samples: its sound, the pause that is natural after it, and if it is kept
    from the earlier speech, its index there."""

    sound: int
    pause: int
    kept: int | None = None


def retimed_pauses(takes: Sequence[Take], starts: Sequence[int]) -> list[int]:
    """Samples of pause after each sentence of a speech.

    ``starts`` are the samples at which the sentences of the earlier speech began. Kept sentences ascend.
    """
    pauses = [take.pause for take in takes]
    held, at = 0, 0  # a sentence whose place is settled, and that place
    while (found := _next_in_place(takes, starts, held, at)) is not None:
        index, spread = found
        pauses[held:index] = spread
        held, at = index, starts[_old(takes[index])]
    return pauses


def _next_in_place(
    takes: Sequence[Take], starts: Sequence[int], held: int, at: int
) -> tuple[int, list[int]] | None:
    """The next sentence that can be where it was, and the pauses from ``held`` up to it."""
    sound, least, most = 0, 0, 0
    for index in range(held + 1, len(takes)):
        before = takes[index - 1]
        sound += before.sound
        bounds = _bounds(before.pause)
        least, most = least + bounds.first, most + bounds.end
        if takes[index].kept is None:
            continue
        room = starts[_old(takes[index])] - at - sound
        undisturbed = _follow(takes[held], takes[index]) and at == starts[_old(takes[held])]
        if index == held + 1 and undisturbed and room >= 0:
            return index, [room]
        if least <= room <= most:
            return index, _spread([take.pause for take in takes[held:index]], room)
    return None


def _follow(before: Take, after: Take) -> bool:
    """Whether two kept sentences followed each other: then the pause was what it was."""
    return before.kept is not None and after.kept == before.kept + 1


def _bounds(pause: int) -> Span:
    if pause < _FIXED:
        return Span(pause, pause)
    return Span(max(_SHORTEST, int(pause * _SHRINK)), int(pause * _STRETCH))


def _spread(pauses: Sequence[int], room: int) -> list[int]:
    """The pauses, each stretched or shrunk by the same share of what it can be, to ``room`` in all."""
    change = room - sum(pauses)
    reach = [_reach(pause, shrink=change < 0) for pause in pauses]
    whole = sum(reach)
    found: list[int] = []
    taken = done = 0
    for pause, own in zip(pauses, reach, strict=True):
        taken += own
        due = change * taken // whole if whole else 0
        found.append(pause + due - done)
        done = due
    return found


def _reach(pause: int, *, shrink: bool) -> int:
    bounds = _bounds(pause)
    return pause - bounds.first if shrink else bounds.end - pause


def _old(take: Take) -> int:
    assert take.kept is not None
    return take.kept
