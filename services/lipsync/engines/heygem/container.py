"""The container's two routes. It answers one request at a time, and only 15 s after its start."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import requests

from mouthpiece.errors import Unavailable
from services.lipsync.engines.heygem.protocol import Answer, Code, Garbled, read_answer

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 30.0
"""Longest wait for an answer; a request waits for the one before it."""

_PING = "__ping__"


class Unreachable(Unavailable):
    """The container does not answer, or with a server error: it starts, restarts, is ill or gone."""


class Container:
    """One container, by its base URL. Used by one thread at a time."""

    def __init__(self, url: str, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._url = url.rstrip("/")
        self._timeout = (CONNECT_SECONDS, answer_seconds)
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy for the world does not know containers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def ping(self) -> None:
        """Return when it is up. Raises `Unreachable`, or `Garbled` when something else answers."""
        answer = self.query(_PING)
        if answer.code != Code.UNKNOWN_TASK:
            raise Garbled(f"what answers at {self._url} is no HeyGem video container")

    def submit(self, code: str, audio: str, video: str, *, super_resolution: bool) -> Answer:
        """Hand over a task: paths as the container sees them. Raises `Unreachable` or `Garbled`."""
        body = {
            "audio_url": audio,
            "video_url": video,
            "code": code,
            "chaofen": int(super_resolution),
            "watermark_switch": 0,  # results are marked by the suite
            "digital_auth": 0,
            "pn": 1,
        }
        return self._ask(requests.Request("POST", f"{self._url}/easy/submit", json=body))

    def query(self, code: str) -> Answer:
        """How a task is. The answer that tells its end is given once. Raises as `submit`."""
        return self._ask(requests.Request("GET", f"{self._url}/easy/query", params={"code": code}))

    def _ask(self, request: requests.Request) -> Answer:
        try:
            response = self._session.send(self._session.prepare_request(request), timeout=self._timeout)
        except requests.RequestException as error:
            raise Unreachable(f"{self._url} does not answer: {type(error).__name__}") from None
        if response.status_code >= requests.codes.server_error:
            raise Unreachable(f"{self._url} is out of order: HTTP status {response.status_code}")
        if response.status_code != requests.codes.ok:
            raise Garbled(f"{request.url} answers with HTTP status {response.status_code}")
        response.encoding = "utf-8"
        return read_answer(response.text)
