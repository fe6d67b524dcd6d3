"""Chemical formulas: letters are spelled, numbers are said."""

from __future__ import annotations

import re
import unicodedata

from mouthpiece.text.normalize.language import Language
from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.tables import words_of
from mouthpiece.text.normalize.token import Kind, Token

_ELEMENTS = """
    H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb
    Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th
    Pa U Np Pu Am
"""
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"
_CHARGE = r"(?:[⁰¹²³⁴-⁹]?[⁺⁻])?"
_ATOM = (
    rf"(?:{'|'.join(sorted(_ELEMENTS.split(), key=len, reverse=True))})(?:\d{{1,3}}|[{_SUBSCRIPTS}]{{1,3}})?"
)
_FORMULA = re.compile(
    rf"(?:{_ATOM}|\((?:{_ATOM}){{1,6}}\)(?:\d{{1,2}}|[{_SUBSCRIPTS}]{{1,2}})?){{1,20}}{_CHARGE}(?!\w)"
)
_PARTS = re.compile(r"[A-Z][a-z]?|[0-9]+|[₀-₉]+|[⁰¹²³⁴-⁹]+|[⁺⁻]")
_CHARGES = {"⁺": "+", "⁻": "-"}
_KNOWN = frozenset(words_of("NaCl HCl NaOH KCl KOH HBr CaO MgO NaF KBr AgCl HF HNO ZnO FeO CuO NO CO"))
_PLAIN = frozenset(("CO", "NO"))
_NOT_CHEMISTRY = frozenset(
    ("B2B", "B2C", "C2C", "P2P", "K2", "V8", "V6", "F1", "U2", "B12", "B6", "C4", "F16", "U8")
)


def formula(source: Source, at: int) -> Token | None:
    """ "H2O", "CO₂", "C6H12O6", "NaCl"; a single letter with a number is none."""
    found = _FORMULA.match(source.text, at)
    if not found or (at and not source.ends_word(at - 1)):
        return None
    written = found.group()
    if written in _NOT_CHEMISTRY or not _is_formula(written):
        return None
    return source.token(at, found.end(), spoken(written, source.language), Kind.CHEMISTRY)


def _is_formula(written: str) -> bool:
    if written in _KNOWN - _PLAIN:
        return True
    atoms = len(re.findall("[A-Z]", written))
    small = any(char in _SUBSCRIPTS + "⁺⁻" for char in written)
    return (
        small
        or (atoms >= 2 and any(char.isdecimal() for char in written))
        or written in ("O2", "H2", "N2", "O3", "Cl2", "F2")
    )


def spoken(written: str, language: Language) -> str:
    """A formula as it is read aloud."""
    return " ".join(_part(part, language) for part in _PARTS.findall(written))


def _part(part: str, language: Language) -> str:
    if part in _CHARGES:
        return language.words.plus if _CHARGES[part] == "+" else language.words.minus
    digits = unicodedata.normalize("NFKC", part)
    return language.cardinal(int(digits)) if digits.isdecimal() else language.element(part)
