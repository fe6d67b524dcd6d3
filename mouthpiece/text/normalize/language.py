"""What the recognisers ask of a language: its tables, and its grammar of numbers."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from babel import Locale
from babel.numbers import get_currency_name
from babel.units import format_unit
from num2words import num2words

from mouthpiece.text.normalize.numbers import LONGEST, Number, NumberStyle
from mouthpiece.text.normalize.token import Place


@dataclass(frozen=True, slots=True)
class Noun:
    """A counted noun by the plural categories of CLDR, such as {"one": "рубль", "few": "рубля", …}."""

    forms: Mapping[str, str]

    def form(self, category: str) -> str:
        """The form for a category, or the most general there is."""
        return self.forms.get(category) or self.forms["other"]

    @property
    def one(self) -> str:
        """The singular."""
        return self.form("one")


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency and its hundredth part, if people use it."""

    main: Noun
    part: Noun | None = None


@dataclass(frozen=True, slots=True)
class Abbreviation:
    """What an abbreviation stands for, and where it does.

    ``before``: only before a "name" (a capital letter) or a "number". ``within``: it never ends a sentence.
    """

    spoken: str
    before: str = ""
    within: bool = False


@dataclass(frozen=True, slots=True)
class Wording:
    """The small words between and around numbers."""

    minus: str
    plus: str
    percent: Noun
    permille: Noun
    to: str
    times: str
    by: str
    number: str
    section: str
    at: str
    dot: str
    slash: str
    dash: str
    underscore: str
    colon: str
    hashtag: str
    and_: str
    equals: str


class Language(ABC):
    """The grammar of one language."""

    tag: ClassVar[str]
    numbers: ClassVar[NumberStyle]
    words: ClassVar[Wording]
    letters: ClassVar[Mapping[str, str]]
    """Names of capital letters, where the letter itself would be misread."""
    months: ClassVar[Mapping[str, int]]
    """Month names, in every form that stands beside a day, in lower case."""
    abbreviations: ClassVar[Mapping[str, Abbreviation]]
    """By the lower-case spelling with all its stops."""
    initialisms: ClassVar[frozenset[str]]
    """Capital words with vowels that are spelled all the same."""
    units: ClassVar[Mapping[str, str]]
    """Spellings of units of this language alone, to CLDR identifiers."""
    magnitudes: ClassVar[Mapping[str, Noun]]
    """Spellings of "million" and the like."""
    currencies: ClassVar[Mapping[str, Currency]]
    """Everyday names by ISO code; others have those of CLDR."""
    currency_words: ClassVar[Mapping[str, str]]
    """Abbreviations of currencies after a number, such as "руб.", to ISO codes."""
    symbols: ClassVar[Mapping[str, str]]
    """Signs on their own in a text."""
    days_first: ClassVar[bool] = True
    """Whether 03/04 is the third of April."""
    stop_makes_ordinals: ClassVar[bool] = False
    """Whether "3." is the third."""
    comparisons: ClassVar[Mapping[str, str]] = {}
    """Signs right before a number, such as "<5"."""
    multiple: ClassVar[str] = ""
    """The word or ending after how many times."""
    even: ClassVar[str] = ""
    """The word in "50/50"."""
    ratio_word: ClassVar[str]
    """The word in "three to one"."""
    money_join: ClassVar[str] = ""
    """The word between dollars and cents."""
    www: ClassVar[str]
    spelled_initialisms: ClassVar[Mapping[str, str]] = {}
    """Initialisms whose letters have other names than alone."""

    # ---------------------------------------------------------------- numbers

    @abstractmethod
    def number(self, number: Number, place: Place) -> str:
        """A number in its place, without its sign."""

    @abstractmethod
    def counted(self, number: Number, noun: Noun, place: Place, magnitude: Noun | None = None) -> str:
        """A number of things, "5 million dollars", in agreement with each other and with their place."""

    @abstractmethod
    def ordinal(self, value: int, suffix: str, place: Place) -> str:
        """ "21st": the suffix as written, without a hyphen; may be empty."""

    @abstractmethod
    def fraction(self, top: int, bottom: int, whole: int | None = None, noun: str = "") -> str:
        """ "3/4" or "2 1/2", of what the next word says; empty when it is not said as parts of a whole."""

    @abstractmethod
    def year(self, value: int, place: Place) -> str:
        """A number that is known to be a year."""

    @abstractmethod
    def is_year(self, place: Place) -> bool:
        """Whether four digits at a place are a year."""

    @abstractmethod
    def range(self, first: Number, last: Number, place: Place) -> str:
        """ "10-15", without the unit."""

    @abstractmethod
    def counted_range(
        self, first: Number, last: Number, noun: Noun, place: Place, magnitude: Noun | None
    ) -> str:
        """ "10-15 kg"."""

    @abstractmethod
    def decimal(self, whole: str, fraction: str) -> str:
        """A decimal number on its own."""

    @abstractmethod
    def roman(self, value: int, place: Place, *, sure: bool) -> str:
        """A Roman numeral; empty where it is none. ``sure``: the letters are nothing else by themselves."""

    @abstractmethod
    def element(self, symbol: str) -> str:
        """A chemical element within a formula."""

    # ---------------------------------------------------------------- dates and times

    @abstractmethod
    def days(self, first: int, date: str, place: Place) -> str:
        """ "5-7 May": the first day before a date that is already in words."""

    @abstractmethod
    def month_name(self, month: int, written: str) -> str:
        """The name of a month that was written in some form, perhaps shortened, beside a year."""

    @abstractmethod
    def times_between(self, first: str, last: str) -> str:
        """Two times with a dash between."""

    @abstractmethod
    def date(self, day: int, month: int, year: int | None, place: Place, *, month_first: bool) -> str:
        """A day of a month; ``month_first`` is the order in which it was written."""

    @abstractmethod
    def time(self, hour: int, minute: int, second: int | None, place: Place) -> str:
        """A time of day; 24 hours."""

    # ---------------------------------------------------------------- shared

    @property
    def locale(self) -> Locale:
        """The data of CLDR for the language."""
        return Locale(self.tag)

    def cardinal(self, value: int) -> str:
        """A whole number as it is counted."""
        return _cardinal(value, self.tag)

    def digits(self, digits: str) -> str:
        """Digit by digit."""
        return " ".join(self.cardinal(int(digit)) for digit in digits)

    def spelled(self, word: str) -> str:
        """Letter by letter."""
        known = self.spelled_initialisms.get(word)
        return known or " ".join(self.letters.get(letter.upper(), letter.upper()) for letter in word)

    def phone_group(self, digits: str) -> str:
        """A group of digits in a phone number."""
        return self.digits(digits)

    def unit(self, identifier: str) -> Noun:
        """A unit by its CLDR identifier."""
        return _unit(self.tag, identifier)

    def currency(self, code: str) -> Currency:
        """A currency by its ISO code."""
        return self.currencies.get(code) or Currency(_currency_noun(self.tag, code))

    def category(self, number: Number) -> str:
        """The plural category that a number asks for."""
        if number.fraction:
            return "other"
        return str(self.locale.plural_form(int(number.whole[-LONGEST:])))

    @abstractmethod
    def per(self, noun: Noun, unit: str) -> str:
        """ "per second", after what is measured; ``unit`` is its CLDR identifier."""

    def prefix(self, value: int) -> str:
        """A number as the first part of a word."""
        return self.cardinal(value)

    def side(self, value: int) -> str:
        """One of the sizes in "1920×1080"."""
        return self.cardinal(value)

    def years(self, years: Sequence[int], place: Place) -> str:
        """A year, or the first and the last of several, with the word for it."""
        return " ".join(self.year(year, place) for year in years)

    def month_of_year(self, month: str, year: int, place: Place) -> str:
        """A month by its name, and the year after it."""
        return f"{month} {self.year(year, place)}"

    def centuries(self, centuries: Sequence[int], place: Place) -> str:
        """A century, or the first and the last of several, with the word for it."""
        return " ".join(self.ordinal(century, "", place) for century in centuries)

    def parted(self, unit: Noun, more_than_one: bool) -> str:
        """A unit of which there is a fraction, or one and a fraction."""
        return unit.form("other") if more_than_one else unit.one

    def season(self, first: int, last: int, place: Place) -> str:
        """ "2020/21"."""
        return f"{self.year(first, place)} {self.cardinal(last)}"

    def ratio(self, one: int, other: int, place: Place) -> str:
        """ "3:1"."""
        return f"{self.cardinal(one)} {self.ratio_word} {self.cardinal(other)}"

    def is_post_code(self, place: Place) -> bool:
        """Whether digits that may be the number of a town are that."""
        return True

    def weekday(self, name: str, place: Place) -> str:
        """A day of the week in its place."""
        return name

    def decade(self, value: int) -> str:
        """ "1990s"; empty in languages that write it otherwise."""
        return ""

    def abbreviation(self, written: str, place: Place) -> str:
        """What a place makes of an abbreviation that stands for something else elsewhere; or empty."""
        return ""


@lru_cache(maxsize=4096)
def _cardinal(value: int, tag: str) -> str:
    return str(num2words(value, lang=tag)).replace(",", "")


_SAMPLES: Mapping[str, Mapping[str, float]] = {
    "ru": {"one": 1, "few": 2, "many": 5, "other": 1.5},
}
"""Numbers that stand for the plural categories of a language."""

_FORMATTED_NUMBER = re.compile(r"[0-9.,]+\s*")


@lru_cache(maxsize=512)
def _unit(tag: str, identifier: str) -> Noun:
    forms = {
        category: _FORMATTED_NUMBER.sub("", format_unit(count, identifier, "long", locale=tag), count=1)
        for category, count in _samples(tag).items()
    }
    return Noun({category: form.replace("-", " ") for category, form in forms.items()})


def _samples(tag: str) -> Mapping[str, float]:
    return _SAMPLES.get(tag, {"one": 1, "other": 2})


@lru_cache(maxsize=128)
def _currency_noun(tag: str, code: str) -> Noun:
    return Noun(
        {
            category: get_currency_name(code, count=count, locale=tag)
            for category, count in _samples(tag).items()
        }
    )
