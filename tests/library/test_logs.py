"""Log lines as JSON, with the fields of the task that wrote them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from mouthpiece.logs import JsonFormatter, tag_logs


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Iterator[list[dict[str, str]]]:
    handler = _Lines()
    log.addHandler(handler)
    yield handler.lines
    log.removeHandler(handler)


log = logging.getLogger("mouthpiece.test_logs")


async def test_each_task_has_its_own_fields_and_hands_them_to_tasks_that_it_starts(
    lines: list[dict[str, str]],
) -> None:
    async def attempt(name: str) -> None:
        tag_logs(attempt=name)
        await asyncio.sleep(0)
        log.warning("renders")

    async def job(name: str) -> None:
        tag_logs(job=name)
        await asyncio.gather(attempt(f"{name}1"), attempt(f"{name}2"))
        log.warning("ends")

    await asyncio.gather(job("a"), job("b"))
    log.warning("idle")
    told = {(line["message"], line.get("job"), line.get("attempt")) for line in lines}
    renders = {("renders", name, f"{name}{number}") for name in "ab" for number in (1, 2)}
    assert told == {*renders, ("ends", "a", None), ("ends", "b", None), ("idle", None, None)}


def test_a_line_holds_time_level_logger_and_traceback(lines: list[dict[str, str]]) -> None:
    try:
        int("two\nlines")
    except ValueError:
        log.exception("job %s failed", "j1")
    (line,) = lines
    assert (line["level"], line["logger"], line["message"]) == ("ERROR", log.name, "job j1 failed")
    assert line["time"].endswith("+00:00")
    assert line["exception"].startswith("Traceback")
    assert "ValueError: invalid literal" in line["exception"]
