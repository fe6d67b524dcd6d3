"""Looking at movies packet by packet."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO

import av


def packets(movie: bytes) -> list[tuple[str, Fraction, Fraction, bytes]]:
    """Kind, time of showing and of decoding in seconds, and content of every packet of a movie."""
    with av.open(BytesIO(movie), "r") as container:
        return sorted(
            (str(p.stream.type), _seconds(p.pts, p.time_base), _seconds(p.dts, p.time_base), bytes(p))
            for p in container.demux()
            if p.size
        )


def tracks(movie: bytes) -> list[tuple[str, Fraction]]:
    """Kind and start in seconds of every track of a movie."""
    with av.open(BytesIO(movie), "r") as container:
        return [(str(s.type), _seconds(s.start_time, s.time_base)) for s in container.streams]


def _seconds(ticks: int | None, unit: Fraction | None) -> Fraction:
    assert ticks is not None
    assert unit is not None
    return ticks * unit
