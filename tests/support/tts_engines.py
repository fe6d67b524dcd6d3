"""An engine with knobs, that speaks with espeak-ng when it speaks at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.tts.engine import Cancelled, EngineFailed, EngineVoice, Rendition, Speaker
from services.tts.engines.embedded import EspeakEngine


@dataclass
class FakeEngine:
    """``fails_from`` counts calls: after that many it fails, ``fail_times`` times. It tells no times."""

    name: str
    clones: bool = False
    inflects: bool = False
    language: str = ""
    fails_from: int = 1_000_000
    fail_times: int = 1_000_000
    said: list[str] = field(default_factory=list)
    asked: int = 0

    def load(self) -> None:
        pass

    def voices(self) -> Sequence[EngineVoice]:
        return (EngineVoice(f"{self.name}-voice", self.language, "of a test", self.clones),)

    def version(self, voice: str) -> str:
        return f"{self.name}-1"

    def speak(self, text: str, speaker: Speaker, cancelled: Cancelled) -> Rendition:
        self.asked += 1
        if self.asked > self.fails_from and self.fail_times > 0:
            self.fail_times -= 1
            raise EngineFailed("out of memory")
        self.said.append(text)
        spoken = EspeakEngine().speak(text, Speaker("gmw/en-US+f3", speaker.rate), cancelled)
        return Rendition(spoken.sound, spoken.rate)
