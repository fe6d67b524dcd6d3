"""Who rendered what, drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from mouthpiece.simulate.world import Lane

_LEFT, _WIDTH, _ROW, _BAR, _FOOT = 64, 1200, 22, 16, 34
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    ' font-family="sans-serif" font-size="11">'
)
_GREY = 'fill="#666"'
_TICKS = 12
_STEPS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


def svg(lanes: Sequence[Lane], begin: float, end: float, title: str) -> str:
    """A row for each worker, a colour for each job, between two moments (seconds).

    A first chunk is outlined; attempts that came to nothing are hollow.
    """
    shown = [lane for lane in lanes if lane.end > begin and lane.start < end]
    workers = sorted({lane.worker for lane in lanes})
    jobs = list(dict.fromkeys(lane.job for lane in sorted(shown, key=lambda lane: lane.start)))
    scale = _WIDTH / (end - begin)
    height = _ROW * (len(workers) + 1) + _FOOT
    lines = [
        _HEAD.format(width=_LEFT + _WIDTH + 16, height=height),
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="15" font-size="13">{escape(title)}</text>',
        *_grid(workers, begin, end, scale, height),
        *(_bar(lane, workers.index(lane.worker), jobs.index(lane.job), begin, end, scale) for lane in shown),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _grid(workers: Sequence[str], begin: float, end: float, scale: float, height: int) -> Iterator[str]:
    for row, worker in enumerate(workers):
        yield f'<text x="{_LEFT - 8}" y="{_top(row) + 12}" text-anchor="end" {_GREY}>{escape(worker)}</text>'
        yield f'<rect x="{_LEFT}" y="{_top(row)}" width="{_WIDTH}" height="{_BAR}" fill="#f3f3f3"/>'
    step = next((step for step in _STEPS if step * _TICKS >= end - begin), end - begin)
    for tick in range(int((end - begin) / step) + 1):
        x = _LEFT + tick * step * scale
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_ROW}" y2="{height - _FOOT + 6}" stroke="#ddd"/>'
        yield (
            f'<text x="{x:.1f}" y="{height - _FOOT + 20}" text-anchor="middle" {_GREY}>'
            f"{begin + tick * step:g} s</text>"
        )


def _bar(lane: Lane, row: int, job: int, begin: float, end: float, scale: float) -> str:
    first, last = max(lane.start, begin), min(lane.end, end)
    colour = f"hsl({job * 137 % 360},55%,{58 + job * 7 % 3 * 7}%)"
    good = lane.outcome in ("done", "")
    told = f"{lane.job} frames {lane.span.first} to {lane.span.end}, {lane.start:.2f} to {lane.end:.2f} s"
    return (
        f'<rect x="{_LEFT + (first - begin) * scale:.1f}" y="{_top(row)}" rx="2"'
        f' width="{max((last - first) * scale - 0.6, 0.6):.1f}" height="{_BAR}"'
        f' fill="{colour if good else "none"}" stroke="{colour if good and lane.span.first else "#333"}"'
        f' stroke-width="0.6"><title>{escape(told)} {lane.outcome}</title></rect>'
    )


def _top(row: int) -> int:
    return _ROW * (row + 1)
