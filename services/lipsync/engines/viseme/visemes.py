"""From speech sounds to mouth poses: IPA letters → viseme classes → articulation targets.

A pose has eight channels, each 0..1. How strongly a class insists on its pose (its dominance, after Cohen
and Massaro, "Modeling coarticulation in synthetic visual speech", 1993) differs between groups of channels:
a `k` leaves the lips to its vowels, a `p` does not let anything else open them.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import IntEnum


class Channel(IntEnum):
    """Columns of an articulation track."""

    JAW = 0
    """How far the lower jaw hangs: 0 teeth together, 1 a wide "ah"."""
    WIDTH = 1
    """Mouth corners drawn apart, as in "ee"."""
    ROUND = 2
    """Lips pushed forward and together, as in "oo"."""
    RAISE = 3
    """Upper lip lifted off the upper teeth."""
    PRESS = 4
    """Lips closed, whatever the jaw does: 1 is shut."""
    TUCK = 5
    """Lower lip under the upper teeth, as in "f"."""
    TONGUE = 6
    """Tongue tip up at the teeth and in sight."""
    TEETH = 7
    """Lips parted over teeth that nearly touch, as in "s"."""


@dataclass(frozen=True, slots=True)
class Viseme:
    """Sounds that look alike. `insists` are the dominances of jaw, lip shape (width, round) and rest."""

    pose: tuple[float, float, float, float, float, float, float, float]
    insists: tuple[float, float, float]


#                      jaw   width round raise press tuck tongue teeth    jaw  lips rest
VISEMES: dict[str, Viseme] = {
    "rest": Viseme((0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00), (1.6, 0.9, 1.6)),
    "bilabial": Viseme((0.03, 0.05, 0.05, 0.00, 1.00, 0.00, 0.10, 0.00), (3.0, 0.4, 3.5)),
    "bilabial fricative": Viseme((0.10, 0.00, 0.35, 0.00, 0.55, 0.00, 0.10, 0.00), (2.5, 0.8, 3.0)),
    "labiodental": Viseme((0.06, 0.15, 0.00, 0.22, 0.00, 1.00, 0.10, 0.20), (3.0, 0.6, 4.5)),
    "dental": Viseme((0.20, 0.20, 0.00, 0.20, 0.00, 0.00, 1.00, 0.35), (1.6, 0.4, 2.2)),
    "sibilant": Viseme((0.11, 0.35, 0.00, 0.20, 0.00, 0.00, 0.15, 0.75), (2.4, 0.5, 2.0)),
    "postalveolar": Viseme((0.20, 0.00, 0.60, 0.35, 0.00, 0.00, 0.10, 0.60), (2.2, 1.4, 2.2)),
    "alveolar": Viseme((0.16, 0.20, 0.00, 0.12, 0.00, 0.00, 0.65, 0.30), (0.8, 0.25, 0.8)),
    "lateral": Viseme((0.30, 0.15, 0.00, 0.15, 0.00, 0.00, 0.95, 0.10), (1.0, 0.3, 1.4)),
    "trill": Viseme((0.26, 0.15, 0.00, 0.15, 0.00, 0.00, 0.60, 0.20), (0.8, 0.3, 0.8)),
    "approximant": Viseme((0.20, 0.00, 0.45, 0.20, 0.00, 0.00, 0.20, 0.25), (0.9, 0.8, 0.9)),
    "palatal": Viseme((0.16, 0.60, 0.00, 0.20, 0.00, 0.00, 0.15, 0.35), (0.8, 0.6, 0.8)),
    "velar": Viseme((0.25, 0.10, 0.00, 0.10, 0.00, 0.00, 0.05, 0.15), (0.5, 0.15, 0.5)),
    "uvular": Viseme((0.38, 0.05, 0.05, 0.10, 0.00, 0.00, 0.00, 0.05), (0.6, 0.2, 0.6)),
    "glottal": Viseme((0.30, 0.05, 0.00, 0.08, 0.00, 0.00, 0.00, 0.05), (0.15, 0.05, 0.15)),
    "glide w": Viseme((0.16, 0.00, 1.00, 0.00, 0.12, 0.00, 0.00, 0.00), (1.4, 1.8, 1.6)),
    "ah": Viseme((0.90, 0.10, 0.00, 0.18, 0.00, 0.00, 0.00, 0.00), (1.0, 0.8, 1.0)),
    "ae": Viseme((0.72, 0.45, 0.00, 0.30, 0.00, 0.00, 0.00, 0.05), (1.0, 0.9, 1.0)),
    "uh": Viseme((0.55, 0.12, 0.00, 0.15, 0.00, 0.00, 0.00, 0.05), (0.9, 0.6, 0.9)),
    "schwa": Viseme((0.32, 0.10, 0.05, 0.10, 0.00, 0.00, 0.00, 0.10), (0.7, 0.35, 0.7)),
    "eh": Viseme((0.52, 0.42, 0.00, 0.25, 0.00, 0.00, 0.05, 0.10), (1.0, 0.9, 1.0)),
    "ay": Viseme((0.38, 0.58, 0.00, 0.25, 0.00, 0.00, 0.05, 0.20), (1.0, 1.0, 1.0)),
    "ih": Viseme((0.27, 0.50, 0.00, 0.20, 0.00, 0.00, 0.08, 0.25), (0.9, 0.8, 0.9)),
    "ee": Viseme((0.17, 0.85, 0.00, 0.28, 0.00, 0.00, 0.10, 0.40), (1.0, 1.1, 1.0)),
    "back high": Viseme((0.22, 0.30, 0.00, 0.15, 0.00, 0.00, 0.05, 0.25), (0.9, 0.7, 0.9)),
    "aw": Viseme((0.66, 0.00, 0.50, 0.10, 0.00, 0.00, 0.00, 0.00), (1.0, 1.1, 1.0)),
    "oh": Viseme((0.45, 0.00, 0.82, 0.05, 0.00, 0.00, 0.00, 0.00), (1.0, 1.2, 1.0)),
    "oo": Viseme((0.25, 0.00, 1.00, 0.00, 0.00, 0.00, 0.00, 0.00), (1.0, 1.3, 1.0)),
    "ue": Viseme((0.22, 0.00, 0.90, 0.08, 0.00, 0.00, 0.05, 0.05), (1.0, 1.2, 1.0)),
    "oe": Viseme((0.38, 0.00, 0.72, 0.08, 0.00, 0.00, 0.05, 0.05), (1.0, 1.1, 1.0)),
}

VOWELS = frozenset(
    ("ah", "ae", "uh", "schwa", "eh", "ay", "ih", "ee", "back high", "aw", "oh", "oo", "ue", "oe")
)

# One line per class. Capitals, digits and punctuation are the mnemonics that espeak-ng prints for sounds
# without an IPA name.
_LETTERS = {
    "bilabial": "pbmɓʙʘᵐ",
    "bilabial fricative": "ɸβΦ",
    "labiodental": "fvʋɱⱱ",
    "dental": "θðTD",
    "sibilant": "szɬɮʦʣ",
    "postalveolar": "ʃʒʂʐɕʑɧʧʤʨʥSZ",
    "alveolar": "tdnʈɖɳɗǀǁǂǃ!ⁿ",
    "lateral": "lɭɫɺLˡ",
    "trill": "rɾɽ*",
    "approximant": "ɹɻɚɝʴ",
    "palatal": "jçʝɲɟcʎʄĵʲ",
    "velar": "kgɡxɣŋɰɠʟKGNˠ",
    "uvular": "qχʁʀɢɴʛħʕXRQˤ",
    "glottal": "hɦʔʜʢʡ?Hʰʱ",
    "glide w": "wʍɥWʷᵝ",
    "ah": "aɑɶA",
    "ae": "æ&",
    "uh": "ʌɐV",
    "schwa": "əɜɘɞ@3",
    "eh": "ɛεE",
    "ay": "eɤ",
    "ih": "ɪI",
    "ee": "i",
    "back high": "ɨɯY",
    "aw": "ɔɒO0",
    "oh": "oɵ",
    "oo": "uʊʉU",
    "ue": "yʏ",
    "oe": "øœ",
}

_VISEME_OF = {letter: name for name, letters in _LETTERS.items() for letter in letters}

# A letter that colours the sound before it does not last as long as a letter of its own.
_SHORT = frozenset("ʰʱʲʷᵝˠˤʴˡⁿᵐ")


@dataclass(frozen=True, slots=True)
class Gesture:
    """One letter of a phoneme: its viseme and the part [first, end) of the phoneme it takes, 0..1."""

    viseme: str
    first: float
    end: float


def gestures(ipa: str) -> tuple[Gesture, ...]:
    """The mouth gestures of one phoneme, in order; a pause is "rest".

    Diphthongs and affricates become two. Length, stress, tone and combining marks have no pose of their own,
    and a language tag such as "(en)" none at all. A letter nobody has described is taken for a schwa.
    """
    if not ipa:
        return (Gesture("rest", 0.0, 1.0),)
    if ipa.startswith("("):
        return ()
    names = [(_viseme(letter), letter in _SHORT) for letter in _letters(ipa)]
    total = sum(_share(short) for _, short in names)
    made: list[Gesture] = []
    at = 0.0
    for name, short in names:
        end = at + _share(short) / total
        made.append(Gesture(name, at, end))
        at = end
    return tuple(made)


def emphasis(ipa: str) -> float:
    """How much wider than usual a vowel opens: more under stress, less without."""
    return {"ˈ": 1.12, "ˌ": 1.0}.get(ipa[:1], 0.92)


def described(letter: str) -> bool:
    """Whether a letter has a viseme of its own."""
    return letter in _VISEME_OF


def _viseme(letter: str) -> str:
    return _VISEME_OF.get(letter, "schwa")


def _share(short: bool) -> float:
    return 0.4 if short else 1.0


def _letters(ipa: str) -> list[str]:
    """Base letters in order, without diacritics; "ã" and "ç" count as what they are based on or are."""
    letters: list[str] = []
    for sign in unicodedata.normalize("NFC", ipa):
        base = sign if sign in _VISEME_OF else unicodedata.normalize("NFD", sign)[0]
        if base in _VISEME_OF or unicodedata.category(base) in ("Ll", "Lu", "Lo"):
            letters.append(base)
    return letters
