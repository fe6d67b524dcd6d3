from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.timeline import Span
from services.gateway.run import disjoint

SPANS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))
)


@given(SPANS)
def test_what_is_kept_overlaps_nothing_and_what_is_left_out_overlaps_what_is_kept(spans: list[Span]) -> None:
    kept = disjoint(spans)
    assert all(before.end <= after.first for before, after in pairwise(kept))
    assert all(span in kept or any(span.overlaps(other) for other in kept) for span in spans)


def test_a_cached_chunk_that_came_too_late_does_not_hide_the_one_that_was_rendered() -> None:
    rendered, cached = Span(176, 226), Span(176, 250)
    assert disjoint([rendered, Span(226, 250)]) == [rendered, Span(226, 250)]
    assert disjoint([rendered, Span(226, 250), cached]) == [cached]
