"""Clips made by a ComfyUI: workflows with placeholders, files in, pictures out.

A ComfyUI forgets its queue and its history when it restarts. So every clip has a prompt id that follows from
what is asked: whoever asks again finds it in the history or in the queue, and submits it anew when it is in
neither.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
import uuid
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import requests
from av.video.frame import VideoFrame

from mouthpiece.errors import MouthpieceError, Unavailable
from services.lipsync.engines.health import Health
from services.lipsync.engines.speech16 import RATE
from services.lipsync.engines.wan.chain import Clip, ClipOrder, Pictures
from services.lipsync.engines.wan.clips import CLIP, CLIP_SECONDS, FPS, LOST, MOTION
from services.lipsync.engines.wan.workflow import Value, fill, read_workflow

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 60.0
SUBMISSIONS = 3
"""Times that a clip is submitted: restarts lose it."""
SILENCE_SECONDS = 120.0
"""Time for a ComfyUI that does not answer: it may be restarting."""
_NOT_READY = (502, 503, 504)
"""What a proxy answers for a ComfyUI that is not up."""
_TIMEOUT = (CONNECT_SECONDS, ANSWER_SECONDS)


class Away(Unavailable):
    """The ComfyUI does not answer."""


class Refused(MouthpieceError):
    """The ComfyUI does not take the workflow, or it failed there."""


class ComfyClips:
    """Makes clips by an operator's workflows: `first` for the first of a chain, `following` for others."""

    def __init__(
        self,
        url: str,
        first: Path,
        following: Path,
        steps: int,
        clip_seconds: float,
        *,
        poll: float = 1.0,
        silence: float = SILENCE_SECONDS,
    ) -> None:
        self._url = url.rstrip("/")
        self._workflows = read_workflow(first), read_workflow(following)
        self._steps = steps
        self._clip_seconds = clip_seconds
        self._poll = poll
        self._silence = silence
        self._closing = threading.Event()
        self._health = Health(self._ping, self._closing, poll)
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def name(self) -> str:
        """Follows from the workflows."""
        return "comfyui " + hashlib.sha256(json.dumps(self._workflows).encode()).hexdigest()[:16]

    @property
    def ailment(self) -> str:
        """Says when the ComfyUI does not answer."""
        return self._health.ailment

    def load(self) -> None:
        """Look for the ComfyUI, which may come up later."""
        self._health.check()

    def close(self) -> None:
        """Stop waiting."""
        self._closing.set()

    def make(self, order: ClipOrder, called_off: Callable[[], bool]) -> Clip:
        """Have a clip made. Raises `Away`, `Refused`, and `Unavailable` when closing or called off."""
        try:
            entry = self._made(self._workflow(order), called_off)
        except Away as error:
            self._health.fell_ill(error.message, restart=False)
            raise
        pictures = self._pictures(entry)[-CLIP:]
        if order.number == 0 and len(pictures) == CLIP:
            pictures = pictures[LOST:]
        return Clip(pictures, pictures[-MOTION:].copy())

    # ------------------------------------------------------------ in

    def _workflow(self, order: ClipOrder) -> dict[str, Any]:
        height, width = order.portrait.shape[:2]
        first = order.place * CLIP_SECONDS * RATE
        speech = order.speech[first : first + CLIP_SECONDS * RATE]
        values: dict[str, Value] = {
            "prompt": order.prompt,
            "seed": order.seed % (1 << 63),
            "steps": self._steps,
            "width": width,
            "height": height,
            "frames": CLIP,
            "image": self._upload(_png(order.portrait), "png"),
            "audio": self._upload(_wav(speech), "wav"),
        }
        if order.motion is not None:
            values["motion"] = self._upload(_animation(order.motion), "png")
        return fill(self._workflows[order.motion is not None], values)

    def _upload(self, content: bytes, ending: str) -> str:
        """Put a file into the input folder under a name that follows from it."""
        name = f"mouthpiece-{hashlib.sha256(content).hexdigest()[:24]}.{ending}"
        files = {"image": (name, content, "application/octet-stream")}
        form = {"type": "input", "overwrite": "true"}
        document = self._ask(requests.Request("POST", f"{self._url}/upload/image", files=files, data=form))
        folder = str(document.get("subfolder") or "")
        return f"{folder}/{document['name']}" if folder else str(document["name"])

    # ------------------------------------------------------------ made there

    def _made(self, workflow: dict[str, Any], called_off: Callable[[], bool]) -> dict[str, Any]:
        """The history's entry of a workflow that was carried out, now or before."""
        known = hashlib.sha256(json.dumps(workflow, sort_keys=True).encode()).digest()[:16]
        prompt_id, submitted = str(uuid.UUID(bytes=known)), 0
        self._forget_failure(prompt_id)
        give_up = time.monotonic() + self._clip_seconds
        while time.monotonic() < give_up:
            entry = self._patiently("GET", f"/history/{prompt_id}").get(prompt_id)
            if entry is not None:
                if failure := _failure(entry):
                    raise Refused(f"the workflow failed: {failure}")
                return dict(entry)
            if not self._queued(prompt_id):
                if submitted >= SUBMISSIONS:
                    raise Refused(f"the ComfyUI lost a clip {submitted} times")
                submitted += 1
                self._submit(workflow, prompt_id)
            self._wait(prompt_id, called_off)
        self._stop(prompt_id)
        raise Refused(f"the ComfyUI did not make a clip within {self._clip_seconds:g} s")

    def _submit(self, workflow: dict[str, Any], prompt_id: str) -> None:
        body = {"prompt": workflow, "prompt_id": prompt_id, "client_id": prompt_id}
        told = self._post("/prompt", body).get("prompt_id", prompt_id)
        if told != prompt_id:
            self._post("/queue", {"delete": [told]})
            raise Refused("the ComfyUI is too old to let its callers name a prompt")

    def _forget_failure(self, prompt_id: str) -> None:
        """A clip that failed before is tried anew."""
        entry = self._patiently("GET", f"/history/{prompt_id}").get(prompt_id)
        if entry is not None and _failure(entry):
            self._post("/history", {"delete": [prompt_id]})

    def _queued(self, prompt_id: str) -> bool:
        queue = self._patiently("GET", "/queue")
        waiting = [*queue.get("queue_running", []), *queue.get("queue_pending", [])]
        if any(item[1] == prompt_id for item in waiting):
            return True
        # It may have ended between the two questions.
        return prompt_id in self._patiently("GET", f"/history/{prompt_id}")

    def _wait(self, prompt_id: str, called_off: Callable[[], bool]) -> None:
        closing = self._closing.wait(self._poll)
        if closing or called_off():
            self._stop(prompt_id)
            raise Unavailable("the worker is closing" if closing else "the caller went away")

    def _stop(self, prompt_id: str) -> None:
        """Take a prompt out of the queue, and interrupt it when it runs; others are left alone."""
        running = self._patiently("GET", "/queue").get("queue_running", [])
        if any(item[1] == prompt_id for item in running):
            self._post("/interrupt", {"prompt_id": prompt_id})
        else:
            self._post("/queue", {"delete": [prompt_id]})

    # ------------------------------------------------------------ out

    def _pictures(self, entry: dict[str, Any]) -> Pictures:
        """All pictures that the workflow saved, in the order of its nodes."""
        outputs: dict[str, dict[str, Any]] = entry.get("outputs", {})
        saved = [image for output in outputs.values() for image in output.get("images", [])]
        kept = [image for image in saved if image.get("type", "output") == "output"]
        if not kept:
            raise Refused("the workflow saves no pictures: it needs a SaveImage node")
        return np.stack([self._picture(image) for image in kept])

    def _picture(self, image: dict[str, str]) -> Pictures:
        where = {key: image.get(key, "") for key in ("filename", "subfolder", "type")}
        content = self._send(requests.Request("GET", f"{self._url}/view", params=where)).content
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_BGR)
        if decoded is None:
            raise Refused(f"{where['filename']} is no picture")
        return np.asarray(decoded, np.uint8)[:, :, ::-1]

    # ------------------------------------------------------------ asking

    def _ping(self) -> None:
        self._ask(requests.Request("GET", f"{self._url}/system_stats"))

    def _patiently(self, method: str, path: str) -> dict[str, Any]:
        """Ask a question that may be asked again, for as long as a restart takes."""
        give_up = time.monotonic() + self._silence
        while True:
            try:
                return self._ask(requests.Request(method, self._url + path))
            except Away:
                if time.monotonic() > give_up or self._closing.wait(self._poll):
                    raise

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._ask(requests.Request("POST", self._url + path, json=body))

    def _ask(self, request: requests.Request) -> dict[str, Any]:
        content = self._send(request).content
        try:
            return dict(json.loads(content)) if content.strip() else {}
        except (ValueError, TypeError):
            raise Refused(f"what answers at {self._url} is no ComfyUI") from None

    def _send(self, request: requests.Request) -> requests.Response:
        try:
            response = self._session.send(self._session.prepare_request(request), timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise Away(f"the ComfyUI at {self._url} does not answer: {type(error).__name__}") from None
        if response.status_code in _NOT_READY:
            raise Away(f"the ComfyUI at {self._url} is not ready: HTTP status {response.status_code}")
        if response.status_code != requests.codes.ok:
            raise Refused(f"the ComfyUI answers {response.status_code}: {response.text[:500]}")
        return response


def _failure(entry: dict[str, Any]) -> str:
    """Why a workflow failed, "" when it did not."""
    status: dict[str, Any] = entry.get("status") or {}
    if status.get("status_str") != "error":
        return ""
    told = [about for kind, about in status.get("messages", []) if kind == "execution_error"]
    return str(told[0].get("exception_message", "")) if told else "without a reason"


def _png(picture: Pictures) -> bytes:
    done, content = cv2.imencode(".png", picture[:, :, ::-1])
    assert done
    return content.tobytes()


def _wav(speech: npt.NDArray[np.int16]) -> bytes:
    """A clip's speech, padded with silence to its whole length."""
    padded = np.pad(speech, (0, CLIP_SECONDS * RATE - len(speech)))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(padded.astype("<i2").tobytes())
    return file.getvalue()


def _animation(pictures: Pictures) -> bytes:
    """Pictures as one animated PNG, which keeps every bit and which LoadImage reads as a batch."""
    file = io.BytesIO()
    with av.open(file, "w", format="apng") as container:
        stream = container.add_stream("apng", rate=FPS)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "rgb24"
        for picture in pictures:
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
