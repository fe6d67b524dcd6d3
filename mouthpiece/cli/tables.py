"""What the suite tells, as tables for a terminal. Pure: messages in, pictures out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mouthpiece.cli.gantt import Bar, gantt
from mouthpiece.cli.job_panel import outcome
from mouthpiece.cli.provenance import made_with
from mouthpiece.cli.words import brief, count, excerpt, rate, size, waits_for
from mouthpiece.client.report import (
    busy_seconds,
    frame_rate,
    moment,
    worker_report,
)
from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.rpc.convert import seconds
from mouthpiece.rpc.states import chunk_state_name, state_name
from mouthpiece.v1 import common_pb2, gateway_pb2, lipsync_pb2, tts_pb2

_STATE = {"done": "good", "failed": "bad", "cancelled": "off", "queued": "warn", "lost": "bad"}
_MARGIN = 22


def _table(*columns: str) -> Table:
    """A table; columns whose name begins with ">" are set flush right."""
    table = Table(box=SIMPLE_HEAD, header_style="key", pad_edge=False, show_edge=False)
    for name in columns:
        justify: Literal["left", "right"] = "right" if name.startswith(">") else "left"
        table.add_column(name.lstrip(">"), justify=justify, no_wrap=True)
    table.columns[-1].no_wrap = False
    return table


def _grid(facts: Mapping[str, str]) -> Table:
    """A line per fact that is known, behind its name."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="key")
    for name, value in facts.items():
        if value:
            table.add_row(name, value)
    return table


def _state(name: str) -> str:
    return f"[{_STATE.get(name, 'busy')}]{name}[/]"


def _what(spec: gateway_pb2.JobSpec, width: int) -> str:
    return escape(excerpt(spec.title or spec.text or "(a recording)", width))


def jobs(found: Iterable[gateway_pb2.Job], now: datetime) -> Table:
    """A line per job."""
    table = _table("job", "state", ">age", ">speech", ">made in", "what")
    table.expand, table.columns[-1].ratio, table.columns[-1].no_wrap = True, 1, True
    for job in found:
        age = (now - job.created.ToDatetime(tzinfo=UTC)).total_seconds()
        state = state_name(job.state)
        percent = f" {job.percent:.0f} %" if state in ("speaking", "rendering", "merging") else ""
        made = brief(seconds(job.result.statistics.total)) if job.HasField("result") else ""
        speech = f"{job.samples / SPEECH_RATE:.1f} s" if job.samples else ""
        table.add_row(job.id, _state(state) + percent, brief(age), speech, made, _what(job.spec, 40))
    return table


# ---------------------------------------------------------------- one job


def job(found: gateway_pb2.Job, width: int) -> RenderableType:
    """Everything about one job: facts, what ran where and when, and where the time went."""
    parts: list[RenderableType] = [_head(found), Padding(_facts(found), (0, 0, 1, 2))]
    if found.chunks:
        parts += [_title("what ran where"), Padding(gantt(_bars(found), width - _MARGIN), (0, 0, 1, 2))]
        parts.append(Padding(_attempts(found), (0, 0, 1, 2)))
    if found.HasField("result"):
        parts += [_title("where the time went"), Padding(_stages(found.result), (0, 0, 0, 2))]
    return Group(*parts)


def _title(text: str) -> Text:
    return Text(text, style="bold")


def _head(found: gateway_pb2.Job) -> str:
    state = state_name(found.state)
    percent = "" if found.percent >= 100 or found.HasField("error") else f"  {found.percent:.0f} %"
    return f"[bold]{found.id}[/]  {_state(state)}{percent}  {_what(found.spec, 60)}"


def _facts(found: gateway_pb2.Job) -> Table:
    about = "" if found.speech_final else "about "
    fps = rate(frame_rate(found.format.fps))
    facts = {
        "accepted": found.created.ToDatetime(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        "speech": f"{about}{found.samples / SPEECH_RATE:.2f} s" if found.samples else "",
        "voice": escape(" ".join(filter(None, (found.voice, found.language)))),
        "video": f"{about}{found.frames} frames, {found.format.width}×{found.format.height} at {fps} fps",
        "engine": escape(" ".join(filter(None, (found.engine.name, found.engine.version)))),
        "made with": "\n".join(map(escape, made_with(found.provenance))),
        "file": f"{size(found.result.video.size_bytes)}, {found.result.video.sha256[:12]}…"
        if found.HasField("result")
        else "",
        "waits": f"[warn]{escape(waits_for(found.waiting))}[/]" if found.HasField("waiting") else "",
        "note": "[warn]" + escape("\n".join(found.warnings)) + "[/]" if found.warnings else "",
        "error": f"[bad]{escape(found.error.message)}[/]" if found.HasField("error") else "",
    }
    return _grid(facts)


def _bars(found: gateway_pb2.Job) -> list[Bar]:
    latest = max(
        (moment(found, chunk.finished) for chunk in found.chunks if chunk.HasField("finished")), default=0
    )
    bars: list[Bar] = []
    for number, chunk in enumerate(found.chunks, 1):
        start = moment(found, chunk.started)
        end = moment(found, chunk.finished) if chunk.HasField("finished") else max(latest, start)
        state = "cached" if chunk.cached else chunk_state_name(chunk.state)
        bars.append(Bar(chunk.worker or "cache", start, end, state, str(number)))
    return bars


def _attempts(found: gateway_pb2.Job) -> Table:
    table = _table(">#", ">frames", "worker", ">began at", ">speed", "how")
    for number, chunk in enumerate(found.chunks, 1):
        busy = busy_seconds(chunk)
        speed = f"{chunk.frames_done / busy:.0f} f/s" if busy and not chunk.cached else ""
        table.add_row(
            str(number),
            f"{chunk.frames.first} – {chunk.frames.end}",
            escape(chunk.worker) or "cache",
            f"{moment(found, chunk.started):.2f} s",
            speed,
            outcome(chunk) or "[busy]running[/]",
        )
    return table


def _stages(result: gateway_pb2.JobResult) -> Table:
    told = result.statistics
    lines = {
        "waiting for a worker": told.queue,
        "speech": told.speech,
        "rendering": told.render,
        "merging": told.merge,
        "from acceptance to the first chunk": told.first_chunk,
        "all workers together": told.worker_time,
        "of it in vain": told.wasted_worker_time,
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(style="key")
    table.add_column(justify="right")
    for name, value in lines.items():
        table.add_row(name, f"{seconds(value):.2f} s")
    table.add_row("[bold]total[/]", f"[bold]{seconds(told.total):.2f} s[/]")
    table.add_row("speed", f"{told.realtime_factor:.2f} × real time")
    cached = f"{count(told.cached_chunks, 'chunk')}, {count(told.cached_frames, 'frame')}"
    table.add_row("from the cache", cached if told.cached_chunks else "nothing")
    return table


def ran_where(found: gateway_pb2.Job) -> Table:
    """What each worker did for a job."""
    table = _table("worker", ">attempts", ">frames", ">busy")
    for line in worker_report(found.chunks):
        table.add_row(
            escape(line["worker"]), str(line["attempts"]), str(line["frames"]), brief(line["busy_seconds"])
        )
    return table


def summary(found: gateway_pb2.Job) -> str:
    """A finished job on one line."""
    told, fps = found.result.statistics, rate(frame_rate(found.format.fps))
    facts = [
        f"{found.result.samples / SPEECH_RATE:.1f} s",
        f"{found.result.frames} frames",
        f"{found.format.width}×{found.format.height} at {fps} fps",
        size(found.result.video.size_bytes),
        f"made in {brief(seconds(told.total))} ({told.realtime_factor:.1f} × real time)",
        count(len(told.workers), "worker"),
    ]
    if told.cached_chunks:
        facts.append(f"{told.cached_chunks} of {count(told.chunks, 'chunk')} from the cache")
    return "  [key]·[/]  ".join(facts)


# ---------------------------------------------------------------- the suite


def workers(cluster: gateway_pb2.Cluster) -> RenderableType:
    """A line per worker, what it renders, and the queue."""
    table = _table("worker", "state", "device", "engines (frames/s)", "slots", ">up for")
    renders: dict[str, str] = {}
    for member in cluster.workers:
        worker, name = member.worker, escape(member.worker.name or member.address)
        state = gateway_pb2.WorkerState.Name(member.state).removeprefix("WORKER_STATE_").lower()
        doubt = "\n[warn]suspect[/]" if member.suspect else ""
        table.add_row(
            name,
            f"[{_STATE.get(state, 'good')}]{state}[/]{doubt}",
            escape("\n".join(filter(None, (worker.device.name, _fares(worker))))),
            _speeds(worker),
            f"{worker.busy_slots}/{worker.slots}" if worker.slots else "",
            brief(seconds(worker.uptime)) if worker.HasField("uptime") else "",
        )
        if member.job_id:
            renders[name] = f"renders frames {member.frames.first} – {member.frames.end} of {member.job_id}"
    queue = f"{count(cluster.running_jobs, 'job')} running, {cluster.queued_jobs} waiting"
    parts: list[RenderableType] = [table, Text()]
    if renders:
        parts += [_grid(renders), Text()]
    parts.append(Text(f"{queue}; release {cluster.release}", style="key"))
    if any(_ended(figures) for figures in cluster.statistics):
        parts += [Text(), _lately(cluster.statistics)]
    return Group(*parts)


def _ended(figures: gateway_pb2.ClusterStatistics) -> int:
    return figures.done + figures.failed + figures.cancelled


def _lately(statistics: Iterable[gateway_pb2.ClusterStatistics]) -> Table:
    """What became of jobs, a line per period."""
    table = _table(
        "in the last", ">done", ">failed", ">cancelled", ">video", ">worker time", ">wasted", ">cached"
    )
    for figures in statistics:
        worked, wasted = seconds(figures.worker_time), seconds(figures.wasted_worker_time)
        table.add_row(
            brief(seconds(figures.period)),
            str(figures.done),
            str(figures.failed),
            str(figures.cancelled),
            brief(seconds(figures.video)),
            brief(worked),
            f"{100 * wasted / worked:.0f} %" if worked else "",
            f"{100 * figures.cached_frames / figures.frames:.0f} %" if figures.frames else "",
        )
    return table


def _fares(worker: lipsync_pb2.Worker) -> str:
    """Load, memory, power and heat of the device, as far as they are known."""
    told = worker.telemetry
    parts = [
        f"{100 * told.utilization:.0f} % busy" if told.HasField("utilization") else "",
        size(told.memory_used_bytes) if told.HasField("memory_used_bytes") else "",
        f"{told.power_watts:.0f} W" if told.HasField("power_watts") else "",
        f"{told.temperature_celsius:.0f} °C" if told.HasField("temperature_celsius") else "",
    ]
    return ", ".join(filter(None, parts))


def _speeds(worker: lipsync_pb2.Worker) -> str:
    rates = worker.frames_per_second
    told = [f"{e.name} ({rates[e.name]:.0f})" if e.name in rates else e.name for e in worker.engines]
    return escape("\n".join([", ".join(told), *worker.ailments]).strip())


def voices(found: Iterable[tts_pb2.Voice]) -> Table:
    """A line per voice."""
    table = _table("voice", "language", "default", "engine", "description")
    for voice in found:
        mark = "yes" if voice.is_default else ""
        table.add_row(voice.name, voice.language, mark, voice.engine, escape(voice.description))
    return table


def engines(found: Iterable[common_pb2.Engine]) -> RenderableType:
    """A line per engine, and what it is."""
    table = _table("engine", "chunks", "takes", "longest chunk", "version")
    described: dict[str, str] = {}
    for engine in found:
        kind = common_pb2.EngineClass.Name(engine.engine_class).removeprefix("ENGINE_CLASS_").lower()
        inputs = {"portrait": engine.takes_portrait, "video": engine.takes_video}
        takes = ", ".join(name for name, taken in inputs.items() if taken)
        longest = count(engine.max_chunk_frames, "frame") if engine.max_chunk_frames else "any"
        table.add_row(engine.name, kind, takes, longest, engine.version[:12])
        described[engine.name] = escape(engine.description)
    return Group(table, Text(), _grid(described))


def plan(found: gateway_pb2.PlanJobResponse, width: int) -> RenderableType:
    """What would be rendered where, and how long it would take."""
    about = "" if found.exact else "about "
    fps = rate(frame_rate(found.format.fps))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="key")
    table.add_row("speech", f"{about}{found.samples / SPEECH_RATE:.1f} s")
    table.add_row(
        "video", f"{about}{found.frames} frames, {found.format.width}×{found.format.height} at {fps} fps"
    )
    table.add_row("avatar", _avatar(found.avatar))
    table.add_row("first chunk", f"after {brief(seconds(found.first_chunk))}")
    table.add_row("all of it", f"after {brief(seconds(found.total))}")
    if found.learned_from:
        span = f"{brief(seconds(found.total_low))} – {brief(seconds(found.total_high))}"
        table.add_row("likely", f"{span}, as the last {count(found.learned_from, 'job')} went")
    if found.cached_frames or found.cached_sentences:
        known = f"{count(found.cached_sentences, 'sentence')} and {count(found.cached_frames, 'frame')}"
        part = f"{100 * found.cached_frames / max(1, found.frames):.0f} % of the video"
        table.add_row("known", f"{known} from earlier jobs, {about}{part}")
    table.add_row("alone", f"{brief(seconds(found.total_single))} with one worker")
    for warning in found.warnings:
        table.add_row("note", f"[warn]{escape(warning)}[/]")
    bars = [
        Bar(chunk.worker or "?", seconds(chunk.start), seconds(chunk.end), "planned", str(number))
        for number, chunk in enumerate(found.chunks, 1)
    ]
    parts: list[RenderableType] = [Padding(table, (0, 0, 1, 0))]
    if bars:
        parts.append(Padding(gantt(bars, width - _MARGIN), (0, 0, 1, 0)))
    return Group(*parts, escape(found.advice))


def _avatar(avatar: lipsync_pb2.AvatarInfo) -> str:
    if avatar.kind == lipsync_pb2.AVATAR_KIND_VIDEO:
        what = f"video of {count(avatar.frames, 'frame')} at {rate(frame_rate(avatar.fps))} fps"
    else:
        what = "portrait"
    return f"{what}, {avatar.width}×{avatar.height}, {count(avatar.faces, 'face')}"
