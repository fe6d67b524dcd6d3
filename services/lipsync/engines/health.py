"""Whether a program that an engine drives can be given work, and watching one that cannot until it can."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from mouthpiece.errors import MouthpieceError

log = logging.getLogger(__name__)


class Health:
    """`ailment` says what is wrong, "" when nothing is. Thread-safe.

    `ping` raises `MouthpieceError` while the container does not answer; a watch asks every `every` seconds.
    """

    def __init__(self, ping: Callable[[], None], closing: threading.Event, every: float) -> None:
        self._ping = ping
        self._closing = closing
        self._every = every
        self._lock = threading.Lock()
        self.ailment = ""

    def check(self) -> None:
        """Ask now, and watch when there is no answer."""
        try:
            self._ping()
        except MouthpieceError as error:
            self.fell_ill(error.message, restart=False)

    def fell_ill(self, ailment: str, *, restart: bool) -> None:
        """From now on it is watched until it answers; with `restart`, until it has been away and is back."""
        with self._lock:
            if self.ailment:
                return
            log.warning("%s", ailment)
            self.ailment = ailment
            threading.Thread(target=self._watch, args=(restart,), daemon=True).start()

    def _watch(self, restart: bool) -> None:
        away = not restart
        while not self._closing.wait(self._every):
            try:
                self._ping()
            except MouthpieceError:
                away = True
                continue
            if away:
                log.info("it is back")
                with self._lock:
                    self.ailment = ""
                return
