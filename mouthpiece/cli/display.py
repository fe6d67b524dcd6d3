"""Shows a job while it runs: drawn anew in place on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape

from mouthpiece.cli.job_panel import draw, outcome
from mouthpiece.cli.words import clock, size, waits_for
from mouthpiece.client.view import JobView
from mouthpiece.errors import Unavailable
from mouthpiece.rpc.states import state_name
from mouthpiece.v1 import gateway_pb2

_WORTH_TELLING = 1 << 20
"""Smaller transfers are over before they can be read about."""

_PERCENT_STEP = 10.0


class Display(ABC):
    """What a command tells while it works."""

    def __init__(self, console: Console) -> None:
        self.view = JobView()
        self._console = console
        self._began = time.monotonic()
        self._heard = self._began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave what was shown standing."""
        self._leave()

    def on_event(self, event: gateway_pb2.JobEvent) -> None:
        """Something happened to the job."""
        self.view.apply(event)
        self._heard = time.monotonic()
        self._show(event)

    def on_upload(self, done: int, total: int) -> None:
        """So much of a file has been sent."""
        if total >= _WORTH_TELLING:
            self._note(f"sending {size(done)} of {size(total)}", finished=done >= total)

    def on_download(self, done: int, total: int) -> None:
        """So much of the video has arrived."""
        if total >= _WORTH_TELLING:
            self._note(f"receiving {size(done)} of {size(total)}", finished=done >= total)

    def on_retry(self, error: Unavailable, wait: float) -> None:
        """The gateway is away; the next attempt follows after `wait` seconds."""
        self._note(f"{error.message}; trying again in {wait:.0f} s" if wait >= 1 else error.message)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    @abstractmethod
    def _leave(self) -> None: ...

    @abstractmethod
    def _show(self, event: gateway_pb2.JobEvent, /) -> None: ...

    @abstractmethod
    def _note(self, text: str, *, finished: bool = False) -> None: ...


class LiveDisplay(Display):
    """Bars on a terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._text = ""
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def _leave(self) -> None:
        self._live.stop()

    def _draw(self) -> RenderableType:
        return draw(
            self.view,
            elapsed=self.elapsed,
            since_event=time.monotonic() - self._heard,
            height=self._console.height,
            note=self._text,
        )

    def _show(self, _event: gateway_pb2.JobEvent) -> None:
        self._text = ""

    def _note(self, text: str, *, finished: bool = False) -> None:
        self._text = "" if finished else text


class PlainDisplay(Display):
    """A line for everything worth keeping in a log."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._told_percent = 0.0
        self._last_note = ""
        self._told_job = ""

    def _leave(self) -> None:
        """Lines stand by themselves."""

    def _show(self, event: gateway_pb2.JobEvent) -> None:
        match event.WhichOneof("event"):
            case "state":
                self._tell_job(event.state.id)
                waits = f", waits {waits_for(event.state.waiting)}" if event.state.HasField("waiting") else ""
                self._print(state_name(event.state.state) + escape(waits))
            case "chunk" if event.chunk.state != gateway_pb2.CHUNK_STATE_RUNNING:
                self._print(self._chunk(event.chunk))
            case "progress" if self.view.percent >= self._told_percent + _PERCENT_STEP:
                self._told_percent = self.view.percent
                left = f", {clock(self.view.eta)} left" if self.view.eta is not None else ""
                self._print(f"{self.view.percent:.0f} %{left}")
            case _:
                pass

    def _tell_job(self, job_id: str) -> None:
        """Once: who edits its text, or looks for it in a log, needs the name."""
        if job_id and job_id != self._told_job:
            self._told_job = job_id
            self._print(f"job {job_id}")

    def _chunk(self, chunk: gateway_pb2.Chunk) -> str:
        frames = f"frames {chunk.frames.first} – {chunk.frames.end}"
        where = f" on {escape(chunk.worker)}" if chunk.worker else ""
        return f"{frames}{where}: {outcome(chunk)}"

    def _note(self, text: str, *, finished: bool = False) -> None:
        kind = text.split()[0]
        if finished or kind != self._last_note:
            self._print(escape(text))
        self._last_note = kind

    def _print(self, text: str) -> None:
        self._console.print(f"[key]{self.elapsed:7.1f} s[/]  {text}", soft_wrap=True)


def display(console: Console) -> Display:
    """The kind of display that suits a console."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)
