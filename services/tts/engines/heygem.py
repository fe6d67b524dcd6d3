"""Voices cloned by the speech container of HeyGem (Duix.Avatar), over HTTP.

A reference is shown to the container once, which writes down what is said in it; sentences are then spoken
in its voice. The container sees files of a shared folder only. It fails in many ways: with a code, with JSON
where sound belongs, with a sound too short to be one, not at all, or half.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import threading
import time
import uuid
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import requests

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.errors import BadInput, Reason, Unmet
from mouthpiece.text.phonemes import as_written
from services.tts.decoding import decode
from services.tts.engine import (
    REFERENCE_RATE,
    Cancelled,
    EngineFailed,
    EngineVoice,
    Reference,
    Rendition,
    Sound,
    Speaker,
)
from services.tts.espeak import Cancelled as CalledOff
from services.tts.filtering import at_tempo

_FOLDER = "mouthpiece"
"""Where references lie in the shared folder."""
_LIST_MARK = "|||"
"""A long reference is answered with lists, joined by this."""
_LEAST_BYTES = 10 * 1024
"""A shorter answer is a failure, whatever it holds."""
_MOST_BYTES = 256 << 20
_CONNECT_SECONDS = 5.0
_BUSY_SECONDS = 1.0
_BUSY_STATUSES = frozenset((429, 502, 503, 504))
_BUSY_CODE = 10001
_LONGEST_SENTENCE = 600.0
_MANNER = {
    "format": "wav",
    "topP": 0.7,
    "max_new_tokens": 1024,
    "chunk_length": 100,
    "repetition_penalty": 1.2,
    "temperature": 0.7,
    "need_asr": False,
    "streaming": False,
    "is_fixed_seed": 1,  # the same sentence is to sound the same
    "is_norm": 1,
}


class _Busy(Exception):
    """The container does something else, or is gone for the moment."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A reference as a container knows it: its file, or files, there, and what is said in them."""

    audio: str
    text: str


class HeyGemEngine:
    """Containers that take turns."""

    name = "heygem"
    clones = True
    inflects = False

    def __init__(
        self,
        urls: str,
        folder: Path | None,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """``seconds`` is the longest wait for a sentence; ``folder`` is what they see as /code/data."""
        self._urls = tuple(url.strip().rstrip("/") for url in urls.split(",") if url.strip())
        self._folder = folder
        self._seconds = seconds
        self._clock = clock
        self._wait = wait
        self._turns = count()
        self._known: dict[tuple[str, str], _Known] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """Look whether there is anything to ask."""
        if not self._urls or self._folder is None:
            raise Unmet(Reason.WEIGHTS_MISSING, "set MOUTHPIECE_TTS_HEYGEM and MOUTHPIECE_TTS_HEYGEM_FOLDER")

    def voices(self) -> Sequence[EngineVoice]:
        """The one voice that speaks like its reference, in any language."""
        return (EngineVoice("heygem", "", "the voice of a reference, cloned", needs_reference=True),)

    def version(self, voice: str) -> str:  # noqa: ARG002 - the same for every voice
        """Ours: the containers do not tell theirs."""
        return "heygem-1"

    def speak(self, text: str, speaker: Speaker, cancelled: Cancelled) -> Rendition:
        """Say one sentence like the reference."""
        if speaker.reference is None:
            raise EngineFailed("there is no reference to speak like")
        reference = speaker.reference
        call = _Call(self._clock() + self._seconds, self._clock, self._wait, cancelled)
        wav = self._in_turn(call, lambda url: self._said(url, as_written(text), reference, call))
        sound = _decoded(wav)
        return Rendition(at_tempo(sound, speaker.rate), SPEECH_RATE)

    def _in_turn(self, call: _Call, ask: Callable[[str], bytes]) -> bytes:
        """Ask the containers one after the other, while they are busy and there is time."""
        while True:
            url = self._urls[next(self._turns) % len(self._urls)]
            try:
                return ask(url)
            except _Busy as error:
                self._forget(url)
                call.pause(_BUSY_SECONDS, str(error))

    def _said(self, url: str, text: str, reference: Reference, call: _Call) -> bytes:
        known = self._introduced(url, reference, call)
        request = _MANNER | {
            "speaker": str(uuid.uuid5(uuid.NAMESPACE_OID, reference.name)),
            "text": text,
            "reference_audio": known.audio,
            "reference_text": known.text,
        }
        answer = call.post(f"{url}/v1/invoke", request)
        if answer[:1] == b"{":
            _check_code(_parsed(answer))
        if len(answer) < _LEAST_BYTES:
            raise EngineFailed(f"only {len(answer)} bytes of sound")
        return answer

    def _introduced(self, url: str, reference: Reference, call: _Call) -> _Known:
        """Show a reference to a container, unless it knows it."""
        with self._lock:
            known = self._known.get((url, reference.name))
        if known is None:
            path = self._shared(reference)
            request = {"format": "wav", "reference_audio": path, "lang": "zh"}
            known = _pairs(_parsed(call.post(f"{url}/v1/preprocess_and_tran", request)))
            with self._lock:
                self._known[url, reference.name] = known
        return known

    def _forget(self, url: str) -> None:
        """A container that was away may have lost what it knew."""
        with self._lock:
            for key in [key for key in self._known if key[0] == url]:
                del self._known[key]

    def _shared(self, reference: Reference) -> str:
        """The reference as a file that the containers see; its path as they see it."""
        name = f"{_FOLDER}/{reference.name}.wav"
        path = Path(self._folder or ".") / name
        if not path.exists():
            try:
                _write(path, reference.sound)
            except OSError as error:
                raise EngineFailed(f"the shared folder cannot be written: {error}") from None
        return name


@dataclass(frozen=True, slots=True)
class _Call:
    """The time that one sentence may take."""

    deadline: float
    clock: Callable[[], float]
    wait: Callable[[float], None]
    cancelled: Cancelled

    def pause(self, seconds: float, why: str) -> None:
        """Wait a moment. Raises `EngineFailed` when there is no time for that."""
        if self.clock() + seconds >= self.deadline:
            raise EngineFailed(why)
        self._check()
        self.wait(seconds)

    def post(self, url: str, request: dict[str, Any]) -> bytes:
        """Send a request as JSON and read the whole answer. Raises `_Busy` or `EngineFailed`."""
        left = self.deadline - self.clock()
        try:
            with requests.post(
                url, json=request, stream=True, timeout=(_CONNECT_SECONDS, max(0.1, left))
            ) as response:
                if response.status_code in _BUSY_STATUSES:
                    raise _Busy(f"busy (status {response.status_code})")
                if response.status_code != requests.codes.ok:
                    raise EngineFailed(f"status {response.status_code} of {url}")
                return self._body(response)
        except requests.Timeout:
            raise EngineFailed(f"no answer of {url} in time") from None
        except requests.RequestException as error:
            raise _Busy(f"the connection to {url} broke: {type(error).__name__}") from None

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for part in response.iter_content(1 << 16):
            self._check()
            body += part
            if len(body) > _MOST_BYTES:
                raise EngineFailed(f"more than {_MOST_BYTES >> 20} MiB of sound")
            if self.clock() > self.deadline:
                raise EngineFailed("the sound came too slowly")
        return bytes(body)

    def _check(self) -> None:
        if self.cancelled():
            raise CalledOff


# What containers answer ------------------------------------------------------------------------------------


def _parsed(answer: bytes) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        raise EngineFailed(f"an answer that is no JSON: {answer[:60]!r}") from None
    if not isinstance(found, dict):
        raise EngineFailed(f"an answer that is no object: {answer[:60]!r}")
    return found


def _check_code(answer: dict[str, Any]) -> None:
    code = answer.get("code")
    if code == _BUSY_CODE:
        raise _Busy("busy")
    if code != 0:
        raise EngineFailed(f"code {code}: {answer.get('msg', '')}")


def _pairs(answer: dict[str, Any]) -> _Known:
    """Files and what is said in them, both lists when the reference was long; those that miss one are left
    out."""
    _check_code(answer)
    files = str(answer.get("asr_format_audio_url") or "").split(_LIST_MARK)
    texts = str(answer.get("reference_audio_text") or "").split(_LIST_MARK)
    known = [
        (file.strip(), text.strip())
        for file, text in zip(files, texts, strict=False)
        if file.strip() and text.strip()
    ]
    if not known:
        raise EngineFailed("nothing was understood of the reference")
    return _Known(_LIST_MARK.join(file for file, _ in known), _LIST_MARK.join(text for _, text in known))


def _decoded(wav: bytes) -> Sound:
    with tempfile.NamedTemporaryFile(prefix="mouthpiece-", suffix=".wav") as file:
        file.write(wav)
        file.flush()
        try:
            return np.concatenate(list(decode(Path(file.name), _LONGEST_SENTENCE)))
        except BadInput as error:
            raise EngineFailed(f"its sound is {error.violations[0].description}") from None


def _write(path: Path, sound: Sound) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{secrets.token_hex(8)}")
    try:
        with wave.open(str(unfinished), "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(REFERENCE_RATE)
            wav.writeframes(np.asarray(np.clip(np.rint(sound * 32767), -32768, 32767), "<i2").tobytes())
        unfinished.chmod(0o644)  # the container runs as somebody else
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
