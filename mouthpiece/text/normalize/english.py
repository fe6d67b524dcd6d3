"""English: numbers, dates and what English writers abbreviate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from num2words import num2words

from mouthpiece.text.normalize import numbers
from mouthpiece.text.normalize.language import Abbreviation, Currency, Language, Noun, Wording
from mouthpiece.text.normalize.numbers import Number
from mouthpiece.text.normalize.tables import words_of
from mouthpiece.text.normalize.token import Place, word_at


def _noun(one: str, other: str = "") -> Noun:
    return Noun({"one": one, "other": other or f"{one}s"})


_CENT = _noun("cent")
_PENNY = _noun("penny", "pence")

_TITLES = """mr=Mister mrs=Missus ms=Miz dr=Doctor prof=Professor rev=Reverend hon=Honorable gen=General
    col=Colonel capt=Captain lt=Lieutenant sgt=Sergeant gov=Governor sen=Senator rep=Representative
    maj=Major cmdr=Commander st=Saint mt=Mount ft=Fort messrs=Messieurs"""
_BEFORE_NUMBERS = """no=number nos=numbers fig=figure figs=figures eq=equation eqs=equations p=page pp=pages
    vol=volume ch=chapter sec=section art=article jan=January feb=February mar=March apr=April jun=June
    jul=July aug=August sep=September sept=September oct=October nov=November dec=December ca=circa c=circa
    agg=aggregate b=born d=died"""
_ANYWHERE = """vs=versus etc=|et cetera approx=approximately dept=department est=established inc=incorporated
    ltd=limited corp=corporation jr=junior sr=senior blvd=boulevard ave=avenue rd=road govt=government
    e.g=|for example i.e=|that is cf=compare viz=namely a.m=|A M p.m=|P M u.s=|U S u.s.a=|U S A u.k=|U K
    ph.d=|P H D b.c=|B C a.d=|A D d.c=|D C u.n=|U N e.u=|E U min=minutes hr=hours hrs=hours tel=telephone
    et.al=|et al"""


_NEVER_LAST = frozenset(("vs", "approx", "est", "e.g", "i.e", "cf", "viz"))
_ADDRESSED = {"mr.": "Mister", "mrs.": "Missus", "ms.": "Miz", "messrs.": "Messieurs"}


def _abbreviations() -> dict[str, Abbreviation]:
    table: dict[str, Abbreviation] = {}
    for entry in _entries(_TITLES):
        table[entry[0]] = Abbreviation(entry[1], before="name")
    for entry in _entries(_BEFORE_NUMBERS):
        table[entry[0]] = Abbreviation(entry[1], before="number")
    for entry in _entries(_ANYWHERE):
        table[entry[0]] = Abbreviation(entry[1], within=entry[0] in _NEVER_LAST)
    return table


def _entries(table: str) -> list[tuple[str, str]]:
    """Pairs from "short=long short=|several words"; the latter run up to the next entry."""
    entries: list[tuple[str, str]] = []
    for item in table.split():
        short, equals, long = item.partition("=")
        if equals:
            entries.append((short, long.lstrip("|")))
        else:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]} {item}")
    return entries


_MONTHS = words_of("january february march april may june july august september october november december")
_YEAR_BEFORE = frozenset(
    words_of("""
        in since until till by during year circa around from before after early late mid of summer
        winter spring autumn fall class copyright between to and
    """)
    + _MONTHS
)
_SURE_BEFORE = frozenset(
    (
        "since",
        "year",
        "circa",
        "summer",
        "winter",
        "spring",
        "autumn",
        "copyright",
        "mid",
        "c.",
        "ca.",
        "b.",
        "d.",
    )
)
_YEAR_AFTER = frozenset(
    words_of("""
        a and as at because but by election for from he i if in it of on or season she so that the they
        to was we were when where which while who with until till olympics world model
    """)
)
_PARTS = {2: ("half", "halves"), 4: ("quarter", "quarters")}


_DIVISIBLE = frozenset(
    words_of("""
        cup mile inch hour teaspoon tablespoon pound ounce liter litre gallon pint quart yard acre
        second minute day year century million billion turn glass bottle kilometer kilometre meter metre
        ton foot degree page pizza
    """)
)
_REGNAL = frozenset(
    words_of("""
        louis henry charles george edward elizabeth james william richard philip pius paul john benedict
        nicholas peter catherine alexander frederick napoleon ivan leo gregory clement innocent urban
        ramses ptolemy mary victor francis ferdinand otto wilhelm karl gustav christian haakon carl juan
        felipe boniface francis
    """)
)
_NUMBERED = frozenset(
    words_of("""
        chapter part volume act scene war phase type section book class title article appendix figure
        level grade vol table stage step unit lesson bowl mark model version round group category
        theorem lemma
    """)
)


_QUARTER = re.compile(r"(?<!\w)(?:Q[1-4]|H[12]|FY) $")


def _capitalised_before(place: Place) -> str:
    """The word right before, when it begins with a capital letter or numbers its things."""
    words = place.text[max(0, place.first - 40) : place.first].split()
    if not words or not place.text[place.first - 1].isspace():
        return ""
    return words[-1] if words[-1].isalpha() and (words[-1][0].isupper() or words[-1] in _NUMBERED) else ""


def _plural(number: str) -> str:
    return f"{number[:-1]}ies" if number.endswith("y") else f"{number}s"


def nth(value: int) -> str:
    """An ordinal number."""
    return str(num2words(value, lang="en", to="ordinal")).replace(",", "")


_DETERMINERS = frozenset(words_of("a an the this that its his her their our my your each every one another"))
_NO_NOUN = frozenset(
    words_of("""
        of in on at to from by for with and or but is are was were be been being has have had will would can
        that which who as than per when while after before between into over under apart away ago later each
        he she it they we you i if so because until since during then not more less up down off out
    """)
)


def _is_attribute(place: Place) -> bool:
    """Whether what is counted tells of what kind the next word is, as in "a 16 GB disk"."""
    after = place.after
    return place.before in _DETERMINERS and after != "" and after not in _NO_NOUN and not after.endswith("ly")


def _is_name(first: Number, last: Number) -> bool:
    """Whether two numbers with a dash between are no range: "7-11", "747-400"."""
    if first.fraction or last.fraction or first.is_long or last.is_long:
        return False
    return (first.whole, last.whole) == ("7", "11") or (last.value < first.value and last.value >= 100)


class English(Language):
    """English as read in the United States, with "and" in numbers."""

    tag = "en"
    numbers = numbers.ENGLISH
    words = Wording(
        minus="minus",
        plus="plus",
        percent=_noun("percent", "percent"),
        permille=_noun("per mille", "per mille"),
        to="to",
        times="times",
        by="by",
        number="number",
        section="section",
        at="at",
        dot="dot",
        slash="slash",
        dash="dash",
        underscore="underscore",
        colon="colon",
        hashtag="hashtag",
        and_="and",
        equals="equals",
    )
    letters: ClassVar[Mapping[str, str]] = {}
    months = {name: number for number, name in enumerate(_MONTHS, 1)} | {
        short: number
        for number, shorts in enumerate(
            ("jan", "feb", "mar", "apr", "", "jun", "jul", "aug", "sep sept", "oct", "nov", "dec"), 1
        )
        for short in shorts.split()
    }
    abbreviations = _abbreviations()
    initialisms = frozenset(
        words_of("""
        AI API BBC CEO CFO CIA CIO CTO DIY EU FAQ FBI GDP GPU CPU HIV IBM ID IEEE IMF IOU IP IQ ISBN IT
        KGB LED MIT MTV NBA NGO NSA OECD OS PDA PIN RGB SUV TV UAE UCLA UFO UI UK UN URL USA USB UV UX
        VIP VPN WHO XML YMCA HTTP HTTPS HTML SQL SMS GPS DNA RNA PDF WWI WWII EST EDT UTC USPS
        """)
    ) - {"PIN", "WHO"}
    units: ClassVar[Mapping[str, str]] = {}
    magnitudes: ClassVar[Mapping[str, Noun]] = {
        spelling: _noun(name, name)
        for name, spellings in {
            "thousand": "thousand",
            "million": "million mn mln M m",
            "billion": "billion bn bln B b",
            "trillion": "trillion tn trn T",
            "k": "",
        }.items()
        for spelling in spellings.split()
    } | {"K": _noun("thousand", "thousand"), "k": _noun("thousand", "thousand")}
    currencies: ClassVar[Mapping[str, Currency]] = {
        "USD": Currency(_noun("dollar"), _CENT),
        "EUR": Currency(_noun("euro"), _CENT),
        "GBP": Currency(_noun("pound"), _PENNY),
        "RUB": Currency(_noun("ruble"), _noun("kopek")),
        "JPY": Currency(_noun("yen", "yen")),
        "CNY": Currency(_noun("yuan", "yuan")),
        "INR": Currency(_noun("rupee"), _noun("paisa", "paise")),
        "KRW": Currency(_noun("won", "won")),
        "UAH": Currency(_noun("hryvnia", "hryvnias")),
        "KZT": Currency(_noun("tenge", "tenge")),
        "TRY": Currency(_noun("lira", "lira")),
        "ILS": Currency(_noun("shekel")),
        "CHF": Currency(_noun("Swiss franc")),
        "BTC": Currency(_noun("bitcoin")),
    }
    currency_words: ClassVar[Mapping[str, str]] = {}
    symbols: ClassVar[Mapping[str, str]] = {
        "&": "and",
        "%": "percent",
        "°": "degrees",
        "→": "to",
        "±": "plus or minus",
        "×": "times",
        "÷": "divided by",
        "=": "equals",
        "+": "plus",
        "≈": "approximately",
        "©": "copyright",
        "®": "registered",
        "™": "trademark",
        "@": "at",
        "√": "the square root of",
        "∞": "infinity",
    }
    spelled_initialisms: ClassVar[Mapping[str, str]] = {"WWI": "World War One", "WWII": "World War Two"}
    days_first = False
    comparisons: ClassVar[Mapping[str, str]] = {
        "<": "less than",
        ">": "more than",
        "≤": "at most",
        "≥": "at least",
        "~": "about",
        "≈": "about",
    }
    multiple = " times"
    ratio_word = "to"
    money_join = "and"
    www = "W W W"

    def number(self, number: Number, place: Place) -> str:
        if number.is_long:
            return self.digits(number.whole)
        whole = self.cardinal(number.value)
        return f"{whole} point {self.digits(number.fraction)}" if number.fraction else whole

    def counted(self, number: Number, noun: Noun, place: Place, magnitude: Noun | None = None) -> str:
        plural = (magnitude or self.category(number) != "one") and not _is_attribute(place)
        parts = (
            self.number(number, place),
            magnitude.one if magnitude else "",
            noun.form("other" if plural else "one"),
        )
        return " ".join(part for part in parts if part)

    def ordinal(self, value: int, suffix: str, place: Place) -> str:
        return nth(value)

    def fraction(self, top: int, bottom: int, whole: int | None = None, noun: str = "") -> str:
        if bottom < 2 or top >= bottom or (bottom > 10 and bottom not in (12, 16, 20, 32, 64, 100, 1000)):
            return ""
        one, many = _PARTS.get(bottom, (self._part(bottom), f"{self._part(bottom)}s"))
        if whole is None:
            spoken = f"{self.cardinal(top)} {one if top == 1 else many}"
            article = "an" if noun in ("hour", "inch", "ounce", "acre") else "a"
            return f"{spoken} of {article}" if noun in _DIVISIBLE else spoken
        if top == 1:
            return f"{self.cardinal(whole)} and {'an' if bottom == 8 else 'a'} {one}"
        return f"{self.cardinal(whole)} and {self.cardinal(top)} {many}"

    def _part(self, bottom: int) -> str:
        return str(num2words(bottom, lang="en", to="ordinal")).removeprefix("one ")

    def year(self, value: int, place: Place) -> str:
        return str(num2words(value, lang="en", to="year")).replace(",", "")

    def is_year(self, place: Place) -> bool:
        before, after = place.before, place.after
        in_brackets = place.text[max(0, place.first - 1) : place.first] == "("
        known = in_brackets or before in _YEAR_BEFORE
        named = before == "in" and word_at(place.text, place.end)[:1].isupper()
        sure = before in _SURE_BEFORE or _QUARTER.search(place.text, max(0, place.first - 4), place.first)
        return bool(sure) or named or (known and (not after or after in _YEAR_AFTER))

    def range(self, first: Number, last: Number, place: Place) -> str:
        joint = "" if _is_name(first, last) else " to"
        return f"{self.number(first, place)}{joint} {self.number(last, place)}"

    def counted_range(
        self, first: Number, last: Number, noun: Noun, place: Place, magnitude: Noun | None
    ) -> str:
        return f"{self.number(first, place)} to {self.counted(last, noun, place, magnitude)}"

    def decimal(self, whole: str, fraction: str) -> str:
        return f"{self.cardinal(int(whole))} point {self.digits(fraction)}"

    def roman(self, value: int, place: Place, *, sure: bool) -> str:
        before = _capitalised_before(place)
        if place.after in ("century", "centuries", "dynasty") and value < 100:
            return nth(value)
        if before.lower() in _REGNAL and value < 40:
            return f"the {nth(value)}" if sure or value > 1 or not place.after else ""
        if before.lower() in _NUMBERED or (sure and before):
            return self.cardinal(value)
        return ""

    def element(self, symbol: str) -> str:
        return self.spelled(symbol)

    def days(self, first: int, date: str, place: Place) -> str:
        return f"{'' if place.before == 'the' else 'the '}{nth(first)} to {date}"

    def month_name(self, month: int, written: str) -> str:
        return _MONTHS[month - 1].capitalize()

    def times_between(self, first: str, last: str) -> str:
        return f"{first} to {last}"

    def side(self, value: int) -> str:
        return (
            str(num2words(value, lang="en", to="year"))
            if 1000 < value < 10_000 and value % 1000
            else self.cardinal(value)
        )

    def decade(self, value: int) -> str:
        if value < 100:
            return _plural(self.cardinal(value))
        if value % 100 == 0:
            return f"{self.cardinal(value // 100)} hundreds" if value % 1000 else f"{self.cardinal(value)}s"
        return f"{self.cardinal(value // 100)} {_plural(self.cardinal(value % 100))}"

    def abbreviation(self, written: str, place: Place) -> str:
        if written.lower() in _ADDRESSED:
            return _ADDRESSED[written.lower()]
        if not _capitalised_before(place):
            return ""
        return {"st.": "Street", "dr.": "Drive"}.get(written.lower(), "")

    def date(self, day: int, month: int, year: int | None, place: Place, *, month_first: bool) -> str:
        name = _MONTHS[month - 1].capitalize()
        ordinal = self.ordinal(day, "", place)
        spoken_year = self.year(year, place) if year is not None else ""
        if month_first:
            return f"{name} {ordinal}" + (f", {spoken_year}" if spoken_year else "")
        article = "" if place.before == "the" else "the "
        return f"{article}{ordinal} of {name} {spoken_year}".rstrip()

    def time(self, hour: int, minute: int, second: int | None, place: Place) -> str:
        spoken = self._minutes(hour, minute)
        return (
            spoken
            if second is None
            else f"{spoken} and {self.counted(Number(str(second)), _noun('second'), place)}"
        )

    def _minutes(self, hour: int, minute: int) -> str:
        spoken_hour = self.cardinal(hour)
        if minute:
            return f"{spoken_hour} {'oh ' if minute < 10 else ''}{self.cardinal(minute)}"
        return f"{spoken_hour} o'clock" if 1 <= hour <= 12 else f"{spoken_hour} hundred hours"

    def phone_group(self, digits: str) -> str:
        if len(digits) == 3 and digits.endswith("00") and digits[0] != "0":
            return f"{self.cardinal(int(digits[0]))} hundred"
        return self.digits(digits)

    def per(self, noun: Noun, unit: str) -> str:
        return f"per {noun.one}"
