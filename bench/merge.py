"""How fast chunks and speech are merged, and in how much memory.

Run as `python -m bench.merge`. Merges chunks of 10 s at 1280x720, 25 frames/s, into movies of several
lengths, each in a process of its own so that its peak memory is its own.
"""

from __future__ import annotations

import platform
import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from mouthpiece.core.timeline import SPEECH_RATE, Span, sample_at
from mouthpiece.media.encode import ChunkEncoder
from mouthpiece.media.merge import MergeFormat, Merger

FPS = Fraction(25)
WIDTH, HEIGHT = 1280, 720
CHUNK_FRAMES = 250
MINUTES = (1, 10, 60)


@dataclass(frozen=True)
class Figures:
    """Seconds for everything, seconds of it in the AAC encoder, peak memory and size of the movie in MB."""

    total: float
    encoding: float
    peak_mb: float
    movie_mb: float


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chunk = make_chunk(folder)
        print(f"merge of {CHUNK_FRAMES}-frame chunks, {WIDTH}x{HEIGHT} at {FPS} frames/s, on {machine()}")
        print(f"{'movie':>8}{'copy':>20}{'AAC':>20}{'together':>20}{'peak memory':>14}{'file':>10}")
        for minutes in MINUTES:
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                report(minutes, pool.submit(merge, chunk, folder, minutes).result())


def report(minutes: int, figures: Figures) -> None:
    def pace(seconds: float) -> str:
        return f"{seconds:.2f} s = {60 * minutes / seconds:.0f} x"

    copying = figures.total - figures.encoding
    paces = "".join(f"{pace(part):>20}" for part in (copying, figures.encoding, figures.total))
    print(f"{minutes:>4} min{paces}{figures.peak_mb:>11.0f} MB{figures.movie_mb:>7.0f} MB", flush=True)


def make_chunk(folder: Path) -> Path:
    """Encode a moving texture of which about as much changes as of a talking head."""
    rng = np.random.default_rng(1)
    picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    picture[:HEIGHT] = np.kron(rng.integers(60, 180, (HEIGHT // 8, WIDTH // 8)), np.ones((8, 8)))
    with ChunkEncoder(folder / "chunk.mp4", FPS, WIDTH, HEIGHT) as encoder:
        for index in range(CHUNK_FRAMES):
            mouth = picture[400:500, 500:780]
            mouth[:] = np.roll(mouth, 1 + index % 3, axis=0)
            encoder.write(picture)
        return encoder.finish().path


def merge(chunk: Path, folder: Path, minutes: int) -> Figures:
    frames = int(60 * minutes * FPS)
    form = MergeFormat(FPS, WIDTH, HEIGHT)
    output = folder / "movie.mp4"
    speech = make_speech(sample_at(CHUNK_FRAMES, FPS))
    samples = 0
    start = perf_counter()
    with Merger(output, form) as merger:
        for first in range(0, frames, CHUNK_FRAMES):
            merger.add_speech(Span(samples, samples + len(speech) // 2), speech)
            merger.add_chunk(Span(first, first + CHUNK_FRAMES), chunk)
            samples += len(speech) // 2
        merger.finish(frames, samples, "{}")
        figures = Figures(
            perf_counter() - start,
            merger.encode_seconds,
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            output.stat().st_size / 1e6,
        )
    output.unlink()
    return figures


def make_speech(samples: int) -> bytes:
    """Noise that swells and fades four times a second, which costs an encoder about what speech does."""
    rng = np.random.default_rng(2)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * np.arange(samples) / SPEECH_RATE)
    colored = np.convolve(rng.normal(size=samples), np.hanning(24), mode="same")
    pcm: npt.NDArray[np.int16] = (colored / np.abs(colored).max() * swell * 20000).astype("<i2")
    return pcm.tobytes()


def machine() -> str:
    """Processor and number of cores, for the report."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {len(names) or '?'} cores, {sys.platform}"


if __name__ == "__main__":
    main()
