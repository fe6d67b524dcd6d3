"""A HeyGem video container without a GPU: its routes, its codes and all its bad habits.

`python -m tests.support.heygem_video FOLDER [--port 8383] [--speed 50]` runs one by hand; FOLDER is what it
shares, as `/code/data`. The face does not talk: the result is the avatar's clip, looped from its frame 0, for
as long as the speech lasts.
"""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
import wave
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import numpy as np
import numpy.typing as npt

INSIDE = "/code/data"
QUEUE_FULL = "任务视频驱动队列满，严重阻塞，下游队列异常"
NOT_SEEN = "三次获取音频时长失败"

Planes = npt.NDArray[np.uint8]


@dataclass
class Habits:
    """How it behaves; may be changed at any time."""

    warm_up: float = 0.0
    """Seconds after its start before it listens; the real one takes 15."""
    frames_per_second: float = 2000.0
    cap: float = 600.0
    """Seconds after which a task dies."""
    held: threading.Event | None = None
    """Rendering waits for it."""
    busy_for: int = 0
    """So many submissions are refused as if somebody else's task ran."""
    queue_full: bool = False
    result_folder: str = "temp"
    ending: str = ".mp4"
    names_folder: bool = False
    """Whether the result is named with its folder, which the real one leaves out."""
    encodes_twice: bool = False
    growing: int = 0
    """The result is written in so many pieces, after the task was called done."""
    pieces: threading.Semaphore | None = None
    """Permits for the pieces."""
    loses_end: bool = False
    """The answer that tells the end of a task is lost on its way."""
    forgets: bool = False
    """A restart happens in the middle of the next task."""
    fails: str = ""
    """Every task ends with this error."""
    ill: int = 0
    """HTTP status of every answer; 200 with a page that is no answer. 0: it is well."""
    ill_for: int = 1_000_000
    """It is well again after so many answers."""
    lies: str = ""
    """"missing", "short", "black" or "garbled": what the result is although it is called a success."""


@dataclass
class FakeTask:
    """A task in its memory."""

    status: int = 1
    progress: int = 0
    result: str = ""
    msg: str = ""
    frames: int = 0


@dataclass
class FakeHeygem:
    """One container on a port of this machine, sharing `folder`."""

    folder: Path
    habits: Habits = field(default_factory=Habits)
    port: int = 0
    submissions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    answers: list[int] = field(default_factory=list[int])
    """Outer codes of all answers to submissions."""
    tasks: dict[str, FakeTask] = field(default_factory=dict[str, FakeTask])
    queries: int = 0
    rendering: threading.Event = field(default_factory=threading.Event)
    _place: socket.socket | None = None
    _server: HTTPServer | None = None
    _dead: threading.Event = field(default_factory=threading.Event)
    _life: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen: when this returns, unless it has to warm up. Its port is known at once."""
        if self._place is None:
            self._place = _reserved(self.port)
            self.port = self._place.getsockname()[1]
        server = HTTPServer(("127.0.0.1", self.port), _handler(self), bind_and_activate=False)
        server.allow_reuse_address = True
        server.server_bind()
        if not self.habits.warm_up:
            server.server_activate()
        self._server, self._dead = server, threading.Event()
        threading.Thread(target=self._listen, args=(server, self._dead), daemon=True).start()

    def stop(self) -> None:
        """It dies, and with it what it remembers and renders."""
        server, self._server = self._server, None
        self._life += 1
        self.tasks.clear()
        self._dead.set()
        if server is not None:
            server.shutdown()
            server.server_close()

    def close(self) -> None:
        """It dies for good."""
        self.stop()
        if self._place is not None:
            self._place.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _listen(self, server: HTTPServer, dead: threading.Event) -> None:
        """Answer until it is shut down, which waits for this to end: also when it was dead before."""
        if self.habits.warm_up and not dead.wait(self.habits.warm_up):
            server.server_activate()
        server.serve_forever(0.005)

    # ------------------------------------------------------------ routes

    def submit(self, body: dict[str, Any]) -> dict[str, Any]:
        code = body["code"]  # a missing one is not caught: HTTP 500
        self.submissions.append(body)
        answer = self._submit(code, body)
        self.answers.append(answer["code"])
        return answer

    def _submit(self, code: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.habits.queue_full:
            return _answer(9999, QUEUE_FULL, success=False)
        for name in ("audio_url", "video_url"):
            if not body.get(name):
                return _answer(10002, f"{name} is missing", success=False)
        if self.habits.busy_for or any(task.status == 1 for task in self.tasks.values()):
            self.habits.busy_for = max(0, self.habits.busy_for - 1)
            return _answer(10001, "busy", success=True)
        self.tasks[code] = FakeTask()
        threading.Thread(target=self._work, args=(code, body, self._life), daemon=True).start()
        return _answer(10000, 10000, success=True)

    def query(self, code: str) -> dict[str, Any]:
        task = self.tasks.get(code)
        self.queries += 1
        if task is None:
            return _answer(10004, "no such task", success=True)
        data = {
            "code": code,
            "status": task.status,
            "progress": task.progress,
            "result": task.result,
            "msg": task.msg,
        }
        if task.status != 1:
            del self.tasks[code]
        if task.status == 2:
            data |= {"cost": 1, "video_duration": 1000, "width": 0, "height": 0}
        return _answer(10000, "", success=True, data=data)

    # ------------------------------------------------------------ work

    def _work(self, code: str, body: dict[str, Any], life: int) -> None:
        task = self.tasks[code]
        start = time.monotonic()
        audio, video = (self._path(body[name]) for name in ("audio_url", "video_url"))
        if not audio.exists() or not video.exists():
            task.status, task.msg = 3, NOT_SEEN
            return
        task.progress = 5
        frames = _looped(video, audio)
        task.frames, task.progress = len(frames), 20
        self.rendering.set()
        if self.habits.held is not None:
            self.habits.held.wait(60)
        time.sleep(min(len(frames) / self.habits.frames_per_second, self.habits.cap))
        if self._life != life:
            return
        if self.habits.forgets:
            self.habits.forgets = False
            self.tasks.clear()
            return
        if self.habits.fails or time.monotonic() - start > self.habits.cap:
            task.status, task.msg = 3, self.habits.fails or "no final result"
            return
        self._deliver(code, task, frames, _rate(video))

    def _deliver(self, code: str, task: FakeTask, frames: list[Planes], fps: Fraction) -> None:
        habits = self.habits
        name = f"{code}-r{habits.ending}"
        path = self.folder / habits.result_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        task.result = f"/{habits.result_folder}/{name}" if habits.names_folder else f"/{name}"
        content = _encoded(_spoiled(frames, habits.lies), fps, path)
        content = b"not a video" if habits.lies == "garbled" else content
        if habits.lies == "missing":
            content = b""
        elif not habits.growing:
            path.write_bytes(content)
        task.progress, task.status = 100, 2
        if habits.growing and content:
            size = -(-len(content) // habits.growing)
            for first in range(0, len(content), size):
                if habits.pieces is not None:
                    habits.pieces.acquire(timeout=60)
                with path.open("ab") as file:
                    file.write(content[first : first + size])

    def _path(self, sent: str) -> Path:
        """A path as it is sent: absolute in the container, or relative to its own `temp`."""
        if sent.startswith("/"):
            return self.folder / sent.removeprefix(INSIDE).lstrip("/")
        return self.folder / "temp" / sent


def _answer(code: int, msg: object, *, success: bool, data: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"code": code, "success": success, "msg": msg, "data": data or {}}


def _reserved(port: int) -> socket.socket:
    """Keeps a port for a server that comes and goes."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", port))
    return place


def _handler(fake: FakeHeygem) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the framework's name
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if urlsplit(self.path).path == "/easy/submit":
                self._answer(lambda: fake.submit(json.loads(body)))
            else:
                self.send_error(404)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/easy/query":
                self._answer(lambda: fake.query(parse_qs(parts.query)["code"][0]))
            else:
                self.send_error(404)

        def _answer(self, work: Any) -> None:
            if fake.habits.ill and fake.habits.ill_for:
                fake.habits.ill_for -= 1
                self.send_response(fake.habits.ill)
                self.send_header("Content-Length", "9")
                self.end_headers()
                self.wfile.write(b"<p>wait</p>"[:9])
                return
            try:
                document = work()
            except KeyError:
                self.send_error(500)
                return
            if fake.habits.loses_end and document["data"].get("status", 1) != 1:
                fake.habits.loses_end = False
                self.close_connection = True
                return
            text = json.dumps(document, indent=4, ensure_ascii=False)
            body = (json.dumps(text) if fake.habits.encodes_twice else text).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the framework's name
            """Say nothing."""

    return Handler


def _rate(video: Path) -> Fraction:
    with av.open(str(video)) as container:
        return container.streams.video[0].average_rate or Fraction(25)


def _looped(video: Path, audio: Path) -> list[Planes]:
    """The clip from its frame 0 on, again and again, for as long as the speech lasts."""
    with wave.open(str(audio)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        seconds = Fraction(file.getnframes(), 16000)
    with av.open(str(video)) as container:
        assert container.streams.audio, "the avatar video must have sound"
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        rate = stream.average_rate or Fraction(25)
        clip = [np.asarray(frame.to_ndarray(), np.uint8) for frame in container.decode(video=0)]
    return [clip[number % len(clip)] for number in range(max(1, round(seconds * rate)))]


def _spoiled(frames: list[Planes], lie: str) -> list[Planes]:
    if lie == "short":
        return frames[: len(frames) // 2]
    if lie == "black":
        height = frames[0].shape[0] * 2 // 3
        black = np.full_like(frames[0], 128)
        black[:height] = 16
        return [black] * len(frames)
    return frames


def _encoded(frames: list[Planes], fps: Fraction, path: Path) -> bytes:
    """The result as a file's content."""
    unfinished = path.with_name(f"unfinished-{path.name}")
    with av.open(str(unfinished), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "8", "preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace = 1
        for planes in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
    content = unfinished.read_bytes()
    unfinished.unlink()
    return content


@contextmanager
def container(folder: Path, habits: Habits | None = None) -> Generator[FakeHeygem]:
    """A container that runs inside the context."""
    folder.mkdir(parents=True, exist_ok=True)
    fake = FakeHeygem(folder, habits or Habits())
    fake.start()
    try:
        yield fake
    finally:
        if fake.habits.held is not None:
            fake.habits.held.set()
        fake.close()


def main() -> None:
    """Run one until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A HeyGem video container without a GPU.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8383)
    parser.add_argument("--speed", type=float, default=50, help="frames per second")
    parser.add_argument("--warm-up", type=float, default=15, help="seconds before it listens")
    wanted = parser.parse_args()
    habits = Habits(warm_up=wanted.warm_up, frames_per_second=wanted.speed)
    fake = FakeHeygem(wanted.folder, habits, wanted.port)
    fake.start()
    print(f"a HeyGem container at {fake.url}, sharing {wanted.folder}")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    fake.close()


if __name__ == "__main__":
    main()
