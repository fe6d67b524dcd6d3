"""Formulas in English."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import ClassVar

from mouthpiece.text.normalize.english import nth
from mouthpiece.text.normalize.maths.speaking import Speaker
from mouthpiece.text.normalize.maths.tree import Node, Number, Symbol

_SYMBOLS = {
    "a": "ay",
    "+": "plus",
    "=": "equals",
    "<": "is less than",
    ">": "is greater than",
    "≤": "is less than or equal to",
    "≥": "is greater than or equal to",
    "≠": "is not equal to",
    "≈": "is approximately equal to",
    "≡": "is equivalent to",
    "≅": "is congruent to",
    "∼": "is similar to",
    "~": "is similar to",
    "∝": "is proportional to",
    "±": "plus or minus",
    "∓": "minus or plus",
    "×": "times",
    "·": "times",
    "⋅": "times",
    "*": "times",
    "∗": "star",
    "÷": "divided by",
    "∘": "composed with",
    "→": "to",
    "↦": "maps to",
    "⇒": "implies",
    "⇔": "if and only if",
    "∈": "in",
    "∉": "not in",
    "⊂": "is a subset of",
    "⊆": "is a subset of or equal to",
    "∪": "union",
    "∩": "intersection",
    "∅": "the empty set",
    "∀": "for all",
    "∃": "there exists",
    "∧": "and",
    "∨": "or",
    "¬": "not",
    "∞": "infinity",
    "∂": "partial",
    "∇": "nabla",
    "∫": "the integral of",
    "∑": "the sum of",
    "∏": "the product of",
    "√": "the square root of",
    "…": "and so on",
    "°": "degrees",
    "%": "percent",
    "ℏ": "h bar",
    "ℓ": "l",
    "⊕": "circled plus",
    "⊗": "tensor",
    "⊥": "is perpendicular to",
    "∥": "is parallel to",
    "∠": "angle",
    "λ": "lambda",
    "Λ": "lambda",
    "&": "and",
    "$": "dollar",
    "#": "number",
}


class EnglishSpeaker(Speaker):
    """As a lecturer reads to a class."""

    symbols = _SYMBOLS
    groups = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
    phrases: ClassVar[Mapping[str, str]] = {
        "simple over": "{} over {}",
        "all over": "{}, all over, {},",
        "over": "over",
        "derivative": "{} by {}",
        "choose": "{} choose {}",
        "square root": "the square root of {}",
        "minus": "minus",
        "negative": "minus",
        "given": "given",
        "factorial": "factorial",
        "of": "of",
        "times": "times",
        "prime": " prime",
        "double prime": " double prime",
        "log base": "log base {} of",
        "degrees": "degrees",
        "star": "star",
        "transposed": "transpose",
        "of all": "of",
        "of limit": "of",
        "over all": "over {}",
        "big ∫": "the integral",
        "big ∬": "the double integral",
        "big ∭": "the triple integral",
        "big ∮": "the contour integral",
        "big ∑": "the sum",
        "big Σ": "the sum",
        "big ∏": "the product",
        "big ∐": "the coproduct",
        "big ⋃": "the union",
        "big ⋂": "the intersection",
        "fence (": "open parenthesis {} close parenthesis",
        "fence [": "open bracket {} close bracket",
        "fence {": "the set {}",
        "fence |": "the absolute value of {}",
        "fence ‖": "the norm of {}",
        "fence ⌊": "the floor of {}",
        "fence ⌈": "the ceiling of {}",
        "fence ⟨": "angle bracket {} close angle bracket",
        "matrix": "the {} matrix",
        "determinant": "the {} determinant",
        "vector": "the vector",
        "row": "row {},",
    }
    names: ClassVar[Mapping[str, str]] = {
        "sin": "sine",
        "cos": "cosine",
        "tan": "tangent",
        "tg": "tangent",
        "cot": "cotangent",
        "ctg": "cotangent",
        "sec": "secant",
        "csc": "cosecant",
        "arcsin": "arc sine",
        "arccos": "arc cosine",
        "arctan": "arc tangent",
        "arctg": "arc tangent",
        "sinh": "hyperbolic sine",
        "cosh": "hyperbolic cosine",
        "tanh": "hyperbolic tangent",
        "ln": "natural log of",
        "lg": "log",
        "exp": "the exponential of",
        "lim": "the limit",
        "limsup": "the limit superior",
        "liminf": "the limit inferior",
        "max": "the maximum",
        "min": "the minimum",
        "sup": "the supremum",
        "inf": "the infimum",
        "det": "the determinant of",
        "dim": "the dimension of",
        "ker": "the kernel of",
        "gcd": "the greatest common divisor of",
        "Pr": "the probability",
        "mod": "modulo",
    }
    accents: ClassVar[Mapping[str, str]] = {
        "vec": "vector {}",
        "overrightarrow": "vector {}",
        "hat": "{} hat",
        "widehat": "{} hat",
        "bar": "{} bar",
        "overline": "{} bar",
        "dot": "{} dot",
        "ddot": "{} double dot",
        "tilde": "{} tilde",
        "widetilde": "{} tilde",
    }

    def letter(self, char: str) -> str:
        known = super().letter(char)
        if known != char or char.isascii():
            return known
        name = unicodedata.name(char, "")
        return name.rpartition(" ")[2].lower() if name.startswith("GREEK") else char

    def power(self, base: str, exponent: Node) -> str:
        if exponent == Number("2"):
            return f"{base} squared"
        if exponent == Number("3"):
            return f"{base} cubed"
        if isinstance(exponent, Symbol) and exponent.char in "nmkN":
            return f"{base} to the {exponent.char}"
        return f"{base} to the power of {self._say(exponent)}"

    def root(self, index: Node, body: str) -> str:
        if isinstance(index, Number) and index.text.isdecimal():
            ordinal = "cube" if index.text == "3" else nth(int(index.text))
            return f"the {ordinal} root of {body}"
        return f"the {self._say(index)}-th root of {body}"

    def limits(self, lower: Node, upper: Node) -> str:
        return f"from {self._say(lower)} to {self._say(upper)}"

    def approach(self, variable: str, target: Node) -> str:
        return f"as {variable} approaches {self._say(target)}"

    def size(self, rows: int, columns: int) -> str:
        return f"{self.language.cardinal(rows)} by {self.language.cardinal(columns)}"
