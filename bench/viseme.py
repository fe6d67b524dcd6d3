"""How fast the embedded engine draws, alone and with the encoder, on one core.

Run as `python -m bench.viseme`. Counts processor time, so that other work on the machine matters less.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from time import process_time

import av
import cv2
import numpy as np

from bench.merge import machine
from mouthpiece.core.timeline import Span
from mouthpiece.media.encode import ChunkEncoder
from services.lipsync.avatar import Avatar
from services.lipsync.avatar.landmarks import FaceTracker
from services.lipsync.avatar.limits import Limits
from services.lipsync.avatar.models import default_models_dir
from services.lipsync.avatar.portrait import draw_portrait
from services.lipsync.avatar.preparation import Format, load, prepare
from services.lipsync.engine import RenderTask
from services.lipsync.engines.viseme.engine import VisemeEngine
from tests.support.viseme_speech import SENTENCE, speech_of, spell

FPS = Fraction(25)
FRAMES = 200
CLIP_FRAMES = 40
SIZES = ((512, 512), (1280, 720))


def main() -> None:
    cv2.setNumThreads(1)
    print(f"viseme engine, one core, {FRAMES} frames of speech, on {machine()}")
    print(f"{'avatar':>10}{'size':>11}{'prepare':>11}{'draw':>16}{'draw + x264':>16}")
    tracker = FaceTracker.load(default_models_dir())
    for width, height in SIZES:
        for kind in ("portrait", "video"):
            with tempfile.TemporaryDirectory() as folder:
                report(kind, make_avatar(Path(folder), kind, width, height, tracker), Path(folder))


def report(kind: str, avatar: Avatar, folder: Path) -> None:
    engine = VisemeEngine()
    engine.load()
    speech = speech_of(spell(" ".join([SENTENCE] * 3)))
    task = RenderTask(Span(0, FRAMES), FPS, speech, seed=1)
    start = process_time()
    prepared = engine.prepare(avatar)
    ready = process_time()
    for _ in engine.render(prepared, task):
        pass
    drawn = process_time()
    with ChunkEncoder(folder / "chunk.mp4", FPS, avatar.width, avatar.height) as encoder:
        for frame in engine.render(prepared, task):
            encoder.write(frame)
        encoder.finish()
    encoded = process_time()
    size = f"{avatar.width}x{avatar.height}"
    paces = "".join(f"{FRAMES / seconds:>10.0f} fps  " for seconds in (drawn - ready, encoded - drawn))
    print(f"{kind:>10}{size:>11}{1e3 * (ready - start):>8.0f} ms{paces}", flush=True)


def make_avatar(folder: Path, kind: str, width: int, height: int, tracker: FaceTracker) -> Avatar:
    """The default portrait with air at its sides, or a clip of it in which the head moves."""
    picture = np.asarray(
        cv2.resize(draw_portrait(), (height, height), interpolation=cv2.INTER_AREA), np.uint8
    )
    air = (width - height) // 2
    picture = np.asarray(cv2.copyMakeBorder(picture, 0, 0, air, air, cv2.BORDER_REPLICATE), np.uint8)
    path = folder / ("avatar.mp4" if kind == "video" else "avatar.png")
    if kind == "video":
        write_clip(path, picture)
    else:
        cv2.imwrite(str(path), picture)
    prepared = folder / "prepared"
    prepared.mkdir()
    prepare(path, prepared, Format(FPS, width, height), tracker, Limits())
    return load(prepared, "bench")[0]


def write_clip(path: Path, picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    height, width = picture.shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "12", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(CLIP_FRAMES):
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), 0.1 * index, 1.0)
            moved = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
            frame = av.VideoFrame.from_ndarray(np.asarray(moved, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
