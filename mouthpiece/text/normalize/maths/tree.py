"""What a formula consists of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """Digits, with a decimal point perhaps."""

    text: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """One character: a letter, an operator, a relation, a bracket."""

    char: str


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a function, such as "sin", or words within a formula."""

    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """Things next to each other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fraction:
    """One thing over another."""

    top: Node
    bottom: Node


@dataclass(frozen=True, slots=True)
class Binomial:
    """The number of ways to choose."""

    top: Node
    bottom: Node


@dataclass(frozen=True, slots=True)
class Root:
    """A root; ``index`` is ``None`` for the square root."""

    body: Node
    index: Node | None = None


@dataclass(frozen=True, slots=True)
class Scripted:
    """Something with a subscript, a superscript or both, and primes."""

    base: Node
    sub: Node | None = None
    sup: Node | None = None
    primes: int = 0


@dataclass(frozen=True, slots=True)
class Accent:
    """Something under a mark; ``name`` is the LaTeX command, such as "vec"."""

    name: str
    body: Node


@dataclass(frozen=True, slots=True)
class Fenced:
    """Something between brackets of a kind: "(", "[", "{", "|", "‖", "⌊", "⌈", "⟨"."""

    bracket: str
    body: Node


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of cells; ``kind`` is the LaTeX environment."""

    kind: str
    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Chemical:
    """A chemical formula as written."""

    text: str


Node = (
    Number | Symbol | Name | Row | Fraction | Binomial | Root | Scripted | Accent | Fenced | Matrix | Chemical
)
