"""The voices that espeak-ng brings along, and which of them reads a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import espeakng_loader

from mouthpiece.errors import BadInput
from mouthpiece.text.scripts import CYRILLIC, HAN, KANA, LATIN, letters_by_script

ENGINE = "espeak"


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that can be named in a request.

    ``language`` is a BCP 47 tag, ``file`` what the engine calls it, ``tags`` all lower-case tags for which it
    may stand, each with a number that is lower the better it fits.
    """

    name: str
    language: str
    description: str
    file: str
    tags: Mapping[str, int]


VARIANTS = {
    "m1": "man, even",
    "m3": "man, deep",
    "m7": "man, clear",
    "f2": "woman, soft",
    "f3": "woman, bright",
    "f5": "woman, low",
    "klatt2": "man, breathy synthesizer",
    "klatt4": "man, smooth synthesizer",
    "whisper": "whisper",
}
"""Variants that are listed with every voice. Any other variant of espeak-ng may be named too."""


_USUAL_FIT = 5  # what a voice file means when it gives no number

_NAMES = {"gmw/en": "en-gb"}
_LANGUAGES = {"cmn": "zh", "cmn-latn-pinyin": "zh-Latn"}

_LIKELY = {
    "en": "en-us",
    "en-au": "en-gb",
    "en-ie": "en-gb",
    "en-in": "en-gb",
    "en-nz": "en-gb",
    "en-za": "en-gb",
    "pt": "pt-br",
    "zh-hk": "yue",
    "zh-mo": "yue",
    "nn": "nb",
    "iw": "he",
    "in": "id",
}
"""Voices for tags that the voice files leave open or do not know; after Unicode CLDR's likely subtags."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A voice, and the variant that was asked for with it."""

    voice: Voice
    variant: str = ""

    @property
    def name(self) -> str:
        """Its name in requests."""
        return f"{self.voice.name}+{self.variant}" if self.variant else self.voice.name

    @property
    def file(self) -> str:
        """Its name for the engine."""
        return f"{self.voice.file}+{self.variant}" if self.variant else self.voice.file


@cache
def all_voices() -> tuple[Voice, ...]:
    """The voices whose dictionary is there, without variants, sorted by language and name."""
    data = Path(espeakng_loader.get_data_path())
    files = sorted(path for path in (data / "lang").rglob("*") if path.is_file())
    found = [_read_voice(path, path.relative_to(data / "lang").as_posix()) for path in files]
    voices = [voice for voice, dictionary in found if (data / f"{dictionary}_dict").exists()]
    return tuple(sorted(voices, key=lambda voice: (voice.language, voice.name)))


@cache
def _variants() -> frozenset[str]:
    folder = Path(espeakng_loader.get_data_path()) / "voices" / "!v"
    return frozenset(path.name for path in folder.iterdir() if path.is_file())


def _read_voice(path: Path, file: str) -> tuple[Voice, str]:
    """Read a voice file, lines of a key and its values; return the voice and the name of its dictionary."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [line.partition("//")[0].split() for line in text.splitlines()]
    values = [line for line in lines if len(line) >= 2]
    title = next((" ".join(line[1:]) for line in values if line[0] == "name"), path.name)
    fits = [(line[1].lower(), line[2:3]) for line in values if line[0] == "language"]
    tags = {tag: int(fit[0]) if fit else _USUAL_FIT for tag, fit in fits}
    dictionary = next((line[1] for line in values if line[0] == "dictionary"), path.name.partition("-")[0])
    name = _NAMES.get(file, path.name.lower())
    return Voice(name, _LANGUAGES.get(name) or _canonical(name), title, file, tags), dictionary


def _canonical(tag: str) -> str:
    """A BCP 47 tag in its usual capitals: "en-us" is "en-US", "fa-latn" is "fa-Latn"."""
    first, *others = tag.split("-")
    private = others.index("x") if "x" in others else len(others)
    cases = {2: str.upper, 4: str.title}
    cased = [cases.get(len(part), str)(part) for part in others[:private]]
    return "-".join([first, *cased, *others[private:]])


# Choosing --------------------------------------------------------------------------------------------------


def choose_voice(text: str, language: str, voice: str) -> Choice:
    """The voice that reads ``text``: the named one, or the default of the language, or of the script.

    Raises:
        BadInput: unknown ``language`` or ``voice``, a voice of another language, or a ``text`` that is
            mostly in a script that the voice cannot read.
    """
    of_language = voice_for_language(language) if language else None
    if voice:
        choice = _named(voice)
        if of_language and _primary(of_language) != _primary(choice.voice):
            raise BadInput("voice", f"{voice} does not speak {language}")
    else:
        choice = Choice(of_language or voice_for_language(guess_language(text)))
    _check_script(text, choice)
    return choice


def voice_for_language(tag: str) -> Voice:
    """The default voice of a BCP 47 tag; details that no voice has are dropped from its end.

    Raises:
        BadInput: nothing speaks it (field ``language``).
    """
    wanted = tag.strip().lower().replace("_", "-")
    while wanted:
        likely = _LIKELY.get(wanted)
        fitting = [voice for voice in all_voices() if voice.name in (likely, wanted) or wanted in voice.tags]
        if fitting:
            return min(
                fitting, key=lambda voice: (voice.name != likely, voice.tags.get(wanted, 0), voice.name)
            )
        wanted = wanted.rpartition("-")[0]
    raise BadInput("language", f"no voice speaks {tag!r}")


def _named(name: str) -> Choice:
    base, plus, variant = name.strip().partition("+")
    wanted = base.lower().replace("_", "-")
    named = {voice.name: voice for voice in all_voices()}
    tags = {tag for voice in all_voices() for tag in voice.tags}
    if wanted not in named and wanted not in tags:
        raise BadInput("voice", f"there is no voice {name!r}")
    voice = named[wanted] if wanted in named else voice_for_language(wanted)
    if plus and variant not in _variants():
        raise BadInput("voice", f"there is no variant {variant!r} of the voice {base}")
    return Choice(voice, variant)


def _primary(voice: Voice) -> str:
    return voice.language.partition("-")[0]


def is_default(voice: Voice) -> bool:
    """Whether it is what its language means when no voice is named."""
    return voice_for_language(voice.language) is voice


def speaks(voice: Voice, language: str) -> bool:
    """Whether a voice belongs to a language: "en" takes all English voices, "en-GB" those of Britain."""
    tag = language.strip().lower().replace("_", "-")
    return any(known == tag or known.startswith(f"{tag}-") for known in (*voice.tags, voice.language.lower()))


# Scripts ---------------------------------------------------------------------------------------------------

_SCRIPTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ba", "be", "bg", "cv", "kk", "ky", "mk", "nog", "ru", "tt", "uk"), (CYRILLIC,)),
    **dict.fromkeys(("sr", "bs", "hr"), (LATIN, CYRILLIC)),
    **dict.fromkeys(("ar", "fa", "sd", "ug", "ur"), ("ARABIC",)),
    **dict.fromkeys(("hi", "kok", "mr", "ne"), ("DEVANAGARI",)),
    **dict.fromkeys(("as", "bn", "bpy"), ("BENGALI",)),
    **dict.fromkeys(("el", "grc"), ("GREEK",)),
    **dict.fromkeys(("hy", "hyw"), ("ARMENIAN",)),
    **dict.fromkeys(("am", "ti"), ("ETHIOPIC",)),
    **dict.fromkeys(("my", "shn"), ("MYANMAR",)),
    **dict.fromkeys(("zh", "yue"), (HAN,)),
    "chr": ("CHEROKEE",),
    "gu": ("GUJARATI",),
    "he": ("HEBREW",),
    "ja": (KANA,),
    "ka": ("GEORGIAN",),
    "kn": ("KANNADA",),
    "ko": ("HANGUL",),
    "ml": ("MALAYALAM",),
    "or": ("ORIYA",),
    "pa": ("GURMUKHI",),
    "si": ("SINHALA",),
    "ta": ("TAMIL",),
    "te": ("TELUGU",),
    "th": ("THAI",),
}
"""Scripts by language; Latin for those not listed. Every voice reads Latin letters, if need be as English."""

_BY_SCRIPT = {
    LATIN: "en",
    CYRILLIC: "ru",
    HAN: "zh",
    KANA: "ja",
    "ARABIC": "ar",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "CHEROKEE": "chr",
    "DEVANAGARI": "hi",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
}

_HINTS = {
    CYRILLIC: {"uk": "їєґ", "be": "ў", "mk": "ѓќѕ", "sr": "ђћљњџј"},
    "ARABIC": {"ur": "ٹڈڑے", "fa": "پچژگ"},
}
"""Letters that tell languages of one script apart; the first that occurs decides."""


def guess_language(text: str) -> str:
    """The language that a text is taken for, from its letters alone; "en" when it has none."""
    letters = _weighed(text)
    if not letters:
        return "en"
    script = max(letters, key=lambda name: letters[name])
    if script == HAN and letters[KANA] * 10 > letters[HAN]:
        return "ja"  # Japanese is written in both
    present = set(text)
    for language, signs in _HINTS.get(script, {}).items():
        if not present.isdisjoint(signs):
            return language
    return _BY_SCRIPT.get(script, "en")


def _weighed(text: str) -> Counter[str]:
    """Letters by script; a Han character says as much as two letters."""
    letters = letters_by_script(text)
    letters[HAN] *= 2
    return +letters


def _check_script(text: str, choice: Choice) -> None:
    letters = _weighed(text)
    own = _SCRIPTS.get(_primary(choice.voice), (LATIN,))
    foreign = {script: count for script, count in letters.items() if script not in (*own, LATIN)}
    if KANA in own and HAN in foreign:
        raise BadInput("text", f"the voice {choice.name} reads kana only: write the Han characters as kana")
    if sum(foreign.values()) * 2 > letters.total():
        script = max(foreign, key=lambda name: foreign[name]).title()
        raise BadInput("text", f"the voice {choice.name} cannot read {script} script")


# Listing ---------------------------------------------------------------------------------------------------


def listed(language: str = "") -> Iterator[tuple[Choice, str]]:
    """Voices with and without variants and a line about each, of one language or all, sorted by language."""
    for voice in all_voices():
        if language and not speaks(voice, language):
            continue
        yield Choice(voice), voice.description
        for variant, description in VARIANTS.items():
            yield Choice(voice, variant), f"{voice.description}, {description}"
