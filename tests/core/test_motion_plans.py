"""Where an edited speech has its sentences, and which motion each of its frames shows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.editing import Edit, Past, Reach
from mouthpiece.core.motion import (
    Crossing,
    course,
    grid_step,
    offset_at,
    runs,
    samples_in,
    stretches,
    transition_frames,
)
from mouthpiece.core.timeline import SPEECH_RATE, Span, frame_count, samples_of

PAUSE = SPEECH_RATE * 7 // 20
RATES = (Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(16))
REACH = Reach(Fraction(25), 40_800, 40_800)


@dataclass(frozen=True)
class Said:
    """A sentence by itself: what names its sound, and the samples of that."""

    name: str
    sound: int


def speak(text: list[Said], edit: Edit | None) -> list[Past]:
    """The speech of a text, placed one sentence after the other."""
    made: list[Past] = []
    crossings: list[Crossing] = []
    at = 0
    for index, said in enumerate(text):
        before = made[-1].samples.first if made else 0
        crossing = edit.crossing(index, at, before, crossings) if edit else None
        crossings += [crossing] if crossing else []
        end = at + said.sound + PAUSE
        if edit:
            offset = sum(crossing.by for crossing in crossings)
            end = edit.start(index + 1, at + said.sound, end, offset)
        assert end >= at + said.sound
        made.append(Past(said.name, Span(at, end), crossing))
        at = end
    return made


def edited(before: list[Past], text: list[Said], reach: Reach = REACH) -> list[Past]:
    return speak(text, Edit.of(before, [said.name for said in text], reach))


def crossings_of(speech: list[Past]) -> list[Crossing]:
    return [sentence.crossing for sentence in speech if sentence.crossing]


def heard(speech: list[Past], frames: Span, reach: Reach) -> tuple[object, ...]:
    """All that shapes some frames: their places in the motion, the crossings, and what is heard."""
    taken = course(frames, crossings_of(speech))
    later = samples_in(taken.offset, reach.fps)
    samples = samples_of(frames, reach.fps)
    wanted = Span(max(0, samples.first - reach.lead), samples.end + reach.tail)
    sounds = tuple(
        (past.sound, past.samples.first + later) for past in speech if past.samples.overlaps(wanted)
    )
    return taken.frames, taken.crossings, sounds, min(wanted.end, speech[-1].samples.end) + later


def reused(before: list[Past], after: list[Past], reach: Reach = REACH) -> float:
    """Share of frames that show what a frame of the earlier speech showed."""
    total = [frame_count(speech[-1].samples.end, reach.fps) for speech in (before, after)]
    there = {heard(before, Span(frame, frame + 1), reach) for frame in range(total[0])}
    return sum(heard(after, Span(n, n + 1), reach) in there for n in range(total[1])) / total[1]


TEN = [Said(f"s{number}", SPEECH_RATE * 32 // 10 + 1111 * number) for number in range(10)]
FIRST = speak(TEN, None)
NEW = Said("new", SPEECH_RATE * 3)
CHANGES = {
    "longer by 2 s": [*TEN[:2], Said("new", TEN[2].sound + 2 * SPEECH_RATE), *TEN[3:]],
    "shorter by 2 s": [*TEN[:2], Said("new", TEN[2].sound - 2 * SPEECH_RATE), *TEN[3:]],
    "inserted": [*TEN[:4], NEW, *TEN[4:]],
    "deleted": [*TEN[:4], *TEN[5:]],
    "moved": [TEN[0], TEN[6], *TEN[1:6], *TEN[7:]],
    "swapped halves": [*TEN[5:], *TEN[:5]],
}


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("longer by 2 s", 0.8),
        ("shorter by 2 s", 0.85),
        ("inserted", 0.8),
        ("deleted", 0.9),
        ("moved", 0.8),
        ("swapped halves", 0.75),
    ],
)
def test_any_edit_leaves_what_is_a_second_away_from_it_as_it_was(name: str, least: float) -> None:
    assert reused(FIRST, edited(FIRST, CHANGES[name])) >= least


def test_several_edits_one_after_another_keep_what_each_of_them_kept() -> None:
    once = edited(FIRST, CHANGES["longer by 2 s"])
    text = [*CHANGES["longer by 2 s"][:7], NEW, *CHANGES["longer by 2 s"][8:]]
    twice = edited(once, text)
    assert crossings_of(twice)[0] == crossings_of(once)[0]
    assert reused(once, twice) >= 0.8
    back = edited(twice, TEN)
    assert reused(FIRST, back) >= 0.8


def test_a_text_that_is_as_it_was_moves_nothing() -> None:
    assert edited(FIRST, TEN) == FIRST
    once = edited(FIRST, CHANGES["deleted"])
    assert edited(once, CHANGES["deleted"]) == once


def test_a_frame_rate_without_a_common_grid_with_samples_keeps_nothing() -> None:
    reach = Reach(Fraction(997, 41), 40_800, 40_800)
    assert edited(FIRST, CHANGES["deleted"], reach) == speak(CHANGES["deleted"], None)


texts = st.lists(st.tuples(st.integers(0, 12), st.integers(1000, 5 * SPEECH_RATE)), min_size=1, max_size=14)


@given(
    st.sampled_from(RATES),
    st.tuples(st.sampled_from((0, 11_454, 40_800)), st.sampled_from((0, 10_248, 40_800))),
    st.lists(texts, min_size=2, max_size=4),
)
def test_every_frame_has_one_motion_whatever_is_edited_however_often(
    fps: Fraction, heard_around: tuple[int, int], versions: list[list[tuple[int, int]]]
) -> None:
    reach = Reach(fps, *heard_around)
    sounds = dict(pair for version in versions for pair in version)
    speech: list[Past] = []
    for version in versions:
        text = [Said(f"s{name}", sounds[name]) for name, _ in version]
        edit = Edit.of(speech, [said.name for said in text], reach) if speech else None
        before, speech = speech, speak(text, edit)
        crossings = crossings_of(speech)
        frames = Span(0, frame_count(speech[-1].samples.end, fps))
        check_crossings(crossings, reach)
        check_pauses(text, speech, fps)
        told = list(stretches(frames, crossings))
        assert [n for span, _ in told for n in span] == list(frames)
        assert all(span.first + offset >= 0 for span, offset in told)
        if edit:
            check_kept(edit, before, speech, reach)


def check_crossings(crossings: list[Crossing], reach: Reach) -> None:
    """They do not overlap, have room for a transition, and go where the engine hears no start of a speech."""
    assert all(one.frames.end <= other.frames.first for one, other in pairwise(crossings))
    for crossing in crossings:
        assert len(crossing.frames) >= transition_frames(reach.fps)
        assert crossing.by % grid_step(reach.fps) == 0
        ahead = offset_at(crossing.frames.end, crossings)
        assert samples_of(crossing.frames.shift(ahead), reach.fps).first >= reach.lead


def check_pauses(text: list[Said], speech: list[Past], fps: Fraction) -> None:
    """No pause differs from its own by more than a step of the grid; within kept stretches edits add up."""
    step = samples_in(grid_step(fps), fps)
    for said, past in zip(text, speech, strict=True):
        pause = len(past.samples) - said.sound
        assert pause >= 0
        assert abs(pause - PAUSE) <= step


def check_kept(edit: Edit, before: list[Past], speech: list[Past], reach: Reach) -> None:
    """A kept sentence is where it was in the motion, exactly."""
    now, then = crossings_of(speech), crossings_of(before)
    for new, old in edit.kept.items():
        ahead = [
            sum(c.by for c in crossings[: sum(1 for p in made[: at + 1] if p.crossing)])
            for crossings, made, at in ((now, speech, new), (then, before, old))
        ]
        places = [speech[new].samples.first, before[old].samples.first]
        motion = [place + samples_in(offset, reach.fps) for place, offset in zip(places, ahead, strict=True)]
        assert motion[0] == motion[1]


@given(st.data())
def test_runs_cover_every_frame_and_overlap_in_transitions_only(data: st.DataObject) -> None:
    edges = sorted(data.draw(st.lists(st.integers(0, 200), min_size=2, max_size=8, unique=True)))
    spans = [Span(first, end) for first, end in zip(edges[::2], edges[1::2], strict=False)]
    transitions = [(span, data.draw(st.integers(-50, 50))) for span in spans]
    first = data.draw(st.integers(0, 199))
    frames = Span(first, data.draw(st.integers(first + 1, 260)))
    found = runs(frames, transitions)
    for number in frames:
        inside = [run.by for run in found if run.frames.first <= number < run.frames.end]
        passed = sum(by for span, by in transitions if span.end <= number)
        turning = [by for span, by in transitions if span.first <= number < span.end]
        assert inside == [passed, *(passed + by for by in turning)]
