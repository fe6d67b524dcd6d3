"""`make demo`: starts the whole suite, has it say about 20 seconds, checks the video, stops everything."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from rich.markup import escape
from rich.padding import Padding

from mouthpiece.cli import tables
from mouthpiece.cli.console import err, out
from mouthpiece.cli.display import display
from mouthpiece.cli.errors import guarded
from mouthpiece.cli.generate import write_statistics
from mouthpiece.cli.running import run
from mouthpiece.client import Client, VideoOptions
from mouthpiece.client.files import check_writable
from mouthpiece.client.report import frame_rate
from mouthpiece.core.timeline import SPEECH_RATE, frame_count
from mouthpiece.media.probe import frame_times, index_comes_first, read_movie
from mouthpiece.suite import Suite, SuiteConfig
from mouthpiece.v1 import gateway_pb2

WORKERS = 2
TEXT = """\
Hello! I am a picture that has learned to speak. You gave me these words, and four small services did the
rest. One of them turned the text into a voice. Two workers moved my lips, each with its own part of the
speech. The last one put the pieces together, and I hope that you cannot see where they meet.
"""
OPTIONS = VideoOptions(mode="chunked", chunk_seconds=3, title="Mouthpiece demo")


async def make(video: Path, statistics: Path) -> gateway_pb2.Job:
    """Render the demo with a suite of its own, which is gone when this returns."""
    check_writable(video, "output")
    check_writable(statistics, "stats")
    with tempfile.TemporaryDirectory(prefix="mouthpiece-demo-") as data:
        config = SuiteConfig(Path(data), WORKERS, grpc_port=0, drain_seconds=5)
        err().print(f"starting gateway, speech service, merger and {WORKERS} workers")
        async with Suite(config) as suite, Client(suite.address) as client:
            shown = display(err())
            with shown:
                job = await client.generate(video, text=TEXT, options=OPTIONS, on_event=shown.on_event)
        err().print("everything is stopped")
    write_statistics(statistics, job)
    return job


def checks(job: gateway_pb2.Job, video: Path) -> Iterator[tuple[str, bool]]:
    """What the file must be, in words, and whether it is."""
    fps = frame_rate(job.format.fps)
    seconds = Fraction(job.result.samples, SPEECH_RATE)
    times = frame_times(video)
    movie = read_movie(video)
    wanted = frame_count(job.result.samples, fps)
    yield f"{len(times)} frames = round({float(seconds):.3f} s × {fps} fps) = {wanted}", len(times) == wanted
    steps = {later - earlier for earlier, later in pairwise(times)}
    yield f"a frame every 1/{fps} s, from 0 on", steps == {1 / fps} and times[0] == 0
    picture, sound = movie.video, movie.audio
    if picture is None or sound is None:
        yield "a picture and a sound", False
        return
    apart = abs(picture.duration - sound.duration)
    yield f"picture and sound are equally long to {float(1000 * apart):.1f} ms", apart <= 1 / fps
    yield "the index stands before the data", index_comes_first(video)
    used = len(job.result.statistics.workers)
    yield f"{used} of {WORKERS} workers had a part in it", used == WORKERS


def main() -> int:
    """Make the demo, show what ran where, and check the result."""
    folder = Path("out")
    folder.mkdir(exist_ok=True)
    video, statistics = folder / "demo.mp4", folder / "demo.json"
    job = run(make(video, statistics))
    out().print(tables.job(job, out().width))
    out().print("\n[bold]what each worker did[/]")
    out().print(Padding(tables.ran_where(job), (0, 0, 1, 2)))
    failed = 0
    for words, holds in checks(job, video):
        failed += not holds
        out().print(f"[good]ok[/]     {words}" if holds else f"[bad]WRONG[/]  {words}")
    out().print(f"\n[bold]{escape(str(video))}[/]  {tables.summary(job)}", soft_wrap=True)
    out().print(f"[bold]{escape(str(statistics))}[/]  everything about it as JSON", soft_wrap=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(guarded(main))
