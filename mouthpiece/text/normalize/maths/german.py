"""Formulas in German."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from num2words import num2words

from mouthpiece.text.normalize.maths.speaking import Speaker
from mouthpiece.text.normalize.maths.tree import Node, Number

_GREEK = """
    α=Alpha β=Beta γ=Gamma δ=Delta ε=Epsilon ϵ=Epsilon ζ=Zeta η=Eta θ=Theta ϑ=Theta ι=Iota κ=Kappa λ=Lambda
    μ=My µ=My ν=Ny ξ=Xi ο=Omikron π=Pi ρ=Rho σ=Sigma ς=Sigma τ=Tau υ=Ypsilon φ=Phi ϕ=Phi χ=Chi ψ=Psi ω=Omega
"""
_LETTERS = {letter: name for letter, _, name in (entry.partition("=") for entry in _GREEK.split())}
_SIGNS = {
    "+": "plus",
    "=": "gleich",
    "<": "kleiner als",
    ">": "größer als",
    "≤": "kleiner gleich",
    "≥": "größer gleich",
    "≠": "ungleich",
    "≈": "ungefähr gleich",
    "≡": "äquivalent zu",
    "≅": "kongruent zu",
    "∼": "ähnlich zu",
    "~": "ähnlich zu",
    "∝": "proportional zu",
    "±": "plus minus",
    "∓": "minus plus",
    "×": "mal",
    "·": "mal",
    "⋅": "mal",
    "*": "mal",
    "∗": "Stern",
    "÷": "geteilt durch",
    "∘": "verkettet mit",
    "→": "nach",
    "↦": "wird abgebildet auf",
    "⇒": "daraus folgt",
    "⇔": "genau dann, wenn",
    "∈": "Element von",
    "∉": "nicht Element von",
    "⊂": "Teilmenge von",
    "⊆": "Teilmenge oder gleich",
    "∪": "vereinigt mit",
    "∩": "geschnitten mit",
    "∅": "die leere Menge",
    "∀": "für alle",
    "∃": "es gibt",
    "∧": "und",
    "∨": "oder",
    "¬": "nicht",
    "∞": "unendlich",
    "∂": "d",
    "∇": "Nabla",
    "∫": "das Integral von",
    "∑": "die Summe von",
    "∏": "das Produkt von",
    "√": "Wurzel aus",
    "…": "und so weiter",
    "°": "Grad",
    "%": "Prozent",
    "ℏ": "h quer",
    "ℓ": "l",
    "⊕": "Plus im Kreis",
    "⊗": "Tensor",
    "⊥": "senkrecht zu",
    "∥": "parallel zu",
    "∠": "Winkel",
    "&": "und",
    "$": "Dollar",
    "#": "Nummer",
}


class GermanSpeaker(Speaker):
    """As a lecturer reads to a class."""

    symbols = _LETTERS | _SIGNS
    groups = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+")
    phrases: ClassVar[Mapping[str, str]] = {
        "simple over": "{} durch {}",
        "all over": "{}, das Ganze durch, {},",
        "over": "durch",
        "derivative": "{} nach {}",
        "choose": "{} über {}",
        "square root": "Wurzel aus {}",
        "minus": "minus",
        "negative": "minus",
        "given": "unter der Bedingung",
        "factorial": "Fakultät",
        "of": "von",
        "times": "mal",
        "prime": " Strich",
        "double prime": " zwei Strich",
        "log base": "Logarithmus zur Basis {} von",
        "degrees": "Grad",
        "star": "Stern",
        "transposed": "transponiert",
        "of all": "von",
        "of limit": "von",
        "over all": "über {}",
        "big ∫": "das Integral",
        "big ∬": "das Doppelintegral",
        "big ∭": "das Dreifachintegral",
        "big ∮": "das Ringintegral",
        "big ∑": "die Summe",
        "big Σ": "die Summe",
        "big ∏": "das Produkt",
        "big ∐": "das Koprodukt",
        "big ⋃": "die Vereinigung",
        "big ⋂": "der Durchschnitt",
        "fence (": "Klammer auf {} Klammer zu",
        "fence [": "eckige Klammer auf {} eckige Klammer zu",
        "fence {": "die Menge {}",
        "fence |": "der Betrag von {}",
        "fence ‖": "die Norm von {}",
        "fence ⌊": "{} abgerundet",
        "fence ⌈": "{} aufgerundet",
        "fence ⟨": "spitze Klammer auf {} spitze Klammer zu",
        "matrix": "die {} Matrix",
        "determinant": "die {} Determinante",
        "vector": "der Vektor",
        "row": "Zeile {},",
    }
    names: ClassVar[Mapping[str, str]] = {
        "sin": "Sinus",
        "cos": "Kosinus",
        "tan": "Tangens",
        "tg": "Tangens",
        "cot": "Kotangens",
        "ctg": "Kotangens",
        "sec": "Sekans",
        "csc": "Kosekans",
        "arcsin": "Arkussinus",
        "arccos": "Arkuskosinus",
        "arctan": "Arkustangens",
        "arctg": "Arkustangens",
        "sinh": "Sinus hyperbolicus",
        "cosh": "Kosinus hyperbolicus",
        "tanh": "Tangens hyperbolicus",
        "log": "Logarithmus",
        "ln": "natürlicher Logarithmus",
        "lg": "Zehnerlogarithmus",
        "exp": "Exponentialfunktion",
        "lim": "der Limes",
        "limsup": "der Limes superior",
        "liminf": "der Limes inferior",
        "max": "das Maximum",
        "min": "das Minimum",
        "sup": "das Supremum",
        "inf": "das Infimum",
        "det": "Determinante",
        "dim": "Dimension",
        "ker": "Kern",
        "gcd": "größter gemeinsamer Teiler",
        "ggT": "größter gemeinsamer Teiler",
        "kgV": "kleinstes gemeinsames Vielfaches",
        "Pr": "die Wahrscheinlichkeit",
        "mod": "modulo",
    }
    accents: ClassVar[Mapping[str, str]] = {
        "vec": "Vektor {}",
        "overrightarrow": "Vektor {}",
        "hat": "{} Dach",
        "widehat": "{} Dach",
        "bar": "{} quer",
        "overline": "{} quer",
        "dot": "{} Punkt",
        "ddot": "{} zwei Punkt",
        "tilde": "{} Tilde",
        "widetilde": "{} Tilde",
    }

    def letter(self, char: str) -> str:
        return self.symbols.get(char.lower()) or super().letter(char)

    def power(self, base: str, exponent: Node) -> str:
        return f"{base} Quadrat" if exponent == Number("2") else f"{base} hoch {self._say(exponent)}"

    def root(self, index: Node, body: str) -> str:
        if isinstance(index, Number) and index.text.isdecimal() and len(index.text) < 7:
            return f"die {num2words(int(index.text), lang='de', to='ordinal')} Wurzel aus {body}"
        return f"die {self._say(index)}-te Wurzel aus {body}"

    def limits(self, lower: Node, upper: Node) -> str:
        return f"von {self._say(lower)} bis {self._say(upper)}"

    def approach(self, variable: str, target: Node) -> str:
        return f"für {variable} gegen {self._say(target)}"

    def size(self, rows: int, columns: int) -> str:
        return f"{self.language.cardinal(rows)} mal {self.language.cardinal(columns)}"
