"""Russian cases: which one a place asks for, and how counted nouns follow it.

Only regular endings are derived. Where nothing shows the case, it is the nominative.
"""

from __future__ import annotations

from enum import Enum

from mouthpiece.text.normalize.language import Noun
from mouthpiece.text.normalize.tables import words_of


class Case(Enum):
    """By the names that num2words gives them."""

    NOMINATIVE = "n"
    GENITIVE = "g"
    DATIVE = "d"
    ACCUSATIVE = "a"
    INSTRUMENTAL = "i"
    PREPOSITIONAL = "p"


_PREPOSITIONS = {
    Case.GENITIVE: """от до из без у для около после более менее свыше больше меньше против ради кроме среди
        порядка из-за возле вокруг старше младше выше ниже длиннее короче дороже дешевле начиная
        ок. св. < > ≤ ≥ ~ ≈""",
    Case.DATIVE: "к ко благодаря согласно вопреки",
    Case.INSTRUMENTAL: "между над под перед",
    Case.PREPOSITIONAL: "о об обо при",
    Case.ACCUSATIVE: "в во на за через про сквозь спустя",
}
_BY_PREPOSITION = {word: case for case, words in _PREPOSITIONS.items() for word in words.split()}

_ENDINGS = {
    Case.INSTRUMENTAL: ("ами", "ями", "ьми"),
    Case.DATIVE: ("ам", "ям"),
    Case.PREPOSITIONAL: ("ах", "ях"),
}
_SHORT_WORDS = frozenset(("там", "нам", "вам", "сам", "нами", "вами", "сами", "прям", "программ", "грамм"))


def case_of_preposition(word: str) -> Case:
    """The case that a word before a number asks for."""
    if word == "с":
        return Case.GENITIVE
    return _BY_PREPOSITION.get(word, Case.NOMINATIVE)


def case_of_number(before: str, noun: str) -> Case:
    """The case of a number between two words; the ending of the noun after it is the best sign."""
    for case, endings in _ENDINGS.items():
        if noun.endswith(endings) and noun not in _SHORT_WORDS and not noun.endswith("грамм"):
            return case
    case = case_of_preposition(before)
    if case is Case.ACCUSATIVE and not noun:
        return Case.ACCUSATIVE
    return case


def gender_of(noun: str) -> str:
    """The gender of a noun in the nominative singular, by its ending, as num2words names it."""
    first = (
        noun.split()[-1]
        if noun.split()[:-1] and noun.split()[0].endswith(("ый", "ий", "ой", "ая", "яя"))
        else noun.split()[0]
    )
    if first in _NEUTER:
        return "n"
    if first.endswith(("а", "я", "сть")) or first in _FEMININE:
        return "f"
    return "n" if first.endswith(("о", "е", "ё")) and first not in ("евро", "сантимо", "кофе") else "m"


_NEUTER = frozenset(("время", "имя", "число", "песо"))
_FEMININE = frozenset(
    words_of("ночь степень часть лошадь площадь речь дочь мать роль кровать тетрадь иена йена")
)


def gender_beside(digit: int, noun: str) -> str:
    """The gender that a noun in its counted form shows: after 1 in the singular, after 2 in the genitive."""
    if digit == 1:
        return "f" if noun.endswith(("у", "ю", "ую")) else gender_of(noun) if noun else "m"
    if noun.endswith(("ы", "и")) and not noun.endswith(("ьи",)) and noun not in _PLURALS_LIKE_FEMININE:
        return "f"
    return "m"


_PLURALS_LIKE_FEMININE = frozenset(("или", "ли", "и", "мы", "вы", "бы", "три", "при"))


def decline(noun: Noun, category: str, case: Case) -> str:
    """A noun after a number of a plural category in a case."""
    first, space, rest = noun.form(category).partition(" ")
    if noun.form("one").partition(" ")[0] == noun.form("many").partition(" ")[0] and not first.endswith("т"):
        return first + space + rest  # "евро" has one form
    if category == "other" or case is Case.NOMINATIVE:
        return noun.form(category)
    if case is Case.GENITIVE:
        return noun.form("few" if category == "one" else "many")
    if case is Case.ACCUSATIVE:
        return _accusative(first) + space + rest if category == "one" else noun.form(category)
    if category == "one":
        return _singular(noun.form("few").partition(" ")[0], case) + space + rest
    return _plural(noun.form("many").partition(" ")[0], case) + space + rest


def _accusative(noun: str) -> str:
    if noun.endswith("а"):
        return noun[:-1] + "у"
    return noun[:-1] + "ю" if noun.endswith("я") else noun


_SINGULAR = {
    "а": {Case.DATIVE: "у", Case.INSTRUMENTAL: "ом", Case.PREPOSITIONAL: "е"},
    "я": {Case.DATIVE: "ю", Case.INSTRUMENTAL: "ём", Case.PREPOSITIONAL: "е"},
    "ы": {Case.DATIVE: "е", Case.INSTRUMENTAL: "ой", Case.PREPOSITIONAL: "е"},
    "и": {Case.DATIVE: "е", Case.INSTRUMENTAL: "ой", Case.PREPOSITIONAL: "е"},
}


def _singular(genitive: str, case: Case) -> str:
    return genitive[:-1] + _SINGULAR[genitive[-1]][case] if genitive[-1] in _SINGULAR else genitive


_HARD = {Case.DATIVE: "ам", Case.INSTRUMENTAL: "ами", Case.PREPOSITIONAL: "ах"}
_SOFT = {Case.DATIVE: "ям", Case.INSTRUMENTAL: "ями", Case.PREPOSITIONAL: "ях"}


def _plural(genitive: str, case: Case) -> str:
    if genitive.endswith("ов"):
        return genitive[:-2] + _HARD[case]
    if genitive.endswith(("ей", "ев")):
        return genitive[:-2] + _SOFT[case]
    return genitive + _HARD[case]
