"""Blocking work in threads, for asynchronous callers who may go away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mouthpiece.core.speech import Sentence
from mouthpiece.rpc import tracing
from services.tts import metrics

Result = TypeVar("Result")

Stopped = Callable[[], bool]
"""Tells whether to give up."""

Item = TypeVar("Item")


async def in_background(work: Callable[[Stopped], Result]) -> Result:
    """Do ``work`` in a thread. When the caller goes away, the thread is told to give up."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, stop.is_set)
    finally:
        stop.set()


async def in_thread(make: Callable[[Stopped], Generator[Item]], source: str) -> AsyncGenerator[Item]:
    """Yield what ``make`` makes in a thread of its own, one sentence or notice at a time and none ahead.

    When the consumer goes away, the thread is told to give up, and awaited. ``source`` is for the metrics.
    """
    loop = asyncio.get_running_loop()
    stop = threading.Event()
    items = make(stop.is_set)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="speech") as thread:
        try:
            while True:
                start, began = time.perf_counter(), time.time_ns()
                item = await loop.run_in_executor(thread, next, items, None)
                if item is None:
                    return
                if isinstance(item, Sentence):
                    metrics.sentence_made(source, len(item.samples), time.perf_counter() - start)
                    tracing.happened("sentence", began, sentence=item.index, samples=len(item.samples))
                yield item
        finally:
            stop.set()
            await loop.run_in_executor(thread, items.close)
