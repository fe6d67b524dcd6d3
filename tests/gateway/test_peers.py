"""The line between gateways, as far as it needs no database."""

from __future__ import annotations

from typing import Any, cast

import pytest

from mouthpiece.v1.gateway_pb2 import Chunk, JobEvent, JobProgress
from services.gateway.notices import MOST_BYTES
from services.gateway.peers import Peers, fitting


async def test_a_job_that_nobody_asks_about_any_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    peers = Peers(cast("Any", None), lambda _: None, lambda: None)
    monkeypatch.setattr("services.gateway.peers.WANTED_FOR", -1.0)
    peers.want("an old one")
    monkeypatch.undo()
    peers.want("a new one")
    assert set(peers.wanted) == {"a new one"}


def test_progress_that_is_too_long_for_a_notice_loses_chunks() -> None:
    chunks = [Chunk(id=f"a{number}", worker="w" * 40) for number in range(1000)]
    told = JobEvent.FromString(fitting(JobEvent(progress=JobProgress(percent=50, chunks=chunks))))
    assert told.progress.percent == 50
    assert 0 < told.ByteSize() <= MOST_BYTES
    assert list(told.progress.chunks) == chunks[: len(told.progress.chunks)]
