"""Sentences of an edited speech stay where they were, as far as pauses allow."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.retiming import Take, retimed_pauses
from mouthpiece.core.timeline import SPEECH_RATE

SECOND = SPEECH_RATE
PAUSE = SPEECH_RATE * 7 // 20


def starts(takes: list[Take], pauses: list[int]) -> list[int]:
    """Where sentences begin."""
    lengths = [take.sound + pause for take, pause in zip(takes, pauses, strict=True)]
    return [0, *accumulate(lengths)][: len(takes)]


OLD = [Take(3 * SECOND + 1000 * number, PAUSE) for number in range(10)]
OLD_STARTS = starts(OLD, [take.pause for take in OLD])
KEPT = [Take(take.sound, take.pause, number) for number, take in enumerate(OLD)]


def edited(change: int, at: int = 2) -> list[Take]:
    """The old speech, one sentence of it longer by some samples."""
    return [*KEPT[:at], Take(OLD[at].sound + change, PAUSE), *KEPT[at + 1 :]]


def in_place(takes: list[Take]) -> list[int]:
    new = starts(takes, retimed_pauses(takes, OLD_STARTS))
    return [n for n, take in enumerate(takes) if take.kept is not None and new[n] == OLD_STARTS[take.kept]]


def test_a_sentence_of_the_same_length_moves_nothing() -> None:
    assert retimed_pauses(edited(0), OLD_STARTS) == [PAUSE] * 10


def test_the_pauses_around_an_edit_take_up_a_tenth_more_or_less() -> None:
    for change in (-SECOND * 3 // 10, SECOND * 3 // 10):
        assert in_place(edited(change)) == [0, 1, 3, 4, 5, 6, 7, 8, 9]


def test_what_the_pauses_beside_an_edit_cannot_take_up_is_left_to_the_next() -> None:
    kept = in_place(edited(SECOND * 7 // 10))
    assert kept[:2] == [0, 1]
    assert kept[-1] == 9
    assert 3 not in kept


def test_an_edit_that_no_pause_can_take_up_leaves_natural_pauses_behind_it() -> None:
    assert retimed_pauses(edited(9 * SECOND), OLD_STARTS) == [PAUSE] * 10


def test_a_pause_that_an_earlier_edit_stretched_stays_as_it_is() -> None:
    first = retimed_pauses(edited(-SECOND), OLD_STARTS)
    again = [Take(take.sound, take.pause, number) for number, take in enumerate(edited(-SECOND))]
    assert retimed_pauses(again, starts(again, first)) == [*first[:-1], PAUSE]


def test_a_break_within_a_sentence_is_never_stretched() -> None:
    short = SPEECH_RATE * 3 // 20
    takes = [Take(SECOND, short), *(Take(SECOND, short, number) for number in (1, 2, 3))]
    old = [0, SECOND + short + 500, 2 * (SECOND + short) + 500, 3 * (SECOND + short) + 500]
    assert retimed_pauses(takes, old)[0] == short


@given(
    st.lists(st.integers(1, 5 * SECOND), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5 * SECOND)), max_size=4),
    st.sets(st.integers(0, 11)),
)
def test_pauses_stay_natural_and_kept_sentences_in_order_whatever_is_edited(
    sounds: list[int], inserted: list[tuple[int, int]], deleted: set[int]
) -> None:
    old = [Take(sound, PAUSE) for sound in sounds]
    old_starts = starts(old, [PAUSE] * len(old))
    new = [Take(take.sound, PAUSE, number) for number, take in enumerate(old) if number not in deleted]
    for at, sound in inserted:
        new.insert(min(at, len(new)), Take(sound, PAUSE))
    pauses = retimed_pauses(new, old_starts)
    assert len(pauses) == len(new)
    assert all(SPEECH_RATE * 3 // 25 <= pause <= PAUSE * 11 // 5 for pause in pauses)
    if not inserted and not deleted:
        assert pauses == [PAUSE] * len(new)
