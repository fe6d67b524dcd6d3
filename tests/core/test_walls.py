"""What viewers have seen is a wall on the tape."""

from __future__ import annotations

from mouthpiece.core.scheduler.tape import Tape
from mouthpiece.core.timeline import Span


def spoken(frames: int) -> Tape:
    tape = Tape()
    tape.grow(frames, (), final=True)
    return tape


def test_a_free_stretch_ends_at_the_wall_wherever_that_is_built() -> None:
    tape = spoken(100)
    tape.build_wall(40)
    assert tape.free == [Span(0, 40), Span(40, 100)]


def test_stretches_are_one_again_where_a_wall_stood_before() -> None:
    tape = spoken(100)
    tape.build_wall(40)
    tape.build_wall(60)
    assert tape.free == [Span(0, 60), Span(60, 100)]


def test_what_is_given_back_joins_its_neighbours_but_across_the_wall() -> None:
    tape = spoken(100)
    tape.take(Span(20, 80))
    tape.build_wall(50)
    tape.give_back(Span(20, 80))
    assert tape.free == [Span(0, 50), Span(50, 100)]
