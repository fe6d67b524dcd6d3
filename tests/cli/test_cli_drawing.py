"""What is drawn: figures, bars and the panel of a running job."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from mouthpiece.cli import words
from mouthpiece.cli.console import THEME
from mouthpiece.cli.display import LiveDisplay, PlainDisplay, display
from mouthpiece.cli.gantt import Bar, gantt
from mouthpiece.cli.job_panel import draw
from mouthpiece.cli.tables import job as job_table
from mouthpiece.cli.tables import jobs
from mouthpiece.client.view import JobView
from mouthpiece.errors import Unavailable
from mouthpiece.rpc.convert import duration, timestamp
from mouthpiece.v1 import gateway_pb2
from tests.support.cli_fake_gateway import START, Knobs, finished_job, script


def text_of(picture: RenderableType, width: int = 100) -> str:
    console = Console(width=width, force_terminal=False, highlight=False, theme=THEME)
    with console.capture() as capture:
        console.print(picture)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


@pytest.mark.parametrize(
    ("seconds", "clock", "brief"),
    [
        (0, "0:00", "0.00 s"),
        (7.4, "0:07", "7.4 s"),
        (59.6, "1:00", "59.6 s"),
        (754, "12:34", "13 min"),
        (7384, "2:03:04", "2.1 h"),
        (864_000, "240:00:00", "10 days"),
    ],
)
def test_lengths_of_time_are_written_as_people_read_them(seconds: float, clock: str, brief: str) -> None:
    assert words.clock(seconds) == clock
    assert words.brief(seconds) == brief


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (123_456, "123 kB"), (12 << 30, "12.9 GB")],
)
def test_sizes_are_written_as_people_read_them(count: int, text: str) -> None:
    assert words.size(count) == text


def test_rates_numbers_and_texts_are_short() -> None:
    assert [words.rate(Fraction(rate)) for rate in ("25", "30000/1001", "25/2")] == ["25", "29.97", "12.5"]
    assert words.count(1, "worker") == "1 worker"
    assert words.count(2, "worker") == "2 workers"
    assert words.excerpt("One\n two  three four", 12) == "One two thr…"


# ---------------------------------------------------------------- attempts over time


def test_attempts_are_drawn_to_scale_one_line_per_worker() -> None:
    bars = [Bar("b", 0, 5, "done", "1"), Bar("a", 5, 10, "failed", "2"), Bar("b", 5, 10, "done", "3")]
    lines = text_of(gantt(bars, 40)).splitlines()
    assert lines[0] == "a" + " " * 22 + "░" * 8 + " 2 " + "░" * 9
    assert lines[1] == "b  " + "████████ 1 ████████▊" + "████████ 3 ████████▊"
    assert lines[2].startswith("   │0 s")


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1e5), st.floats(0, 1e4)), max_size=20),
    st.integers(10, 120),
)
@settings(max_examples=40)
def test_no_line_is_wider_than_was_asked_for(attempts: list[tuple[str, float, float]], width: int) -> None:
    bars = [Bar(worker, start, start + length, "done", "1") for worker, start, length in attempts]
    for line in text_of(gantt(bars, width), width=300).splitlines():
        assert len(line) <= width + 3


# ---------------------------------------------------------------- a job under way


def view_after(events: int, knobs: Knobs | None = None) -> JobView:
    view = JobView()
    for event in script(knobs or Knobs())[:events]:
        view.apply(event)
    return view


def test_a_running_job_shows_state_percent_time_left_and_a_bar_per_attempt() -> None:
    told = text_of(draw(view_after(11), elapsed=65, since_event=2.5, height=24))
    head, facts, _, first, second = told.splitlines()
    assert head.startswith("speaking")
    assert head.endswith("42 %  time 1:05  left 0:05")
    assert facts == f"j{'0' * 25}  ·  8.0 s so far, 2 sentences"
    assert first.split()[:4] == ["0", "–", "100", "lipsync-0"]
    assert first.endswith("100/100  done in 2.5 s")
    assert second.endswith("25/100")


def test_many_attempts_are_cut_to_the_height_with_the_running_ones_kept() -> None:
    view = view_after(10_000, Knobs(chunks=60, endless=True))
    running = gateway_pb2.Chunk(id="now", worker="lipsync-9", state=gateway_pb2.CHUNK_STATE_RUNNING)
    running.frames.end = 10
    view.apply(gateway_pb2.JobEvent(chunk=running))
    told = text_of(draw(view, elapsed=1, since_event=0, height=20)).splitlines()
    assert len(told) <= 20
    assert any("lipsync-9" in line for line in told)
    assert told[-1].strip() == "and 47 more"


def test_a_waiting_job_tells_its_place_in_the_queue() -> None:
    view = view_after(1)
    view.apply(gateway_pb2.JobEvent(progress=gateway_pb2.JobProgress(queue_position=2)))
    assert "behind 2 jobs" in text_of(draw(view, elapsed=1, since_event=0, height=20))


def test_a_job_that_nobody_can_render_says_what_it_waits_for() -> None:
    view = view_after(1)
    view.job.waiting.reason = "no worker has [the] engine"
    view.job.waiting.until.FromSeconds(60)
    told = text_of(draw(view, elapsed=1, since_event=0, height=20))
    assert "no worker has [the] engine" in told
    assert "left" not in told
    console = Console(width=200, force_terminal=False, theme=THEME)
    with console.capture() as capture:
        PlainDisplay(console).on_event(gateway_pb2.JobEvent(state=view.job))
        console.print(job_table(view.job, 200))
    assert capture.get().count("no worker has [the] engine") == 2


def test_a_job_says_what_a_person_should_know() -> None:
    view = view_after(1)
    view.job.warnings.append("3 faces found: the largest is animated")
    assert "note: 3 faces found" in text_of(draw(view, elapsed=1, since_event=0, height=20))


def test_a_gateway_that_is_away_is_told_once_in_lines() -> None:
    console = Console(width=100, force_terminal=False, theme=THEME)
    display = PlainDisplay(console)
    with console.capture() as capture:
        for _ in range(5):
            display.on_retry(Unavailable("the gateway is restarting"), 0.1)
    assert capture.get().count("the gateway is restarting") == 1


def test_a_terminal_shows_bars_that_are_drawn_in_place() -> None:
    console = Console(width=100, height=20, force_terminal=True, theme=THEME)
    with console.capture() as capture, display(console) as shown:
        assert isinstance(shown, LiveDisplay)
        shown.on_upload(1 << 20, 4 << 20)
        shown.on_retry(Unavailable("the gateway is restarting"), 2.0)
        for event in script(Knobs()):
            shown.on_event(event)
        shown.on_download(1 << 20, 2 << 20)
    drawn = capture.get()
    assert "receiving 1.0 MB of 2.1 MB" in drawn
    assert drawn.rstrip().rpartition("frames")[2].count("100/100") == 3


def test_what_comes_from_outside_is_not_taken_for_markup() -> None:
    job = finished_job(Knobs())
    job.spec.title = "[red]title[/red]"
    job.chunks[0].worker = "[w]"
    told = text_of(jobs([job], datetime.fromtimestamp(START + 60, UTC)), 140)
    assert "[red]title[/red]" in told
    view = JobView()
    view.apply(gateway_pb2.JobEvent(chunk=job.chunks[0]))
    assert "[w]" in text_of(draw(view, elapsed=0, since_event=0, height=20))


def test_a_job_under_way_shows_how_far_it_is_in_lists() -> None:
    job = gateway_pb2.Job(id="j1", state=gateway_pb2.JOB_STATE_RENDERING, percent=41.7)
    job.created.CopyFrom(timestamp(START))
    job.eta.CopyFrom(duration(3))
    assert "rendering 42 %" in text_of(jobs([job], datetime.fromtimestamp(START + 60, UTC)))
