"""Formulas in Russian: letters by their names, numbers in the case that the phrase asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from mouthpiece.text.normalize.declension import Case
from mouthpiece.text.normalize.maths.speaking import Speaker
from mouthpiece.text.normalize.maths.tree import Node, Number, Row, Symbol
from mouthpiece.text.normalize.russian import in_case, nth

_LATIN = """
    a=а b=бэ c=цэ d=дэ e=е f=эф g=жэ h=аш i=и j=йот k=ка l=эль m=эм n=эн o=о p=пэ q=ку r=эр s=эс t=тэ
    u=у v=вэ w=дубль-вэ x=икс y=игрек z=зет
"""
_GREEK = """
    α=альфа β=бета γ=гамма δ=дельта ε=эпсилон ζ=дзета η=эта θ=тета ι=йота κ=каппа λ=лямбда μ=мю µ=мю
    ν=ню ξ=кси ο=омикрон π=пи ρ=ро σ=сигма ς=сигма τ=тау υ=ипсилон φ=фи ϕ=фи χ=хи ψ=пси ω=омега
"""
_LETTERS = {
    letter: name for letter, _, name in (entry.partition("=") for entry in (_LATIN + " " + _GREEK).split())
}
_SIGNS = {
    "+": "плюс",
    "=": "равно",
    "<": "меньше",
    ">": "больше",
    "≤": "меньше или равно",
    "≥": "больше или равно",
    "≠": "не равно",
    "≈": "приблизительно равно",
    "≡": "тождественно равно",
    "≅": "конгруэнтно",
    "∼": "подобно",
    "~": "подобно",
    "∝": "пропорционально",
    "±": "плюс-минус",
    "∓": "минус-плюс",
    "×": "умножить на",
    "·": "умножить на",
    "⋅": "умножить на",
    "*": "умножить на",
    "∗": "звёздочка",
    "÷": "разделить на",
    "∘": "композиция",
    "→": "стремится к",
    "↦": "переходит в",
    "⇒": "следует",
    "⇔": "равносильно",
    "∈": "принадлежит",
    "∉": "не принадлежит",
    "⊂": "подмножество",
    "⊆": "подмножество или равно",
    "∪": "объединение",
    "∩": "пересечение",
    "∅": "пустое множество",
    "∀": "для всех",
    "∃": "существует",
    "∧": "и",
    "∨": "или",
    "¬": "не",
    "∞": "бесконечность",
    "∂": "дэ",
    "∇": "набла",
    "∫": "интеграл",
    "∑": "сумма",
    "∏": "произведение",
    "√": "корень из",
    "…": "и так далее",
    "°": "градусов",
    "%": "процентов",
    "ℏ": "аш с чертой",
    "ℓ": "эль",
    "⊥": "перпендикулярно",
    "∥": "параллельно",
    "∠": "угол",
    "&": "и",
    "⊕": "плюс в кружке",
    "⊗": "тензорно на",
}


class RussianSpeaker(Speaker):
    """As a lecturer reads to a class."""

    symbols = _LETTERS | _SIGNS
    phrases: ClassVar[Mapping[str, str]] = {
        "simple over": "{} делить на {}",
        "all over": "{}, всё это делить на, {},",
        "over": "делить на",
        "derivative": "{} по {}",
        "choose": "число сочетаний из {} по {}",
        "square root": "корень из {}",
        "minus": "минус",
        "negative": "минус",
        "given": "при условии",
        "factorial": "факториал",
        "of": "от",
        "times": "умножить на",
        "prime": " штрих",
        "double prime": " два штриха",
        "log base": "логарифм по основанию {}",
        "degrees": "градусов",
        "star": "со звёздочкой",
        "transposed": "транспонированная",
        "of all": "",
        "of limit": "",
        "over all": "по {}",
        "big ∫": "интеграл",
        "big ∬": "двойной интеграл",
        "big ∭": "тройной интеграл",
        "big ∮": "контурный интеграл",
        "big ∑": "сумма",
        "big Σ": "сумма",
        "big ∏": "произведение",
        "big ∐": "копроизведение",
        "big ⋃": "объединение",
        "big ⋂": "пересечение",
        "fence (": "открыть скобку {} закрыть скобку",
        "fence [": "открыть квадратную скобку {} закрыть квадратную скобку",
        "fence {": "множество {}",
        "fence |": "модуль {}",
        "fence ‖": "норма {}",
        "fence ⌊": "целая часть {}",
        "fence ⌈": "потолок {}",
        "fence ⟨": "угловая скобка {} закрыть угловую скобку",
        "matrix": "матрица {}",
        "determinant": "определитель {}",
        "vector": "вектор",
        "row": "строка {},",
    }
    names: ClassVar[Mapping[str, str]] = {
        "sin": "синус",
        "cos": "косинус",
        "tan": "тангенс",
        "tg": "тангенс",
        "cot": "котангенс",
        "ctg": "котангенс",
        "arcsin": "арксинус",
        "arccos": "арккосинус",
        "arctan": "арктангенс",
        "arctg": "арктангенс",
        "sinh": "гиперболический синус",
        "cosh": "гиперболический косинус",
        "tanh": "гиперболический тангенс",
        "log": "логарифм",
        "ln": "натуральный логарифм",
        "lg": "десятичный логарифм",
        "exp": "экспонента",
        "lim": "предел",
        "limsup": "верхний предел",
        "liminf": "нижний предел",
        "max": "максимум",
        "min": "минимум",
        "sup": "супремум",
        "inf": "инфимум",
        "det": "определитель",
        "dim": "размерность",
        "ker": "ядро",
        "gcd": "наибольший общий делитель",
        "Pr": "вероятность",
        "mod": "по модулю",
    }
    accents: ClassVar[Mapping[str, str]] = {
        "vec": "вектор {}",
        "overrightarrow": "вектор {}",
        "hat": "{} с крышкой",
        "widehat": "{} с крышкой",
        "bar": "{} с чертой",
        "overline": "{} с чертой",
        "dot": "{} с точкой",
        "ddot": "{} с двумя точками",
        "tilde": "{} с волной",
        "widetilde": "{} с волной",
    }

    def letter(self, char: str) -> str:
        return self.symbols.get(char.lower()) or super().letter(char)

    def power(self, base: str, exponent: Node) -> str:
        if exponent == Number("2"):
            return f"{base} в квадрате"
        if exponent == Number("3"):
            return f"{base} в кубе"
        if isinstance(exponent, Number) and exponent.text.isdecimal() and len(exponent.text) < 7:
            return f"{base} в {nth(int(exponent.text), Case.PREPOSITIONAL)} степени"
        return f"{base} в степени {self._say(exponent)}"

    def root(self, index: Node, body: str) -> str:
        if isinstance(index, Number) and index.text.isdecimal():
            return f"корень {nth(int(index.text), Case.GENITIVE)} степени из {body}"
        return f"корень степени {self._say(index)} из {body}"

    def limits(self, lower: Node, upper: Node) -> str:
        return f"от {self._in_case(lower, Case.GENITIVE)} до {self._in_case(upper, Case.GENITIVE)}"

    def approach(self, variable: str, target: Node) -> str:
        return f"при {variable}, стремящемся к {self._in_case(target, Case.DATIVE)},"

    def size(self, rows: int, columns: int) -> str:
        return f"{self.language.cardinal(rows)} на {self.language.cardinal(columns)}"

    def _in_case(self, node: Node, case: Case) -> str:
        if node == Symbol("∞"):
            return "бесконечности"
        if isinstance(node, Row) and len(node.items) == 2 and node.items[0] == Symbol("-"):
            return f"минус {self._in_case(node.items[1], case)}"
        if isinstance(node, Number) and node.text.isdecimal() and len(node.text) < 7:
            return _LIMITS.get((node.text, case)) or in_case(int(node.text), case)
        return self._say(node)


_LIMITS = {
    ("0", Case.GENITIVE): "нуля",
    ("0", Case.DATIVE): "нулю",
    ("1", Case.GENITIVE): "единицы",
    ("1", Case.DATIVE): "единице",
}
