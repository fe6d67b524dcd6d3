"""Who speaks a text: the engine and voice that suit best, and those that may stand in for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mouthpiece.errors import BadInput
from mouthpiece.text.script import Script
from services.tts.engine import EngineVoice, Reference, Speaker, SpeechEngine
from services.tts.synthesis import Plan, plan_speech
from services.tts.voicing import Role

SLOWEST, FASTEST = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Wish:
    """How a text is to be spoken. ``rate`` 0 means the voice's own speed."""

    language: str = ""
    voice: str = ""
    reference: Reference | None = None
    rate: float = 0.0
    even: bool = True


@dataclass(frozen=True, slots=True)
class Cast:
    """A text that can be spoken, and who may speak it, best first; the embedded engine is the last."""

    plan: Plan
    roles: tuple[Role, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is asked for and cannot be done."""
        return (*self.plan.warnings, *([missed] if (missed := self.missed_by(self.roles[0])) else []))

    def missed_by(self, role: Role) -> str:
        """What a role leaves out of the markup, in words; or nothing."""
        if role.engine.inflects or not self.plan.is_inflected:
            return ""
        return f"{role.engine.name} leaves out rate, pitch and emphasis of the markup"

    @property
    def expected_samples(self) -> int:
        """About how long it takes at the wanted speed."""
        return round(self.plan.expected_samples / self.roles[0].speaker.rate)

    @property
    def roughly_expected_samples(self) -> int:
        """The same, guessed from the beginning of the text."""
        return round(self.plan.roughly_expected_samples / self.roles[0].speaker.rate)


def cast(text: Script | str, wish: Wish, engines: Sequence[SpeechEngine]) -> Cast:
    """Decide who speaks a text.

    A named voice speaks, whoever has it. Otherwise the first engine that can: with a reference, one that
    clones comes before those whose voices are moved toward it.

    Raises:
        BadInput: as `plan_speech`; a ``speaking_rate`` out of range; a voice that needs a reference.
    """
    if wish.rate and not SLOWEST <= wish.rate <= FASTEST:
        raise BadInput("speaking_rate", f"{wish.rate:g} is not between {SLOWEST:g} and {FASTEST:g}")
    named = _named(wish, engines)
    language = wish.language or (named[1].language if named else "")
    plan = plan_speech(text, language, "" if named else wish.voice)
    parts = [named] if named else []
    if named or not wish.voice:
        parts += [part for part in _able(plan, wish, engines) if part not in parts]
    embedded = engines[-1]
    speaker = Speaker(plan.choice.file, wish.rate or 1.0)
    last = Role(embedded, plan.choice.name, plan.choice, speaker, wish.reference, wish.even)
    return Cast(plan, (*(_role(engine, voice, plan, wish) for engine, voice in parts), last))


def _role(engine: SpeechEngine, voice: EngineVoice, plan: Plan, wish: Wish) -> Role:
    speaker = Speaker(voice.name, wish.rate or 1.0, wish.reference if engine.clones else None)
    return Role(engine, voice.name, plan.choice, speaker, wish.reference, wish.even)


def _named(wish: Wish, engines: Sequence[SpeechEngine]) -> tuple[SpeechEngine, EngineVoice] | None:
    """The engine and voice that the wish names, unless it is an embedded voice or none."""
    for engine in engines:
        for voice in engine.voices():
            if voice.name == wish.voice:
                _check_voice(voice, wish)
                return engine, voice
    return None


def _check_voice(voice: EngineVoice, wish: Wish) -> None:
    if voice.needs_reference and wish.reference is None:
        raise BadInput("voice", f"{voice.name} speaks in the voice of a reference: give one")
    if voice.language and wish.language and _primary(voice.language) != _primary(wish.language):
        raise BadInput("voice", f"{voice.name} does not speak {wish.language}")


def _able(
    plan: Plan, wish: Wish, engines: Sequence[SpeechEngine]
) -> Iterator[tuple[SpeechEngine, EngineVoice]]:
    """For each engine the voice with which it could speak, cloning ones first if there is a reference."""
    for engine in sorted(engines, key=lambda engine: wish.reference is not None and not engine.clones):
        fitting = [voice for voice in engine.voices() if _suits(voice, plan, wish)]
        if fitting:
            exact = plan.choice.voice.language
            yield engine, min(fitting, key=lambda voice: voice.language != exact)


def _suits(voice: EngineVoice, plan: Plan, wish: Wish) -> bool:
    speaks = not voice.language or _primary(voice.language) == _primary(plan.choice.voice.language)
    return speaks and (wish.reference is not None or not voice.needs_reference)


def _primary(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()


def is_listed(voice: EngineVoice, language: str) -> bool:
    """Whether a voice is to be shown to those who ask for a language."""
    return not language or not voice.language or _primary(voice.language) == _primary(language)
