"""Where formulas are in a text: between delimiters, as LaTeX commands, or as plain expressions."""

from __future__ import annotations

import re
from functools import cache

from mouthpiece.text.normalize.language import Language
from mouthpiece.text.normalize.maths.english import EnglishSpeaker
from mouthpiece.text.normalize.maths.german import GermanSpeaker
from mouthpiece.text.normalize.maths.reading import FUNCTIONS, Unreadable, read
from mouthpiece.text.normalize.maths.russian import RussianSpeaker
from mouthpiece.text.normalize.maths.speaking import Speaker
from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.tables import words_of
from mouthpiece.text.normalize.token import Kind, Token
from mouthpiece.text.normalize.units import match_unit

LONGEST = 2_000
"""Code points of the longest formula that is read as one."""

_DELIMITERS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"))
_ENVIRONMENT = re.compile(r"\\begin\{([a-zA-Z]{1,20}\*?)\}")
_MATHEMATICAL = re.compile(r"[\\^_=+<>*/|'!-]|[α-ωΑ-Ω∀-⋿²³¹⁰-ₜ√]")
_SPEAKERS: dict[str, type[Speaker]] = {"de": GermanSpeaker, "en": EnglishSpeaker, "ru": RussianSpeaker}


@cache
def _speaker(language: Language) -> Speaker | None:
    speaker = _SPEAKERS.get(language.tag)
    return speaker(language) if speaker else None


def said(source: Source, latex: str) -> str:
    """A formula in words; empty when it cannot be read."""
    speaker = _speaker(source.language)
    if speaker is None:
        return ""
    try:
        return speaker.say(read(latex.replace("{,}", ",")))
    except Unreadable:
        return ""


def delimited(source: Source, at: int) -> Token | None:
    """``$…$``, ``$$…$$``, ``\\(…\\)``, ``\\[…\\]`` and environments such as ``align``."""
    for opening, closing in _DELIMITERS:
        if source.text.startswith(opening, at):
            found = source.find(closing, at + len(opening))
            return _formula(source, at, at + len(opening), found, found + len(closing))
    if source.char(at) == "$":
        return _dollars(source, at)
    return _environment(source, at)


def _formula(source: Source, at: int, first: int, last: int, end: int) -> Token | None:
    if last < 0 or last - first > LONGEST or source.text[first:last].isspace() or first == last:
        return None
    spoken = said(source, source.text[first:last])
    return source.token(at, end, spoken, Kind.MATHS) if spoken else None


def _dollars(source: Source, at: int) -> Token | None:
    """One dollar opens a formula only as Pandoc has it: it touches what follows, and its twin what is before
    and no digit after; and there is something mathematical between, which "$5 and $" has not."""
    last = source.find("$", at + 1)
    if last < 0 or last - at > LONGEST or source.char(at + 1).isspace():
        return None
    body = source.text[at + 1 : last]
    if (
        not body
        or body[-1].isspace()
        or body[-1] == "\\"
        or "\n\n" in body
        or source.char(last + 1).isdecimal()
    ):
        return None
    return _formula(source, at, at + 1, last, last + 1) if _is_mathematical(body) else None


def _is_mathematical(body: str) -> bool:
    if body.strip().isalpha():
        return len(body.strip()) <= 3
    if re.fullmatch(r"[\d.,{}\s]+", body):
        return True
    words = [
        word
        for word in re.findall(r"(?<!\\)[^\W\d_]{3,}", re.sub(r"\\\w+\{[^}]*\}|\\\w+", " ", body))
        if word not in FUNCTIONS
    ]
    return not words and (_MATHEMATICAL.search(body) is not None or not body[0].isdecimal())


def _environment(source: Source, at: int) -> Token | None:
    found = _ENVIRONMENT.match(source.text, at)
    if not found:
        return None
    closing = f"\\end{{{found[1]}}}"
    last = source.find(closing, found.end())
    end = last + len(closing)
    return _formula(source, at, at, end, end) if last >= 0 else None


# Formulas without delimiters -------------------------------------------------------------------------------

_ATOM = re.compile(
    r"(?P<command>\\[A-Za-z]{1,24}|\\[,;:! ])|(?P<number>\d+(?:[.,]\d+)?(?![\w:/-]*\d{2}:))"
    r"|(?P<letters>[A-Za-zα-ωΑ-Ω]{1,10}(?![A-Za-zα-ωΑ-ΩА-Яа-яЁёÀ-ÿ]))|(?P<sign>[√∑∏∫∬∮∂∇∞∅∀∃…|!′'°%])"
    r"|(?P<script>[²³¹⁰ⁱ⁴-ⁿ₀-ₜ]{1,8})"
)
_OPERATOR = re.compile(r"[ \u00a0]?(?P<sign>[+\-−–*/=<>≤≥≠≈≡±∓×·⋅÷∈∉⊂⊆∪∩→⇒⇔∝]|<=|>=|!=|==|->)[ \u00a0]?")
_SCRIPT = re.compile(r"[\^_]")
_EVIDENCE = frozenset("^_=≤≥≠≈≡±∓×·⋅÷∈∉⊂⊆∪∩⇒⇔∝√∑∏∫∬∮∂∇∞∀∃²³⁰¹⁴⁵⁶⁷⁸⁹ⁿ")
_SHORT_WORDS = frozenset(
    words_of("""
        a i am an as at be by do go he if in is it me my no of oh ok on or so to up us we the and for tv
        pc ad id vs mr ms ab da du er es ja ob um wo zu
    """)
)


def expression(source: Source, at: int) -> Token | None:
    """``E=mc^2``, ``x^10``, ``\\int_0^1 x^2 dx``, ``a² + b² = c²``, ``2 + 2 = 4``."""
    if at < source.no_maths_until or (at and source.char(at - 1).isalnum()):
        return None
    run = _Run(source.text, at)
    run.go()
    if not run.is_formula or _measure_end(source, at) >= run.end:
        source.no_maths_until = max(source.no_maths_until, run.end)
        return None
    spoken = said(source, _as_latex(source.text[at : run.end]))
    if not spoken:
        source.no_maths_until = run.end
        return None
    unit = match_unit(source.language, source.text, run.end) if source.char(run.end - 1).isdecimal() else None
    if unit is None or unit[1] - run.end < 3:  # a single letter may as well be a variable
        return source.token(at, run.end, spoken, Kind.MATHS)
    return source.token(at, unit[1], f"{spoken} {unit[0].form('many')}", Kind.MATHS)


def _measure_end(source: Source, at: int) -> int:
    """Where a number with a unit ends, such as "10 m/s²"; 0 when there is none."""
    number = source.language.numbers.match(source.text, at)
    unit = match_unit(source.language, source.text, number[1]) if number else None
    return unit[1] if unit else 0


def _as_latex(written: str) -> str:
    for ascii_sign, sign in (("<=", "≤"), (">=", "≥"), ("!=", "≠"), ("==", "="), ("->", "→")):
        written = written.replace(ascii_sign, sign)
    written = re.sub(r"√(\d+(?:[.,]\d+)?|[^\W\d_])", r"\\sqrt{\1}", written)
    return re.sub(r"√\(([^()]{1,200})\)", r"\\sqrt{\1}", written).replace("%", "\\%")


_DEEPEST = 8
"""Brackets of a kind within each other; nobody follows more of them by ear."""


class _Run:
    """The longest stretch from a position that reads like mathematics."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self._first = at
        self._limit = min(len(text), at + LONGEST)
        self.end = at
        self._operands = 0
        self._evidence = False
        self._in_command = False
        self._joined = 0

    @property
    def is_formula(self) -> bool:
        """Whether it can be nothing else."""
        return self._evidence and (self._operands > 1 or self._text[self._first] in "√∑∫∂\\")

    def go(self) -> None:
        """Go as far as it goes."""
        at = self._first
        while at < self._limit:
            after = self._operand(at)
            if after < 0:
                break
            self.end = after
            at = self._join(after)
            if at < 0:
                break

    def _operand(self, at: int) -> int:
        """Where one operand that begins at ``at`` ends; -1 when there is none."""
        char = self._text[at]
        if char in "([{":
            return self._group(at)
        if char in "-−+" and self._text[at + 1 : at + 2].isalnum():
            at += 1
        found = _ATOM.match(self._text, at, self._limit)
        if not found or not self._accepts(found):
            return -1
        return found.end()

    def _accepts(self, found: re.Match[str]) -> bool:
        group, text = found.lastgroup, found.group()
        if group == "command":
            self._evidence = self._in_command = True
        elif group == "letters" and text not in FUNCTIONS:
            glued = self._is_glued(found)
            if len(text) > 2 or (text.lower() in _SHORT_WORDS and not glued and not text.startswith("d")):
                return False
            if len(text) == 2 and not (glued or self._evidence or text[0] == "d"):
                return False
        elif (group == "sign" and text not in "'!|°%") or group == "script":
            self._evidence = True
        self._operands += 1
        return True

    def _is_glued(self, letters: re.Match[str]) -> bool:
        """Whether letters belong to mathematics, by what is right before and after them."""
        after = self._text[letters.end() : letters.end() + 2]
        if after[:1] in tuple("^_=(²³¹⁰⁴⁵⁶⁷⁸⁹ⁿ₀₁₂₃₄₅₆₇₈₉ᵢₙ") or self._text[letters.start() - 1].isdecimal():
            return True
        return self._joined > 0 and len(letters.group()) == 1 and not after.strip(" \u00a0").isalpha()

    def _group(self, at: int) -> int:
        closing = {"(": ")", "[": "]", "{": "}"}[self._text[at]]
        depth = 0
        for end in range(at, min(self._limit, at + 200)):
            depth += (self._text[end] == self._text[at]) - (self._text[end] == closing)
            if depth > _DEEPEST:
                return -1
            if not depth:
                inside = self._text[at + 1 : end]
                self._operands += 1
                return (
                    end + 1 if self._in_command or not re.search(r"[^\W\d_]{4,}|[:;?]|\.\s", inside) else -1
                )
        return -1

    def _join(self, at: int) -> int:
        """Where the next operand begins, over an operator, a script mark, or nothing; -1 at the end."""
        text = self._text
        if _SCRIPT.match(text, at):
            following = text[at + 1 : at + 2]
            if following.isalnum() or following in ("{", "-", "−", "\\", "("):
                self._evidence = True
                return at + 1
            return -1
        operator = _OPERATOR.match(text, at, self._limit)
        if operator:
            return self._over(operator)
        char = text[at : at + 1]
        if char and (
            char in "([{²³¹√'′!|°\\" or "⁰" <= char <= "ₜ" or (char.isalnum() and not char.isspace())
        ):
            return at if char != "(" or self._joined or self._evidence or self._is_function(at) else -1
        if char == "{" or (self._in_command and char == " " and at + 1 < self._limit):
            return at + 1 if char == " " else at
        return -1

    def _is_function(self, at: int) -> bool:
        return self._text[at - 1 : at].isalpha()

    def _over(self, operator: re.Match[str]) -> int:
        sign = operator["sign"]
        spaced = operator.group() != sign
        if (
            sign in _EVIDENCE
            or sign in ("<=", ">=", "!=", "==")
            or (sign in "+*<>" and self._text[operator.start() - 1 : operator.start()].isalnum())
        ):
            after = self._text[operator.end() : operator.end() + 1]
            if not (after.isalnum() or after in "([{\\-−√∑∫∞|π"):
                return -1
            self._evidence = self._evidence or sign not in "+*" or spaced or after.isdecimal()
        elif sign in "/-–−" and spaced and not self._evidence and sign == "/":
            return -1
        self._joined += 1
        return operator.end()
