"""Speech engines by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mouthpiece.errors import BadInput
from mouthpiece.settings import TtsSettings
from services.tts.engine import SpeechEngine

Factory = Callable[[TtsSettings], SpeechEngine]


def _espeak(_: TtsSettings) -> SpeechEngine:
    from services.tts.engines.embedded import EspeakEngine

    return EspeakEngine()


def _piper(settings: TtsSettings) -> SpeechEngine:
    from services.tts.engines.piper import PiperEngine

    return PiperEngine(settings.piper_voices)


def _heygem(settings: TtsSettings) -> SpeechEngine:
    from services.tts.engines.heygem import HeyGemEngine

    return HeyGemEngine(settings.heygem, settings.heygem_folder, settings.heygem_seconds)


def _pocket(settings: TtsSettings) -> SpeechEngine:
    from services.tts.engines.pocket import PocketEngine

    return PocketEngine(settings.pocket_model)


ENGINES: Mapping[str, Factory] = {"espeak": _espeak, "piper": _piper, "heygem": _heygem, "pocket": _pocket}
"""What can be named in the settings; nothing is imported before it is wanted."""


def create_engines(settings: TtsSettings) -> tuple[SpeechEngine, ...]:
    """The engines of the settings, not yet loaded, in order of preference; the embedded one comes last.

    Raises:
        BadInput: an unknown name.
    """
    names = [name.strip() for name in settings.engines.split(",") if name.strip()]
    unknown = [name for name in names if name not in ENGINES]
    if unknown:
        known = ", ".join(sorted(ENGINES))
        raise BadInput(
            "MOUTHPIECE_TTS_ENGINES", f"there is no speech engine {unknown[0]!r}; there is {known}"
        )
    chosen = dict.fromkeys([*(name for name in names if name != "espeak"), "espeak"])
    return tuple(ENGINES[name](settings) for name in chosen)
