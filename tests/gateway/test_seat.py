"""Terms of a gateway that leads: one that cannot begin is followed by another try."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest

from mouthpiece.errors import Unavailable
from services.gateway.seat import Seat


@dataclass
class Term:
    """A director that finds the artifacts away, or does not."""

    away: bool
    over: asyncio.Future[Any]
    closed: bool = False

    async def restore(self) -> None:
        if self.away:
            raise Unavailable("the artifact store does not answer")

    async def close(self) -> None:
        self.closed = True


async def test_a_term_that_cannot_begin_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.seat.REST", 0.0)
    over = asyncio.get_running_loop().create_future()
    first, second = Term(True, over), Term(False, over)
    terms = iter([first, second])
    seat = Seat(cast("Any", None), None, lambda _: cast("Any", next(terms)), cast("Any", None))
    async with asyncio.timeout(20), seat:
        assert cast("Any", seat.director) is second
        assert first.closed
    assert second.closed
