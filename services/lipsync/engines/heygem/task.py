"""One task in a container, from its submission to the finished file."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mouthpiece.errors import Busy, MouthpieceError, Unavailable
from services.lipsync.engines.heygem.container import Container, Unreachable
from services.lipsync.engines.heygem.folder import RUNNING, SharedFolder
from services.lipsync.engines.heygem.protocol import (
    Answer,
    Code,
    Garbled,
    Stage,
    explain,
    needs_restart,
    share_done,
)

SAME_SIZE = 3
"""Looks in a row at which a result has the same size before it counts as whole."""
FORGOTTEN = 3
"""Answers in a row that it knows no such task, with no result in sight, before a task counts as lost."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look and how long to wait, in seconds."""

    poll: float = 1.0
    """Between two queries."""
    settle: float = 0.5
    """Between two looks at the size of a result."""
    busy: float = 5.0
    """For a container that is busy with something else, before the chunk goes elsewhere."""
    silence: float = 60.0
    """For a container that does not answer: it may be restarting."""
    result: float = 60.0
    """For the result of a task that has ended."""
    task: float = 660.0
    """For a whole task; the container gives up on its own before that."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to submit: its name, two paths as the container sees them, and the seconds it probably takes."""

    code: str
    audio: str
    video: str
    expected: float


class Stuck(Unavailable):
    """The container's queues are full and stay so: restart it."""


class Died(MouthpieceError):
    """The container stopped answering in the middle of a task."""


class Lost(MouthpieceError):
    """The container knows nothing of the task any more; it was restarted, or its answer was lost."""


class TaskRunner:
    """Runs tasks, one at a time; `closing` makes it stop waiting, and leaves a task to the container."""

    def __init__(
        self,
        url: str,
        folder: SharedFolder,
        pace: Pace,
        closing: threading.Event,
        *,
        super_resolution: bool,
    ) -> None:
        self._url = url
        self._folder = folder
        self._pace = pace
        self._closing = closing
        self._super_resolution = super_resolution

    def run(self, task: Task, tell: Callable[[float], None]) -> Path:
        """The result's file, which does not grow any more; `tell` gets the part that is done, 0 to 1.

        A task that an earlier process submitted is taken up where it is. Raises `Busy`, `Unreachable`,
        `Garbled`, `Stuck`, `Died`, `Lost`, `Unavailable` when closing, and `MouthpieceError` when the task
        failed.
        """
        with Container(self._url) as container:
            answer = self._ended(container, task, tell)
        if answer.stage is Stage.FAILED:
            raise MouthpieceError(explain(answer.message))
        return self._result(task, answer)

    def _ended(self, container: Container, task: Task, tell: Callable[[float], None]) -> Answer:
        """How the task ended, whoever began it."""
        answer = self._folder.recorded(task.code)
        if answer == RUNNING:
            try:
                answer = self._follow(container, task, tell)
            except Lost:
                answer = None
        if answer is None:
            self._submit(container, task)
            answer = self._follow(container, task, tell)
        return answer

    def _submit(self, container: Container, task: Task) -> None:
        """Hand the task over; "busy" is said in words of success, and means that nothing was queued."""
        give_up = time.monotonic() + self._pace.busy
        while True:
            answer = container.submit(
                task.code, task.audio, task.video, super_resolution=self._super_resolution
            )
            if answer.code == Code.OK:
                self._folder.record(task.code, RUNNING)
                return
            _check(answer)
            if answer.code not in (Code.BUSY, Code.LOCKED):
                raise MouthpieceError(explain(f"{answer.code} {answer.message}"))
            if time.monotonic() >= give_up:
                raise Busy("the container is busy with a task of somebody else", self._pace.busy)
            self._wait(self._pace.poll)

    def _follow(self, container: Container, task: Task, tell: Callable[[float], None]) -> Answer:
        """Ask until the task has ended, and record how: the container does not say it twice."""
        began = heard = time.monotonic()
        unknown = 0
        while (now := time.monotonic()) - began < self._pace.task:
            self._wait(self._pace.poll)
            try:
                answer = container.query(task.code)
            except (Unreachable, Garbled) as error:
                if now - heard > self._pace.silence:
                    raise Died(f"in the middle of a task, {error.message}") from None
                continue
            heard = now
            if answer.ended:
                self._folder.record(task.code, answer)
            _check(answer)
            if answer.ended:
                return answer
            unknown = unknown + 1 if answer.code == Code.UNKNOWN_TASK else 0
            if unknown and self._folder.find(task.code):
                return Answer(Code.OK, answer.message, Stage.DONE)
            if unknown >= FORGOTTEN:
                raise Lost("the container has forgotten the task, and there is no result")
            if answer.stage is Stage.RUNNING:
                tell(share_done(answer.progress, now - began, task.expected))
        raise MouthpieceError(f"the container did not end a task within {self._pace.task:g} s")

    def _result(self, task: Task, answer: Answer) -> Path:
        """Wait until the result is whole: the end of a task may be told while its file is still written."""
        give_up = time.monotonic() + self._pace.result
        sizes: deque[int] = deque(maxlen=SAME_SIZE)
        while time.monotonic() < give_up:
            path = self._folder.find(task.code, answer.result)
            sizes.append(path.stat().st_size if path else -len(sizes))
            if path and len(sizes) == SAME_SIZE and len(set(sizes)) == 1:
                return path
            self._wait(self._pace.settle)
        named = answer.result or "the result"
        raise MouthpieceError(f"the container says that it is done, but {named} is not there, or still grows")

    def _wait(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise Unavailable("the worker is closing; the container goes on with the task")


def _check(answer: Answer) -> None:
    if needs_restart(answer.message):
        raise Stuck(f"the container must be restarted: {answer.message}")
