"""A speech container of HeyGem as far as clients can tell, with knobs: `python -m tests.support.tts_heygem`.

It speaks with espeak-ng, in the voice of a woman, and behaves as the real one does on bad days: busy, failing
with a code, with a few bytes instead of a sound, slowly, or dying in the middle of an answer.
"""

from __future__ import annotations

import argparse
import io
import json
import threading
import wave
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from mouthpiece.core.timeline import SPEECH_RATE
from tests.support.tts_audio import speak_aloud

_SPLIT_SECONDS = 20
_RATE = 44_100


@dataclass
class FakeHeyGem:
    """What the container has to do, and what it did.

    ``hold`` keeps answers back until it is set. ``die_after`` bytes of sound the connection breaks.
    """

    data: Path
    voice: str = "gmw/en-US+f3"
    busy_times: int = 0
    busy_status: int = 503
    preprocess_code: int = 0
    invoke_code: int | None = None
    tiny: bool = False
    silent: bool = False
    hold: threading.Event | None = None
    die_after: int | None = None
    die_times: int = 1_000_000
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def count(self, path: str) -> int:
        """How often something was asked."""
        return sum(asked == path for asked, _ in self.calls)

    # ------------------------------------------------------------ what it answers

    def preprocess(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write down what is said in a reference; one over 20 s is split."""
        path = self.data / str(request.get("reference_audio"))
        if self.preprocess_code or request.get("format") != "wav" or not path.is_file():
            return {"code": self.preprocess_code or -1, "msg": f"no such file: {path.name}"}
        with wave.open(str(path)) as file:
            seconds = file.getnframes() / file.getframerate()
        parts = 1 + int(seconds // _SPLIT_SECONDS)
        names = [f"/code/data/format_{number}_{path.name}" for number in range(parts)]
        texts = [f"what is said in part {number}" for number in range(parts)]
        return {
            "code": 0,
            "asr_format_audio_url": "|||".join(names),
            "reference_audio_text": "|||".join(texts),
        }

    def invoke(self, request: dict[str, Any]) -> bytes:
        """Speak."""
        if self.invoke_code is not None:
            return json.dumps({"code": self.invoke_code, "msg": "out of memory"}).encode()
        files = str(request["reference_audio"]).split("|||")
        assert len(files) == len(str(request["reference_text"]).split("|||"))
        assert all(name.startswith("/code/data/format_") for name in files)
        if self.tiny:
            return b"RIFF" + bytes(4000)
        sound = speak_aloud(str(request["text"]), self.voice, pause=0.1).sound
        return _wav(sound * (0 if self.silent else 1))


def _wav(sound: Any) -> bytes:
    """44.1 kHz, as the container has it."""
    at = np.arange(len(sound) * _RATE // SPEECH_RATE) * (SPEECH_RATE / _RATE)
    pcm = np.rint(np.interp(at, np.arange(len(sound)), sound) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(_RATE)
        wav.writeframes(pcm.tobytes())
    return file.getvalue()


def _handler(fake: FakeHeyGem) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            request = json.loads(self.rfile.read(length))
            fake.calls.append((self.path, request))
            if fake.hold is not None:
                fake.hold.wait(30)
            if fake.busy_times > 0:
                fake.busy_times -= 1
                self._busy()
            elif self.path == "/v1/preprocess_and_tran":
                self._send(json.dumps(fake.preprocess(request)).encode(), "text/html")
            elif self.path == "/v1/invoke":
                self._send(fake.invoke(request), "audio/wav")
            else:
                self.send_error(404)

        def _busy(self) -> None:
            if fake.busy_status == 200:
                self._send(b'{"code": 10001, "success": true, "msg": "busy"}', "text/html")
            else:
                self.send_error(fake.busy_status)

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            dies = fake.die_after is not None and fake.die_times > 0 and kind == "audio/wav"
            fake.die_times -= dies
            try:
                self.wfile.write(body[: fake.die_after] if dies else body)
            except OSError:
                self.close_connection = True
            if dies:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    return Handler


@contextmanager
def serving_heygem(fake: FakeHeyGem, port: int = 0) -> Generator[FakeHeyGem]:
    """Answer on loopback until the context ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(fake))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        if fake.hold is not None:
            fake.hold.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=18180)
    options.add_argument("--data", type=Path, required=True, help="the folder shared with its clients")
    given = options.parse_args()
    with serving_heygem(FakeHeyGem(given.data), given.port) as fake:
        print(f"{fake.url} speaks; Ctrl-C ends it")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
