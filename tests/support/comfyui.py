"""A ComfyUI without models: its routes, its queue, and how it forgets everything when it restarts.

`python -m tests.support.comfyui FOLDER [--port 8188]` runs one by hand. A workflow of node types `LoadImage`,
`LoadAudio`, `FakeS2V` and `SaveImage` makes clips whose pictures can be checked: each is a pure function of
portrait, sound, prompt, seed and motion.
"""

from __future__ import annotations

import argparse
import json
import threading
import wave
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import cv2
import numpy as np
import numpy.typing as npt

CLIP, LOST, MOTION = 80, 3, 73
Pictures = npt.NDArray[np.uint8]


def workflow(*, motion: bool) -> dict[str, Any]:
    """What an operator would export, with placeholders."""
    nodes: dict[str, Any] = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "{{image}}"}},
        "2": {"class_type": "LoadAudio", "inputs": {"audio": "{{audio}}"}},
        "4": {
            "class_type": "FakeS2V",
            "inputs": {
                "ref": ["1", 0],
                "audio": ["2", 0],
                "prompt": "masterpiece, {{prompt}}",
                "seed": "{{seed}}",
                "width": "{{width}}",
                "height": "{{height}}",
                "length": "{{frames}}",
            },
        },
        "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "clip"}},
    }
    if motion:
        nodes["3"] = {"class_type": "LoadImage", "inputs": {"image": "{{motion}}"}}
        nodes["4"]["inputs"]["motion"] = ["3", 0]
    return nodes


def write_workflows(folder: Path) -> tuple[Path, Path]:
    paths = folder / "first.json", folder / "next.json"
    for path, motion in zip(paths, (False, True), strict=True):
        path.write_text(json.dumps(workflow(motion=motion)), encoding="utf-8")
    return paths


@dataclass
class Manners:
    """How it behaves; may be changed at any time."""

    held: threading.Event | None = None
    """Rendering waits for it."""
    fails: str = ""
    """The next workflow fails with this message."""
    loses: int = 0
    """So many prompts are lost in a restart right after they were accepted."""
    whole_first: bool = True
    """Whether the first clip of a chain comes with the 3 pictures that are to be dropped."""
    pictures: int = CLIP
    temporary: bool = False
    """Whether what it saves is marked as temporary."""


@dataclass
class FakeComfy:
    """One on a port of this machine."""

    folder: Path
    manners: Manners = field(default_factory=Manners)
    port: int = 0
    prompts: list[str] = field(default_factory=list[str])
    interrupts: list[str] = field(default_factory=list[str])
    history: dict[str, Any] = field(default_factory=dict[str, Any])
    pending: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    running: str = ""
    rendering: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None
    _wake: threading.Condition = field(default_factory=threading.Condition)
    _life: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        for name in ("input", "output"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        server = ThreadingHTTPServer(("127.0.0.1", self.port), type("_Handler", (_Handler,), {"fake": self}))
        server.daemon_threads = True
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
        threading.Thread(target=self._work, args=(self._life,), daemon=True).start()

    def stop(self) -> None:
        """It dies, and forgets queue and history; files stay."""
        server, self._server = self._server, None
        with self._wake:
            self._life += 1
            self._forget()
            self._wake.notify_all()
        if server is not None:
            server.shutdown()
            server.server_close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _forget(self) -> None:
        self.history.clear()
        self.pending.clear()
        self.running = ""

    # ------------------------------------------------------------ routes

    def submit(self, body: dict[str, Any]) -> tuple[int, Any]:
        nodes, prompt_id = body["prompt"], body["prompt_id"]
        unknown = {node["class_type"] for node in nodes.values()} - {
            "LoadImage",
            "LoadAudio",
            "FakeS2V",
            "SaveImage",
        }
        if unknown:
            return 400, {
                "error": {"type": "invalid_prompt", "message": f"no node {unknown}"},
                "node_errors": {},
            }
        with self._wake:
            self.prompts.append(prompt_id)
            if self.manners.loses:
                self.manners.loses -= 1
                self._forget()
            else:
                self.pending.append((prompt_id, nodes))
                self._wake.notify_all()
        return 200, {"prompt_id": prompt_id, "number": len(self.prompts), "node_errors": {}}

    def queue(self) -> dict[str, Any]:
        with self._wake:
            running = [[0, self.running, {}, {}, []]] if self.running else []
            return {"queue_running": running, "queue_pending": [[1, p, {}, {}, []] for p, _ in self.pending]}

    def delete(self, body: dict[str, Any]) -> None:
        with self._wake:
            self.pending = [item for item in self.pending if item[0] not in body.get("delete", [])]

    def interrupt(self, body: dict[str, Any]) -> None:
        self.interrupts.append(body.get("prompt_id", ""))

    # ------------------------------------------------------------ work

    def _work(self, life: int) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self.pending or self._life != life)
                if self._life != life:
                    return
                self.running, nodes = self.pending.pop(0)
                prompt_id = self.running
            self.rendering.set()
            if self.manners.held is not None:
                self.manners.held.wait(60)
            entry = self._carry_out(prompt_id, nodes)
            with self._wake:
                if self._life != life:
                    return
                self.history[prompt_id] = entry
                self.running = ""

    def _carry_out(self, prompt_id: str, nodes: dict[str, Any]) -> dict[str, Any]:
        if self.manners.fails:
            message, self.manners.fails = self.manners.fails, ""
            told = [["execution_start", {}], ["execution_error", {"exception_message": message}]]
            return {"outputs": {}, "status": {"status_str": "error", "completed": False, "messages": told}}
        saved: dict[str, Any] = {}
        for number, node in nodes.items():
            if node["class_type"] == "SaveImage":
                pictures = self._value(nodes, node["inputs"]["images"])
                saved[number] = {"images": [self._save(prompt_id, n, p) for n, p in enumerate(pictures)]}
        return {"outputs": saved, "status": {"status_str": "success", "completed": True, "messages": []}}

    def _save(self, prompt_id: str, number: int, picture: Pictures) -> dict[str, str]:
        name = f"{prompt_id}_{number:05}_.png"
        cv2.imwrite(str(self.folder / "output" / name), picture[:, :, ::-1])
        kind = "temp" if self.manners.temporary else "output"
        return {"filename": name, "subfolder": "", "type": kind}

    def _value(self, nodes: dict[str, Any], link: list[Any]) -> Any:
        node = nodes[link[0]]
        inputs = node["inputs"]
        match node["class_type"]:
            case "LoadImage":
                return load_pictures(self.folder / "input" / inputs["image"])
            case "LoadAudio":
                return _load_sound(self.folder / "input" / inputs["audio"])
            case _:
                given = {k: self._value(nodes, v) if isinstance(v, list) else v for k, v in inputs.items()}
                return self._s2v(given)

    def _s2v(self, given: dict[str, Any]) -> Pictures:
        assert isinstance(given["seed"], int)
        assert given["ref"].shape[1:3] == (given["height"], given["width"])
        made = s2v(given["ref"][0], given["audio"], given["prompt"], given["seed"], given.get("motion"))
        made = made[: self.manners.pictures]
        return made if "motion" in given or self.manners.whole_first else made[LOST:]


def s2v(
    portrait: Pictures,
    sound: npt.NDArray[np.int16],
    prompt: str,
    seed: int,
    motion: Pictures | None,
) -> Pictures:
    """Pictures that depend on everything that is given: 80 of the portrait's size.

    Motion moves on from its last picture by a step for each picture; sound shows as brightness of the middle.
    """
    mark = (sum(prompt.encode()) * 7 + seed * 13) % 97
    begin = 0 if motion is None else int(motion[-1, 0, 0, 0]) + 1
    if motion is not None:
        assert motion.shape == (MOTION, *portrait.shape)
        mark = (mark + int(motion.astype(np.int64).sum() % 89)) % 97
    loud = [int(np.abs(part.astype(np.int32)).mean()) % 256 for part in np.array_split(sound, CLIP)]
    made = np.repeat(portrait[np.newaxis], CLIP, 0)
    for number in range(CLIP):
        made[number, :4, :4] = (begin + number) % 256
        made[number, 0, 8] = mark
        made[number, 4:12, 4:12] = loud[number]
    return made


def load_pictures(path: Path) -> Pictures:
    """All pictures of a file, as LoadImage reads them: (n, height, width, 3), RGB."""
    with av.open(str(path)) as container:
        frames = [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in container.decode(video=0)]
    return np.stack(frames)


def _load_sound(path: Path) -> npt.NDArray[np.int16]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)


class _Handler(BaseHTTPRequestHandler):
    fake: FakeComfy

    def do_GET(self) -> None:  # the framework's name
        parts = urlsplit(self.path)
        if parts.path.startswith("/history/"):
            prompt_id = parts.path.rpartition("/")[2]
            self._answer({prompt_id: self.fake.history[prompt_id]} if prompt_id in self.fake.history else {})
        elif parts.path == "/queue":
            self._answer(self.fake.queue())
        elif parts.path == "/system_stats":
            self._answer({"system": {"comfyui_version": "0.3.60"}, "devices": []})
        elif parts.path == "/view":
            name = parse_qs(parts.query)["filename"][0]
            self._send(200, (self.fake.folder / "output" / name).read_bytes())
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/upload/image":
            self._answer(self._upload(body))
            return
        document = json.loads(body)
        if self.path == "/prompt":
            status, answer = self.fake.submit(document)
            self._send(status, json.dumps(answer).encode())
        elif self.path in {"/queue", "/interrupt", "/history"}:
            routes = {"/queue": self.fake.delete, "/interrupt": self.fake.interrupt, "/history": self._forget}
            routes[self.path](document)
            self._send(200, b"")
        else:
            self.send_error(404)

    def _forget(self, document: dict[str, Any]) -> None:
        for prompt_id in document["delete"]:
            self.fake.history.pop(prompt_id, None)

    def _upload(self, body: bytes) -> dict[str, str]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message: Message = BytesParser().parsebytes(head + body)
        for part in message.walk():
            name = part.get_filename()
            if name:
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                (self.fake.folder / "input" / name).write_bytes(content)
                return {"name": name, "subfolder": "", "type": "input"}
        raise ValueError("no file was sent")

    def _answer(self, document: Any) -> None:
        self._send(200, json.dumps(document).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the framework's name
        """Say nothing."""


@contextmanager
def comfyui(folder: Path, manners: Manners | None = None) -> Generator[FakeComfy]:
    """One that runs inside the context."""
    fake = FakeComfy(folder, manners or Manners())
    fake.start()
    try:
        yield fake
    finally:
        if fake.manners.held is not None:
            fake.manners.held.set()
        fake.stop()


def main() -> None:
    """Run one until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A ComfyUI without models.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8188)
    wanted = parser.parse_args()
    fake = FakeComfy(wanted.folder, port=wanted.port)
    fake.start()
    first, following = write_workflows(wanted.folder)
    print(f"a ComfyUI at {fake.url}; workflows: {first}, {following}")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    fake.stop()


if __name__ == "__main__":
    main()
