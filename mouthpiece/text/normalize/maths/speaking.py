"""A formula's tree as words. One speaker per language: its phrases are data, its grammar a few methods."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from mouthpiece.text.normalize import chemistry
from mouthpiece.text.normalize.language import Language
from mouthpiece.text.normalize.maths.tree import (
    Accent,
    Binomial,
    Chemical,
    Fenced,
    Fraction,
    Matrix,
    Name,
    Node,
    Number,
    Root,
    Row,
    Scripted,
    Symbol,
)

_INTEGRALS = "∫∬∭∮"
_SUMS = "∑∏⋃⋂∐Σ"
_LIMITS = frozenset(("lim", "limsup", "liminf", "max", "min", "sup", "inf"))
_FUNCTION_LETTERS = frozenset("fghpFGHPφψΦΨΓζ")
_DIFFERENTIALS = ("d", "∂")
_NAMED_MATRICES = frozenset(("pmatrix", "bmatrix", "matrix", "Bmatrix", "smallmatrix", "array"))


class Speaker(ABC):
    """Says formulas. ``phrases`` hold "{}" for each part; ``symbols`` are words by character."""

    phrases: ClassVar[Mapping[str, str]]
    symbols: ClassVar[Mapping[str, str]]
    names: ClassVar[Mapping[str, str]]
    """Functions and what they are called."""
    accents: ClassVar[Mapping[str, str]]
    groups: ClassVar[re.Pattern[str] | None] = None
    """Numbers with marks between their thousands."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def say(self, node: Node) -> str:
        """A formula in words."""
        of = self.phrases["of"]
        words = " ".join(self._say(node).split()).replace(f" {of} {of} ", f" {of} ")
        return words.replace(" ,", ",").strip(" ,")

    # ---------------------------------------------------------------- grammar

    @abstractmethod
    def power(self, base: str, exponent: Node) -> str:
        """A base raised to a power."""

    @abstractmethod
    def root(self, index: Node, body: str) -> str:
        """A root that is not the square root."""

    @abstractmethod
    def limits(self, lower: Node, upper: Node) -> str:
        """ "from zero to one"."""

    @abstractmethod
    def approach(self, variable: str, target: Node) -> str:
        """Where the variable of a limit goes."""

    @abstractmethod
    def size(self, rows: int, columns: int) -> str:
        """ "two by three"."""

    def letter(self, char: str) -> str:
        """A single letter."""
        plain = unicodedata.normalize("NFKC", char)
        return self.symbols.get(plain) or plain

    def number(self, text: str) -> str:
        """A number within a formula."""
        if self.groups and self.groups.fullmatch(text):
            text = re.sub("[.,]", "", text)
        whole, _, fraction = text.replace(",", ".").partition(".")
        place = self.language.numbers.match(text, 0)
        spoken = self.language.cardinal(int(whole)) if len(whole) <= 15 else self.language.digits(whole)
        if not fraction or place is None:
            return spoken
        return self.language.decimal(whole, fraction)

    # ---------------------------------------------------------------- nodes

    def _say(self, node: Node) -> str:  # noqa: C901  one line per kind of node
        match node:
            case Number(text):
                return self.number(text)
            case Symbol(char):
                return self._symbol(char)
            case Name(text):
                return self.names.get(text, text)
            case Row(items):
                return self._row(items)
            case Fraction(top, bottom):
                return self._fraction(top, bottom)
            case Binomial(top, bottom):
                return self._phrase("choose", top, bottom)
            case Root(body, None):
                return self._phrase("square root", body)
            case Root(body, index):
                assert index is not None
                return self.root(index, self._say(body))
            case Scripted():
                return self._scripted(node)
            case Accent(name, body):
                return self.accents.get(name, "{}").format(self._say(body))
            case Fenced(bracket, body):
                return self._phrase(f"fence {bracket}", body)
            case Matrix():
                return self._matrix(node)
            case Chemical(text):
                return chemistry.spoken(text, self.language)

    def _phrase(self, name: str, *parts: Node) -> str:
        return self.phrases[name].format(*(self._say(part) for part in parts))

    def _symbol(self, char: str) -> str:
        if char.isalpha():
            return self.letter(char)
        return self.symbols.get(char, char if char in ",;:." else self._unknown(char))

    def _unknown(self, char: str) -> str:
        return "" if unicodedata.category(char)[0] in "ZCP" else unicodedata.name(char, "").lower()

    def _row(self, items: Sequence[Node]) -> str:
        words: list[str] = []
        for number, item in enumerate(items):
            before = items[number - 1] if number else None
            joint = self._between(before, item)
            words.append(joint)
            if joint == self.phrases["of"] and isinstance(item, Fenced) and not _is_wide(item.body, ",|"):
                words.append(self._say(item.body))
            else:
                words.append(self._in_row(items, number))
        return " ".join(word for word in words if word)

    def _in_row(self, items: Sequence[Node], number: int) -> str:
        item = items[number]
        if item in (Symbol("-"), Symbol("−")):
            alone = number == 0 or _is_relation(items[number - 1])
            return self.phrases["negative" if alone else "minus"]
        if item == Symbol("/"):
            return self.phrases["over"]
        if item == Symbol("|") or item == Symbol(":"):
            return self.phrases["given"] if item == Symbol("|") else ","
        if item == Symbol("!") and number:
            return self.phrases["factorial"]
        return self._say(item)

    def _between(self, before: Node | None, item: Node) -> str:
        """What is said where two things stand next to each other without a sign."""
        if not isinstance(item, Fenced) or item.bracket not in "([{" or before is None:
            return ""
        base = before.base if isinstance(before, Scripted) else before
        if isinstance(base, Name) or (isinstance(base, Symbol) and base.char in _FUNCTION_LETTERS):
            return self.phrases["of"]
        multiplied = isinstance(base, Number | Fenced | Root) or (
            isinstance(base, Symbol) and base.char.isalpha()
        )
        return self.phrases["times"] if multiplied else ""

    def _scripted(self, node: Scripted) -> str:
        base = node.base
        if isinstance(base, Symbol) and base.char in _INTEGRALS + _SUMS:
            return self._big(base.char, node)
        if isinstance(base, Name) and base.text in _LIMITS:
            return self._limit(base.text, node)
        if base == Name("log") and node.sub is not None:
            spoken = self.phrases["log base"].format(self._say(node.sub))
        else:
            primes = self.phrases["double prime"] if node.primes == 2 else self.phrases["prime"] * node.primes
            spoken = f"{self._say(base)} {primes}"
            spoken += f" {self._say(node.sub)}" if node.sub is not None else ""
        return self._raised(spoken, base, node.sup) if node.sup is not None else spoken

    def _raised(self, spoken: str, base: Node, exponent: Node) -> str:
        match exponent:
            case Symbol("∘" | "°"):
                return f"{spoken} {self.phrases['degrees']}"
            case Symbol("*" | "∗"):
                return f"{spoken} {self.phrases['star']}"
            case Symbol("T" | "⊤") if isinstance(base, Symbol | Accent | Fenced):
                return f"{spoken} {self.phrases['transposed']}"
            case Symbol("+" | "-" | "−"):
                return f"{spoken} {self._say(exponent)}"
            case _:
                return self.power(spoken, exponent)

    def _big(self, char: str, node: Scripted) -> str:
        name = self.phrases[f"big {char}"]
        if node.sub is not None and node.sup is not None:
            return f"{name} {self.limits(node.sub, node.sup)} {self.phrases['of all']}"
        if node.sub is not None:
            return f"{name} {self.phrases['over all'].format(self._say(node.sub))} {self.phrases['of all']}"
        return f"{name} {self.phrases['of all']}"

    def _limit(self, name: str, node: Scripted) -> str:
        said = self.names.get(name, name)
        if node.sub is None:
            return said
        items = node.sub.items if isinstance(node.sub, Row) else (node.sub,)
        if Symbol("→") not in items:
            return f"{said} {self.phrases['over all'].format(self._say(node.sub))} {self.phrases['of all']}"
        arrow = items.index(Symbol("→"))
        variable, target = Row(items[:arrow]), _unwrapped(Row(items[arrow + 1 :]))
        return f"{said} {self.approach(self._say(variable), target)} {self.phrases['of limit']}"

    def _fraction(self, top: Node, bottom: Node) -> str:
        if isinstance(top, Number) and isinstance(bottom, Number) and (top.text + bottom.text).isdecimal():
            spoken = len(bottom.text) < 4 and self.language.fraction(int(top.text), int(bottom.text))
            if spoken:
                return spoken
        if _is_differential(top) and _is_differential(bottom):
            return self._phrase("derivative", top, bottom)
        wide = _is_wide(top) or _is_wide(bottom)
        return (
            self._phrase("all over" if wide else "over all", *(top, bottom))
            if wide
            else self._phrase("simple over", top, bottom)
        )

    def _matrix(self, node: Matrix) -> str:
        rows = [", ".join(filter(None, (self._say(cell) for cell in row))) for row in node.rows]
        if node.kind not in _NAMED_MATRICES | {"vmatrix", "Vmatrix"}:
            return ", ".join(rows).replace(", =", " =")
        columns = max((len(row) for row in node.rows), default=0)
        kind = "determinant" if node.kind.lower() == "vmatrix" else "vector" if columns == 1 else "matrix"
        if kind == "vector":
            return f"{self.phrases['vector']} {', '.join(rows)},"
        numbered = [
            f"{self.phrases['row'].format(self.language.cardinal(n))} {row}" for n, row in enumerate(rows, 1)
        ]
        said = self.phrases[kind].format(self.size(len(rows), columns))
        return f"{said}, {', '.join(numbered)},"


def _unwrapped(row: Row) -> Node:
    return row.items[0] if len(row.items) == 1 else row


def _is_relation(node: Node) -> bool:
    return isinstance(node, Symbol) and (node.char in "=<>≤≥≠≈→∈,(" or node.char in "+×·÷*/")


def _is_wide(node: Node, narrow: str = "") -> bool:
    """Whether a listener would not hear where it ends; the ``narrow`` signs are no reason for that."""
    return isinstance(node, Row) and any(
        isinstance(item, Symbol) and item.char not in f"!{narrow}" and not item.char.isalnum()
        for item in node.items
    )


def _is_differential(node: Node) -> bool:
    items = node.items if isinstance(node, Row) else (node,)
    first = items[0] if items else None
    first = first.base if isinstance(first, Scripted) else first
    return isinstance(first, Symbol) and first.char in _DIFFERENTIALS and len(items) <= 3
