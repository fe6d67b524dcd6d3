"""How fast Wav2Lip renders, alone and with the encoder, against a plain loop over the same network.

Run as `python -m bench.wav2lip`. Weights are random: speed does not depend on them. On the processor it
counts processor time of one thread, so that other work on the machine matters less.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch

from bench.merge import machine
from bench.viseme import make_avatar
from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import Span, samples_of
from mouthpiece.media.encode import ChunkEncoder, working_encoders
from mouthpiece.media.quality import Encoder
from mouthpiece.settings import LipSyncSettings
from services.lipsync.avatar import Avatar
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.models import default_models_dir
from services.lipsync.engine import Frame, RenderTask
from services.lipsync.engines.wav2lip.accelerator import DeviceNetwork
from services.lipsync.engines.wav2lip.architecture import FRAME_MACS
from services.lipsync.engines.wav2lip.checkpoint import read_weights
from services.lipsync.engines.wav2lip.clip import Clip
from services.lipsync.engines.wav2lip.engine import VARIANTS, Prepared, Wav2LipEngine
from services.lipsync.engines.wav2lip.network import Wav2Lip, build
from services.lipsync.engines.wav2lip.processor import BATCH, Functions, ProcessorNetwork

FPS = Fraction(25)
WIDTH, HEIGHT = 512, 512
PROCESSOR_FRAMES, DEVICE_FRAMES = 80, 2000
PLAIN_FRAMES = 20
BATCHES = (1, 32, 128)
MATRIX = 1024
MINUTES = (1, 30)
CHUNK_FRAMES = 250
SMALL = 128

Clock = Callable[[], float]


def main() -> None:
    torch.set_num_threads(1)
    gpu = torch.cuda.is_available()
    where = torch.cuda.get_device_name() if gpu else f"one thread of {machine()}"
    print(f"Wav2Lip, {2 * FRAME_MACS / 1e9:.2f} GFLOP a frame, {WIDTH}x{HEIGHT}, on {where}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save(Wav2Lip().state_dict(), folder / "wav2lip_gan.pth")
        tracker = FaceTracker.load(default_models_dir())
        avatar = make_avatar(folder, "video", WIDTH, HEIGHT, tracker)
        if gpu:
            on_device(folder, avatar)
        else:
            on_processor(folder, avatar)
            small = folder / "small"
            small.mkdir()
            remember(folder, make_avatar(small, "video", SMALL, SMALL, tracker))


def on_processor(folder: Path, avatar: Avatar) -> None:
    """Each way in turns, the best of three, so that a slow moment does not fall on one of them."""
    engine = loaded(folder)
    network = build(read_weights(folder / "wav2lip_gan.pth"))
    peak = max(matmul_flops("cpu", torch.float32, process_time) for _ in range(3))
    plain: list[float] = []
    ours: list[float] = []
    for _ in range(3):
        plain.append(PLAIN_FRAMES / plain_loop(network))
        ours.append(PROCESSOR_FRAMES / rendering(engine, avatar, PROCESSOR_FRAMES, process_time))
    both = PROCESSOR_FRAMES / rendering(engine, avatar, PROCESSOR_FRAMES, process_time, folder / "a.mp4")
    floor = peak / (2 * FRAME_MACS)
    print(f"{'matrix product':>34}{peak / 1e9:>9.1f} GFLOP/s: {floor:.1f} fps")
    report("eager float32 loop, one by one", max(plain), floor)
    report("engine", max(ours), floor)
    report("engine and x264", both, floor)
    print(f"{'engine against loop':>34}{max(ours) / max(plain):>9.2f} times as fast")


def on_device(folder: Path, avatar: Avatar) -> None:
    """The network alone in batches, then whole frames."""
    peak = max(matmul_flops("cuda", torch.float16, perf_counter) for _ in range(3))
    floor = peak / (2 * FRAME_MACS)
    print(f"{'matrix product, half precision':>34}{peak / 1e12:>9.1f} TFLOP/s: {floor:.0f} fps at most")
    for batch in BATCHES:
        report(f"network, batch {batch}", network_pace(folder, batch), floor)
    engine = loaded(folder)
    rendering(engine, avatar, 100, perf_counter)
    report("engine", DEVICE_FRAMES / rendering(engine, avatar, DEVICE_FRAMES, perf_counter), floor)
    for encoder in working_encoders():
        encoded = rendering(engine, avatar, DEVICE_FRAMES, perf_counter, folder / "a.mp4", encoder)
        report(f"engine and {encoder}", DEVICE_FRAMES / encoded, floor)


def report(what: str, pace: float, floor: float) -> None:
    print(f"{what:>34}{pace:>9.1f} fps, {100 * pace / floor:.0f} % of that", flush=True)


def remember(folder: Path, avatar: Avatar) -> None:
    """Peak memory of processes that render a short and a long job, chunk after chunk.

    The network is loaded, but in the place of its sums there is a copy, or this would take hours.
    """
    for minutes in MINUTES:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            peak = pool.submit(long_job, folder, avatar, minutes).result()
        print(f"{f'peak memory, job of {minutes} min':>34}{peak:>9.0f} MB", flush=True)


def long_job(folder: Path, avatar: Avatar, minutes: int) -> float:
    """Peak memory in MB."""
    engine = loaded(folder)
    list(frames_of(engine, engine.prepare(avatar), Span(0, BATCH)))
    network = ProcessorNetwork(Functions(lambda faces: [faces], lambda _, features: features[0][:, 3:]), "")
    clip = Clip.of(avatar)
    prepared = Prepared(clip, (network.painter(clip),))
    for first in range(0, int(minutes * 60 * FPS), CHUNK_FRAMES):
        with ChunkEncoder(folder / "chunk.mp4", FPS, avatar.width, avatar.height) as encoder:
            for frame in frames_of(engine, prepared, Span(first, first + CHUNK_FRAMES)):
                encoder.write(frame)
            encoder.finish()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def loaded(folder: Path) -> Wav2LipEngine:
    engine = Wav2LipEngine(VARIANTS["wav2lip"], LipSyncSettings(weights=folder))
    engine.load()
    return engine


def plain_loop(network: Wav2Lip) -> float:
    """Seconds for the network as published, a frame at a time."""
    mel, face = torch.zeros(1, 1, 80, 16), torch.zeros(1, 6, 96, 96)
    with torch.inference_mode():
        network(mel, face)
        start = process_time()
        for _ in range(PLAIN_FRAMES):
            network(mel, face)
        return process_time() - start


def rendering(
    engine: Wav2LipEngine,
    avatar: Avatar,
    frames: int,
    clock: Clock,
    path: Path | None = None,
    encoder: Encoder = Encoder.X264,
) -> float:
    """Seconds for whole frames, encoded if a path is given."""
    prepared = engine.prepare(avatar)
    start = clock()
    if path is None:
        for _ in frames_of(engine, prepared, Span(0, frames)):
            pass
        return clock() - start
    with ChunkEncoder(path, FPS, avatar.width, avatar.height, encoder=encoder) as writer:
        for frame in frames_of(engine, prepared, Span(0, frames)):
            writer.write(frame)
        writer.finish()
    return clock() - start


def frames_of(engine: Wav2LipEngine, prepared: Prepared, frames: Span) -> Iterator[Frame]:
    samples = samples_of(frames, FPS)
    needed = Span(max(0, samples.first - engine.info.lead_samples), samples.end + engine.info.tail_samples)
    pcm = np.random.default_rng(1).integers(-9000, 9000, len(needed)).astype("<i2")
    task = RenderTask(frames, FPS, SpeechSlice(needed, pcm.tobytes()), seed=1)
    return engine.render(prepared, task)


def network_pace(folder: Path, batch: int) -> float:
    """Frames per second of the network on the GPU: faces, which are there, are encoded anew each time."""
    network = build(read_weights(folder / "wav2lip_gan.pth"))
    network.fold()
    device = DeviceNetwork(network, torch.device("cuda"), torch.float16, batch)
    mels = np.zeros((batch, 1, 80, 16), np.float32)
    faces = torch.zeros((batch, 6, 96, 96), device="cuda", dtype=torch.float16)
    faces = faces.contiguous(memory_format=torch.channels_last)
    rounds = max(10, 2000 // batch)
    device.decode(mels, device.encode(faces))
    torch.cuda.synchronize()
    start = perf_counter()
    for _ in range(rounds):
        device.decode(mels, device.encode(faces))
    torch.cuda.synchronize()
    return batch * rounds / (perf_counter() - start)


def matmul_flops(device: str, dtype: torch.dtype, clock: Clock) -> float:
    """Operations per second of a product of square matrices."""
    side = MATRIX if device == "cpu" else 8 * MATRIX
    one = torch.ones(side, side, device=device, dtype=dtype)
    torch.mm(one, one)
    _settle(device)
    start = clock()
    for _ in range(20):
        torch.mm(one, one)
    _settle(device)
    return 20 * 2 * side**3 / (clock() - start)


def _settle(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
