"""A job under way, drawn: overall state on top, one bar per attempt below. Pure: values in, picture out."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mouthpiece.cli.words import brief, clock, count, rate, waits_for
from mouthpiece.client.report import busy_seconds, frame_rate
from mouthpiece.client.view import JobView
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.rpc.states import chunk_state_name, state_name
from mouthpiece.v1 import gateway_pb2

_STATE_STYLE = {"done": "good", "failed": "bad", "cancelled": "off", "queued": "warn"}
_BAR = 28
_HEAD_LINES = 5


def draw(view: JobView, *, elapsed: float, since_event: float, height: int, note: str = "") -> RenderableType:
    """The job, `elapsed` seconds into the watching, `since_event` after its last event, in `height` lines."""
    parts: list[RenderableType] = [_headline(view, elapsed, since_event), Text.from_markup(_facts(view))]
    rows = _visible(list(view.chunks.values()), max(3, height - _HEAD_LINES))
    if view.chunks:
        parts.append(_attempts(rows, hidden=len(view.chunks) - len(rows)))
    if view.job.HasField("waiting"):
        parts.append(Text(f"waits {waits_for(view.job.waiting)}", style="warn"))
    parts += [Text(f"note: {warning}", style="warn") for warning in view.job.warnings]
    if note:
        parts.append(Text(note, style="warn"))
    return Group(*parts)


def _headline(view: JobView, elapsed: float, since_event: float) -> Table:
    state = state_name(view.job.state) if view.job.id else "connecting"
    line = Table.grid(padding=(0, 2))
    line.add_row(
        Text(state.ljust(10), style=f"bold {_STATE_STYLE.get(state, 'busy')}"),
        ProgressBar(total=100, completed=view.percent, width=_BAR + 12),
        f"{view.percent:3.0f} %",
        f"[key]time[/] {clock(elapsed)}",
        _expectation(view, since_event),
    )
    return line


def _expectation(view: JobView, since_event: float) -> str:
    if view.job.state == gateway_pb2.JOB_STATE_QUEUED and view.queue_position:
        return f"[key]behind[/] {count(view.queue_position, 'job')}"
    if view.eta is None or view.percent >= 100 or view.job.HasField("waiting"):
        return ""
    return f"[key]left[/] {clock(view.eta - since_event)}"


def _facts(view: JobView) -> str:
    job = view.job
    facts = [f"[key]{job.id}[/]"] if job.id else []
    if view.spoken_samples:
        so_far = "" if view.speech_final else " so far"
        spoken = f"{view.spoken_samples / SPEECH_RATE:.1f} s{so_far}"
        facts.append(f"{spoken}, {count(view.sentences, 'sentence')}")
    if job.format.width:
        fps = rate(frame_rate(job.format.fps))
        facts.append(f"{job.format.width}×{job.format.height} at {fps} fps")
    return "  [key]·[/]  ".join(facts)


def _visible(chunks: list[gateway_pb2.Chunk], room: int) -> list[gateway_pb2.Chunk]:
    """The attempts that are worth a line, in the order of their frames: what runs, then what ended last."""
    running = gateway_pb2.CHUNK_STATE_RUNNING
    recent = sorted(chunks, key=lambda chunk: (chunk.state == running, chunk.finished.ToNanoseconds()))
    return sorted(recent[-room:], key=_place)


def _place(chunk: gateway_pb2.Chunk) -> tuple[int, int, str]:
    return chunk.frames.first, chunk.started.ToNanoseconds(), chunk.id


def _attempts(chunks: list[gateway_pb2.Chunk], hidden: int) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column("frames", justify="right", no_wrap=True, min_width=13)
    table.add_column("worker", no_wrap=True, max_width=24)
    table.add_column("bar", width=_BAR)
    table.add_column("done", justify="right", no_wrap=True, min_width=7)
    table.add_column("how", no_wrap=True, overflow="ellipsis")
    table.add_row("[key]frames[/]", "[key]worker[/]")
    for chunk in chunks:
        length = chunk.frames.end - chunk.frames.first
        table.add_row(
            f"{chunk.frames.first} – {chunk.frames.end}",
            escape(chunk.worker) or "[key]cache[/]",
            _bar(chunk, length),
            f"{chunk.frames_done}/{length}",
            outcome(chunk),
        )
    if hidden > 0:
        table.add_row("", f"[key]and {hidden} more[/]")
    return table


def _bar(chunk: gateway_pb2.Chunk, length: int) -> ProgressBar:
    failed = chunk.state in (gateway_pb2.CHUNK_STATE_FAILED, gateway_pb2.CHUNK_STATE_CANCELLED)
    style = "bad" if chunk.state == gateway_pb2.CHUNK_STATE_FAILED else "off"
    done = length if chunk.state == gateway_pb2.CHUNK_STATE_DONE else min(chunk.frames_done, length)
    if failed:
        return ProgressBar(total=max(1, length), completed=done, width=_BAR, complete_style=style)
    return ProgressBar(total=max(1, length), completed=done, width=_BAR)


def outcome(chunk: gateway_pb2.Chunk) -> str:
    """How an attempt stands, in a few words of markup."""
    match chunk_state_name(chunk.state):
        case "done" if chunk.cached:
            return "[blue]from the cache[/]"
        case "done":
            return f"[good]done[/] [key]in {brief(busy_seconds(chunk))}[/]"
        case "failed":
            return f"[bad]failed:[/] {escape(' '.join(chunk.error.split()))}"
        case "cancelled":
            return "[off]called off[/]"
        case _:
            return ""
