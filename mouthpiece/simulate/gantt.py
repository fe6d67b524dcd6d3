"""Who rendered what, drawn with letters."""

from __future__ import annotations

from collections.abc import Sequence

from mouthpiece.simulate.world import Lane

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def gantt(lanes: Sequence[Lane], *, begin: float, end: float, width: int = 100) -> str:
    """One line for each worker, one letter for each job; capital and small first letters of chunks alternate.

    ``|`` begins a chunk, ``.`` is idle, ``x`` ends an attempt that failed or was called off.
    """
    shown = [lane for lane in lanes if lane.end > begin and lane.start < end]
    jobs = list(dict.fromkeys(lane.job for lane in sorted(shown, key=lambda lane: lane.start)))
    letters = {job: _LETTERS[number % len(_LETTERS)] for number, job in enumerate(jobs)}
    lines: list[str] = []
    for worker in sorted({lane.worker for lane in lanes}):
        row = ["."] * width
        for lane in (lane for lane in shown if lane.worker == worker):
            first, last = (round((at - begin) / (end - begin) * width) for at in (lane.start, lane.end))
            last = max(min(last, width), first + 1)
            row[max(first, 0) : last] = letters[lane.job] * (last - max(first, 0))
            if first >= 0:
                row[first] = "|"
            if lane.outcome != "done" and last <= width:
                row[last - 1] = "x"
        lines.append(f"{worker} {''.join(row[:width])}")
    lines.append(f"    {begin:<10.1f}{'seconds':^{width - 20}}{end:>10.1f}")
    return "\n".join(lines)
