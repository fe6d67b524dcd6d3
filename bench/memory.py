"""Peak memory of every service for short and long jobs, each in a suite of its own.

Run as `python -m bench.memory`, or for one engine: `python -m bench.memory wav2lip`. Pictures are small and
few a second, for memory is to depend on neither the number of frames nor the length of the speech.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bench.merge import machine
from mouthpiece.client import VideoOptions
from tests.support.faces import clip_file
from tests.support.running_suite import RunningSuite, start_suite

SIDE = 128
SERVICES = ("gateway", "tts", "merger", "lipsync-0")
SENTENCE = "Sentence number {} tells how much is kept of what was said before it, and how much is let go."
SENTENCE_SECONDS = 5.6


@dataclass(frozen=True, slots=True)
class Case:
    """An engine, what it animates, and jobs of how many minutes."""

    engine: str
    avatar: str
    minutes: tuple[int, int]
    fps: Fraction


CASES = (
    Case("viseme", "portrait", (1, 30), Fraction(10)),
    Case("viseme", "video", (1, 30), Fraction(10)),
    Case("wav2lip", "video", (1, 5), Fraction(5)),
)


def main() -> None:
    wanted = sys.argv[1:]
    print(f"peak memory in MB, {SIDE}x{SIDE}, on {machine()}")
    print(
        f"{'engine':>9}{'avatar':>10}{'minutes':>9}{'frames':>8}"
        + "".join(f"{name:>12}" for name in SERVICES)
    )
    for case in CASES:
        if not wanted or case.engine in wanted:
            report(case)


def report(case: Case) -> None:
    short, long = (peaks(case, minutes) for minutes in case.minutes)
    print(" " * 36 + "".join(f"{b / a - 1:>+12.1%}" for a, b in zip(short, long, strict=True)), flush=True)


def peaks(case: Case, minutes: int) -> list[float]:
    """Peak memory of every service in MB after a job of so many minutes."""
    text = " ".join(SENTENCE.format(number) for number in range(round(60 * minutes / SENTENCE_SECONDS)))
    options = VideoOptions(engine=case.engine, fps=case.fps, width=SIDE, height=SIDE, quality="low", seed=1)
    with tempfile.TemporaryDirectory() as name, suite(case, Path(name)) as running:
        avatar = clip_file(Path(name) / "clip.mp4", 50, case.fps, 192) if case.avatar == "video" else ""
        job = running.client.generate(Path(name) / "out.mp4", text=text, avatar=avatar, options=options)
        found = [_peak_mb(running.service(service)) for service in SERVICES]
    made = float(job.result.frames / case.fps / 60)
    figures = "".join(f"{peak:>12.0f}" for peak in found)
    print(f"{case.engine:>9}{case.avatar:>10}{made:>9.1f}{job.result.frames:>8}{figures}", flush=True)
    return found


@contextmanager
def suite(case: Case, folder: Path) -> Generator[RunningSuite]:
    """All services as processes, with one worker."""
    environment = {"MOUTHPIECE_LIPSYNC_ENGINES": case.engine}
    if case.engine == "wav2lip":
        import torch

        from tests.support.wav2lip_weights import seeded_weights, training_checkpoint

        checkpoint = folder / "wav2lip_gan.pth"
        torch.save(training_checkpoint(seeded_weights()), checkpoint)
        environment["MOUTHPIECE_LIPSYNC_WAV2LIP_GAN"] = str(checkpoint)
    yield from start_suite(folder / "data", 1, environment)


def _peak_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) / 1024


if __name__ == "__main__":
    main()
