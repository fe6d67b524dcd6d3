"""Attempts over time, one line per worker, in characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from mouthpiece.cli.words import clock

_FILL = {"done": "█", "running": "▓", "failed": "░", "cancelled": "░", "planned": "█", "cached": "▒"}
_STYLE = {
    "done": ("green", "dark_green"),
    "planned": ("cyan", "dark_cyan"),
    "running": ("cyan", "dark_cyan"),
    "failed": ("red", "red"),
    "cancelled": ("bright_black", "bright_black"),
    "cached": ("blue", "blue"),
}
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400)
"""Seconds between ticks of the time axis."""
_LONG = 300.0
"""Seconds from which on ticks are written as minutes and seconds."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One attempt: who made it, when (seconds), how it stands, and what to write on it."""

    worker: str
    start: float
    end: float
    state: str
    label: str


def gantt(bars: Sequence[Bar], width: int) -> Table:
    """A line per worker, by name, and a time axis; `width` columns for the bars."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="key", no_wrap=True)
    table.add_column(no_wrap=True)
    end = max((bar.end for bar in bars), default=1.0) or 1.0
    for worker in sorted({bar.worker for bar in bars}):
        table.add_row(worker, _line([bar for bar in bars if bar.worker == worker], end, width))
    table.add_row("", _axis(end, width))
    return table


def _line(bars: Sequence[Bar], end: float, width: int) -> Text:
    line = Text()
    for number, bar in enumerate(sorted(bars, key=lambda bar: bar.start)):
        first = max(cell_len(line.plain), round(bar.start / end * width))
        last = max(first + 1, round(bar.end / end * width))
        line.append(" " * (first - cell_len(line.plain)))
        fill, style = _FILL[bar.state], _STYLE[bar.state][number % 2]
        room = last - first
        line.append(_labelled(bar.label, room, fill), style=style)
    line.truncate(width)
    return line


def _labelled(label: str, room: int, fill: str) -> str:
    """A bar with its label where there is room for it. Its end tells it from the next one without colours."""
    end = "▊" if fill == "█" and room > 1 else fill
    inside = room - 1
    return (f" {label} ".center(inside, fill) if inside >= len(label) + 4 else fill * inside) + end


def _axis(end: float, width: int) -> Text:
    step = next((step for step in _STEPS if step >= end / (width / 12)), end)
    axis = ""
    for tick in range(width):
        column = round(tick * step / end * width)
        label = f"│{clock(tick * step)}" if end >= _LONG else f"│{tick * step:g} s"
        if column + len(label) > width:
            break
        axis = axis.ljust(column) + label
    return Text(axis, style="key")
