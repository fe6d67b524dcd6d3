"""A cast text is spoken: by the best engine that is well, and by the next one when that fails."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum

from mouthpiece.core.speech import Sentence
from mouthpiece.errors import Reason, Unmet
from services.tts import synthesis
from services.tts.casting import Cast
from services.tts.engine import EngineFailed
from services.tts.health import Health
from services.tts.synthesis import Spoken
from services.tts.voicing import Role, Voicing, get_ready

log = logging.getLogger(__name__)

_REMEMBERED = 64

Cancelled = Callable[[], bool]


class Fallback(Enum):
    """What may speak when the engine that was chosen fails."""

    NEXT_ENGINE = "next engine"
    REFERENCE = "reference"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning, and the role that speaks from here on; without a role, the reference itself is wanted."""

    warning: str
    role: Role | None


class Studio:
    """Keeps voices that are ready, and what is known of the health of their engines."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._health = Health()
        self._ready: OrderedDict[tuple[str, ...], Voicing] = OrderedDict()
        self._lock = threading.Lock()

    def perform(
        self, cast: Cast, fallback: Fallback, wanted: slice, cancelled: Cancelled
    ) -> Generator[Sentence | Notice]:
        """Speak the ``wanted`` sentences of a cast text. A notice comes before the sentence that it is about.

        Ends after a notice without a role: the reference is to be taken as the speech.

        Raises:
            Unmet: (VOICE_FAILED) an engine failed and ``fallback`` does not allow another.
            BadInput: (field ``voice_reference``) nobody speaks in the reference.
            espeak.Cancelled: ``cancelled`` returned true.
        """
        performance = _Performance(self, cast, fallback)
        performance.sent = bool(wanted.start)
        performance.begin()
        speech = synthesis.sentences(cast.plan, wanted, cancelled, performance.say)
        while True:
            try:
                sentence = next(speech, None)
            except _Instead:
                sentence = None
            yield from performance.notices()
            if sentence is None:
                return
            performance.sent = True
            yield sentence

    def say(self, role: Role, text: str, cancelled: Cancelled) -> Spoken:
        """Say one piece in a role. Raises `EngineFailed`, and remembers that."""
        try:
            spoken = self._voicing(role, cancelled).say(text, cancelled)
        except EngineFailed as error:
            with self._lock:
                self._health.failed(role.engine.name, str(error), self._clock())
            raise
        with self._lock:
            self._health.worked(role.engine.name)
        return spoken

    def why_not(self, role: Role) -> str:
        """Why a role is better not asked now; empty when it may be."""
        with self._lock:
            return self._health.why_not(role.engine.name, self._clock())

    def _voicing(self, role: Role, cancelled: Cancelled) -> Voicing:
        with self._lock:
            known = self._ready.get(role.key)
        voicing = known or get_ready(role, cancelled)
        with self._lock:
            self._ready[role.key] = voicing
            self._ready.move_to_end(role.key)
            while len(self._ready) > _REMEMBERED:
                self._ready.popitem(last=False)
        return voicing


class _Instead(Exception):
    """The reference itself is to be the speech."""


class _Performance:
    """One text being spoken: who speaks now, and who is left."""

    def __init__(self, studio: Studio, cast: Cast, fallback: Fallback) -> None:
        self._studio = studio
        self._roles = deque(cast.roles)
        self._missed_by = cast.missed_by
        self._fallback = fallback
        self._notices: deque[Notice] = deque()
        self.sent = False

    def begin(self) -> None:
        """Pass over engines that are not well, where another one may speak."""
        while self._fallback is Fallback.NEXT_ENGINE and len(self._roles) > 1:
            why = self._studio.why_not(self._roles[0])
            if not why:
                return
            self._pass_over(why)

    def say(self, text: str, cancelled: Cancelled) -> Spoken:
        """Say one piece, whoever can."""
        while True:
            role = self._roles[0]
            try:
                return self._studio.say(role, text, cancelled)
            except EngineFailed as error:
                log.warning("the speech engine %s failed: %s", role.engine.name, error)
                self._replace(role, str(error))

    def notices(self) -> Generator[Notice]:
        """Take what is to be told."""
        while self._notices:
            yield self._notices.popleft()

    def _replace(self, role: Role, why: str) -> None:
        if self._fallback is Fallback.REFERENCE and role.reference is not None and not self.sent:
            self._notices.append(
                Notice(f"{role.engine.name}: {why}; the voice reference itself is the speech", None)
            )
            raise _Instead
        if self._fallback is not Fallback.NEXT_ENGINE or len(self._roles) == 1:
            raise Unmet(Reason.VOICE_FAILED, f"the speech engine {role.engine.name} failed: {why}")
        self._pass_over(why)

    def _pass_over(self, why: str) -> None:
        failed = self._roles.popleft()
        role = self._roles[0]
        where = "from here on" if self.sent else "instead"
        missed = self._missed_by(role)
        self._notices.append(
            Notice(
                f"{failed.engine.name}: {why}; {role.engine.name} speaks {where} ({role.voice})"
                + (f"; {missed}" if missed else ""),
                role,
            )
        )
