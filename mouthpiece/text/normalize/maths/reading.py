"""LaTeX, with Unicode in it as people paste it, into a tree. pylatexenc finds commands and groups."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import (
    LatexCharsNode,
    LatexEnvironmentNode,
    LatexGroupNode,
    LatexMacroNode,
    LatexMathNode,
    LatexSpecialsNode,
    LatexWalker,
    LatexWalkerParseError,
    get_default_latex_context_db,
)
from pylatexenc.macrospec import MacroSpec, MacroStandardArgsParser, std_environment

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
from mouthpiece.text.normalize.tables import words_of

DEEPEST = 40
"""Levels of braces, beyond which a formula is not read."""

_MATRICES = frozenset(words_of("matrix pmatrix bmatrix vmatrix Vmatrix Bmatrix smallmatrix array cases"))
_ALIGNED = frozenset(
    words_of("align align* aligned gather gather* gathered split equation equation* multline")
)
_ACCENTS = frozenset(
    words_of("vec hat bar dot ddot tilde overline underline widehat widetilde overrightarrow")
)
_STYLES = frozenset(
    words_of("""
        mathbf mathrm mathit mathsf mathtt mathbb mathcal mathfrak mathscr boldsymbol bm pmb text textbf
        textit textrm mbox operatorname emph phantom displaystyle
    """)
)
_WORDS = frozenset(words_of("text textbf textit textrm mbox operatorname emph"))
_SKIPPED = frozenset(
    words_of("""
        left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr middle limits nolimits displaystyle
        textstyle scriptstyle quad qquad , ; : ! hspace nonumber notag label phantom
    """)
    + words_of("> \\")
)
FUNCTIONS = frozenset(
    words_of("""
        sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth log ln lg exp lim limsup liminf
        max min sup inf det dim ker deg gcd hom arg Pr mod tg ctg arctg
    """)
)
_UNICODE_OF = {
    "to": "→",
    "rightarrow": "→",
    "Rightarrow": "⇒",
    "implies": "⇒",
    "iff": "⇔",
    "ge": "≥",
    "geq": "≥",
    "geqslant": "≥",
    "le": "≤",
    "leq": "≤",
    "leqslant": "≤",
    "ne": "≠",
    "neq": "≠",
    "cdot": "·",
    "times": "×",
    "div": "÷",
    "pm": "±",
    "mp": "∓",
    "sum": "∑",
    "prod": "∏",
    "int": "∫",
    "iint": "∬",
    "iiint": "∭",
    "oint": "∮",
    "infty": "∞",
    "partial": "∂",
    "nabla": "∇",
    "lbrace": "{",
    "rbrace": "}",
    "{": "{",
    "}": "}",
    "%": "%",
    "$": "$",
    "&": "&",
    "#": "#",
    "_": "_",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "mid": "|",
    "|": "‖",
    "Vert": "‖",
    "lVert": "‖",
    "rVert": "‖",
    "ldots": "…",
    "cdots": "…",
    "dots": "…",
    "vdots": "…",
    "circ": "∘",
    "degree": "°",
    "prime": "′",
    "hbar": "ℏ",
    "ell": "ℓ",
    "varepsilon": "ε",
    "epsilon": "ε",
    "varphi": "φ",
    "phi": "φ",
    "vartheta": "θ",
    "varrho": "ρ",
    "emptyset": "∅",
    "varnothing": "∅",
    "lfloor": "⌊",
    "rfloor": "⌋",
    "lceil": "⌈",
    "rceil": "⌉",
    "langle": "⟨",
    "rangle": "⟩",
}
_SUPERS = {unicodedata.normalize("NFKC", char): char for char in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ"}
_FROM_SUPER = {char: plain for plain, char in _SUPERS.items()}
_FROM_SUB = {char: unicodedata.normalize("NFKC", char) for char in "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₖₘₙₒₚᵣₛₜₓ"}
_SUPER_RUN = re.compile(f"[{''.join(_FROM_SUPER)}]+")
_SUB_RUN = re.compile(f"[{''.join(_FROM_SUB)}]+")
_TOKENS = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_]{2,}|\S")
_CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", "‖": "‖", "⌊": "⌋", "⌈": "⌉", "⟨": "⟩"}


class Unreadable(Exception):
    """It is no formula, or one nobody could follow."""


def read(latex: str) -> Node:
    """The tree of a formula without its delimiters.

    Raises:
        Unreadable: nested too deeply, or not LaTeX.
    """
    if _depth(latex) > DEEPEST:
        raise Unreadable
    walker = LatexWalker(_plain_scripts(latex), latex_context=_context(), tolerant_parsing=True)
    try:
        nodes, _, _ = walker.get_latex_nodes()
    except (LatexWalkerParseError, RecursionError, IndexError, ValueError):
        raise Unreadable from None
    return _Reader(list(_items(nodes))).row()


def _depth(latex: str) -> int:
    deepest = depth = 0
    for char in latex:
        depth += (char == "{") - (char == "}")
        deepest = max(deepest, depth)
    return max(deepest, latex.count("\\begin"), latex.count("\\left"), latex.count("\\sqrt["))


def _plain_scripts(latex: str) -> str:
    """Superscript and subscript characters as scripts."""
    latex = _SUPER_RUN.sub(lambda run: f"^{{{''.join(_FROM_SUPER[char] for char in run[0])}}}", latex)
    return _SUB_RUN.sub(lambda run: f"_{{{''.join(_FROM_SUB[char] for char in run[0])}}}", latex)


@cache
def _context() -> Any:
    context = get_default_latex_context_db()
    macros = [
        MacroSpec(name, MacroStandardArgsParser("{"))
        for name in sorted(_ACCENTS | _STYLES - {"displaystyle"} | {"ce"})
    ]
    macros += [
        MacroSpec(name, MacroStandardArgsParser("{{"))
        for name in ("binom", "dbinom", "tbinom", "frac", "dfrac", "tfrac", "cfrac")
    ]
    macros += [
        MacroSpec("sqrt", MacroStandardArgsParser("[{")),
        MacroSpec("stackrel", MacroStandardArgsParser("{{")),
        MacroSpec("hspace", MacroStandardArgsParser("{")),
    ]
    environments = [std_environment(name, None) for name in sorted(_MATRICES | _ALIGNED) if name != "array"]
    context.add_context_category(
        "spoken", macros=macros, environments=environments, specials=[], prepend=True
    )
    return context


# From nodes of LaTeX to a flat list ------------------------------------------------------------------------

_Item = Node | str
"""A finished part of a tree, or a mark that says how parts belong together: "^", "_", "'", "&", "\\\\"."""


def _items(nodes: Sequence[Any]) -> Iterator[_Item]:
    for node in nodes:
        if isinstance(node, LatexCharsNode):
            yield from _of_chars(node.chars)
        elif isinstance(node, LatexGroupNode | LatexMathNode):
            yield _row(node.nodelist)
        elif isinstance(node, LatexEnvironmentNode):
            yield _environment(node)
        elif isinstance(node, LatexSpecialsNode):
            yield from _of_chars(node.specials_chars)
        elif isinstance(node, LatexMacroNode):
            yield from _macro(node)


def _of_chars(chars: str) -> Iterator[_Item]:
    for token in _TOKENS.findall(chars):
        if token in ("^", "_", "'", "&"):
            yield token
        elif token == "′":
            yield "'"
        elif token[0].isdecimal():
            yield Number(token)
        elif len(token) > 1:
            yield from _letters(token)
        elif token != "~":
            yield Symbol(token)


def _letters(word: str) -> Iterator[Node]:
    """Letters next to each other are a product, unless they are the name of a function."""
    if word in FUNCTIONS or len(word) > 4:
        yield Name(word)
    else:
        yield from map(Symbol, word)


def _row(nodes: Sequence[Any]) -> Node:
    return _Reader(list(_items(nodes))).row()


def _arguments(node: Any) -> list[Any]:
    return list(node.nodeargd.argnlist) if node.nodeargd and node.nodeargd.argnlist else []


def _argument(node: Any) -> Node:
    return _row([] if node is None else node.nodelist if isinstance(node, LatexGroupNode) else [node])


def _macro(node: Any) -> Iterator[_Item]:
    name, arguments = node.macroname, _arguments(node)
    if name == "\\":
        yield "\\\\"
    elif name in _SKIPPED:
        return
    elif name.endswith("frac") and len(arguments) == 2:
        yield Fraction(_argument(arguments[0]), _argument(arguments[1]))
    elif name.endswith("binom") and len(arguments) == 2:
        yield Binomial(_argument(arguments[0]), _argument(arguments[1]))
    elif name == "sqrt" and len(arguments) == 2:
        yield Root(_argument(arguments[1]), _argument(arguments[0]) if arguments[0] else None)
    elif name == "ce":
        yield Chemical(_verbatim(arguments))
    elif name in _ACCENTS and arguments:
        yield Accent(name, _argument(arguments[0]))
    elif name in _WORDS and arguments:
        yield Name(_verbatim(arguments))
    elif name in _STYLES and arguments:
        yield _argument(arguments[0])
    elif name in FUNCTIONS:
        yield Name(name)
    else:
        yield _symbol(name)


def _verbatim(arguments: Sequence[Any]) -> str:
    return " ".join(node.latex_verbatim().strip("{}") for node in arguments if node is not None)


@cache
def _symbol(name: str) -> Node:
    """What a command stands for; its name when that is not a character."""
    try:
        char = _UNICODE_OF.get(name) or LatexNodes2Text().latex_to_text(f"\\{name}").strip()
    except LookupError:  # pylatexenc's, for a command that lacks its arguments
        char = ""
    return Symbol(char) if len(char) == 1 else Name(name)


def _environment(node: Any) -> Node:
    name = node.environmentname
    nodes = list(node.nodelist)
    if name == "array" and nodes and isinstance(nodes[0], LatexGroupNode):
        nodes = nodes[1:]
    cells: list[list[list[_Item]]] = [[[]]]
    for item in _items(nodes):
        if item == "\\\\":
            cells.append([[]])
        elif item == "&":
            cells[-1].append([])
        else:
            cells[-1][-1].append(item)
    rows = tuple(tuple(_Reader(cell).row() for cell in row) for row in cells if any(row))
    return Matrix(name, rows)


# From a flat list to a tree --------------------------------------------------------------------------------


class _Reader:
    """Joins bases with their scripts, and what brackets hold."""

    def __init__(self, items: list[_Item]) -> None:
        self._items = items
        self._at = 0
        self._levels = 0

    def row(self, closing: str = "") -> Node:
        parts: list[Node] = []
        while self._at < len(self._items):
            if closing and self._items[self._at] == Symbol(closing):
                break
            part = self._part(parts)
            if part is not None:
                parts.append(part)
        return parts[0] if len(parts) == 1 else Row(tuple(parts))

    def _part(self, before: list[Node]) -> Node | None:
        item = self._take()
        if item in ("^", "_", "'"):
            self._at -= 1
            return self._scripts(before.pop() if before else Row(()))
        if isinstance(item, str):
            return None  # "&" and line breaks only arrange
        return self._scripts(self._fenced(item) or item)

    def _take(self) -> _Item:
        self._at += 1
        return self._items[self._at - 1]

    def _scripts(self, base: Node) -> Node:
        sub = sup = None
        primes = 0
        while self._at < len(self._items) and self._items[self._at] in ("^", "_", "'"):
            mark = self._take()
            if mark == "'":
                primes += 1
            elif self._at < len(self._items):
                script = self._script()
                sub, sup = (script, sup) if mark == "_" else (sub, script)
        return Scripted(base, sub, sup, primes) if sub or sup or primes else base

    def _script(self) -> Node:
        """The next thing; with a sign before it, as in "x^-1"."""
        item = self._take()
        if isinstance(item, str):
            return Row(())
        if item in (Symbol("-"), Symbol("−"), Symbol("+")) and self._at < len(self._items):
            following = self._take()
            return item if isinstance(following, str) else Row((item, following))
        return self._fenced(item) or item

    def _fenced(self, item: Node) -> Node | None:
        closing = _CLOSING.get(item.char) if isinstance(item, Symbol) else None
        if not closing or self._levels >= DEEPEST or not self._closes(closing):
            return None
        assert isinstance(item, Symbol)
        self._levels += 1
        body = self.row(closing)
        self._levels -= 1
        if self._at >= len(self._items):
            return Fenced(item.char, body)
        self._at += 1
        return Fenced(item.char, body)

    def _closes(self, closing: str) -> bool:
        return Symbol(closing) in self._items[self._at :]
