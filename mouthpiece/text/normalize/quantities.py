"""Numbers with what they count: money, measures, percentages, ranges of all of them; or numbers alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mouthpiece.text.normalize.language import Currency, Noun
from mouthpiece.text.normalize.numbers import Number
from mouthpiece.text.normalize.source import Source
from mouthpiece.text.normalize.tables import words_of
from mouthpiece.text.normalize.token import Kind, Place, Token
from mouthpiece.text.normalize.units import match_per, match_unit

SIGNS = {
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "₽": "RUB",
    "¥": "JPY",
    "₹": "INR",
    "₩": "KRW",
    "₴": "UAH",
    "₸": "KZT",
    "₺": "TRY",
    "₪": "ILS",
    "₿": "BTC",
    "US$": "USD",
    "C$": "CAD",
    "A$": "AUD",
    "zł": "PLN",
}
_CODES = words_of("USD EUR GBP RUB RUR JPY CNY INR CHF CAD AUD UAH KZT TRY BTC SEK NOK DKK PLN CZK")

_CURRENCY_BEFORE = re.compile(
    r"(?P<sign>US\$|C\$|A\$|[$€£₽¥₹₩₴₸₺₪₿])[ \u00a0]?|(?P<code>" + "|".join(_CODES) + r")[ \u00a0]"
)
_CURRENCY_AFTER = re.compile(
    r"[ \u00a0\u202f]?(?P<sign>[$€£₽¥₹₩₴₸₺₪₿])(?!\d)|[ \u00a0](?P<code>" + "|".join(_CODES) + r")\b"
)
_MINUS = "-−–"
_SIGN = re.compile(rf"[{_MINUS}+±]")
_DASH = re.compile(r"[-–—−]|[ \u00a0][–—][ \u00a0]")
_PERCENT = re.compile(r"[ \u00a0\u202f]?(%|‰)")


@dataclass(frozen=True, slots=True)
class _Amount:
    """One number, or two with a dash between, and where they stand."""

    first: Number
    last: Number | None
    place: Place


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is counted."""

    kind: Kind
    noun: Noun
    part: Noun | None
    end: int


def quantity(source: Source, at: int) -> Token | None:
    """A number, signed or not, alone or with a currency, a unit or a percent sign."""
    sign = _SIGN.match(source.text, at)
    if sign and at and source.char(at - 1).isalnum():
        return None  # "COVID-19"
    first = sign.end() if sign else at
    code, begin = _currency_before(source, first)
    if not code and sign is None and source.char(at) in "¥$":
        return None
    if code and sign is None:  # "$-5"
        sign = _SIGN.match(source.text, begin)
        begin = sign.end() if sign else begin
    amount = _amount(source, at, begin)
    if amount is None:
        return None
    spoken, kind, end = _spoken(source, amount, code)
    end -= source.ends_text(end)
    if not source.ends_word(end) and source.char(end - 1).isalnum():
        return None  # "3D"
    words = source.language.words
    prefix = (
        {"+": words.plus, "±": source.language.symbols["±"]}.get(sign.group(), words.minus) if sign else ""
    )
    return source.token(at, end, f"{prefix} {spoken}", kind)


def _currency_before(source: Source, at: int) -> tuple[str, int]:
    found = _CURRENCY_BEFORE.match(source.text, at)
    if not found or not (source.char(found.end()).isdecimal() or _SIGN.match(source.text, found.end())):
        return "", at
    return SIGNS[found["sign"]] if found["sign"] else found["code"], found.end()


def _amount(source: Source, at: int, begin: int) -> _Amount | None:
    found = source.language.numbers.match(source.text, begin)
    if not found:
        return None
    first, end = found
    dash = _DASH.match(source.text, end)
    sign = _CURRENCY_BEFORE.match(source.text, dash.end()) if dash else None
    other = source.language.numbers.match(source.text, sign.end() if sign else dash.end()) if dash else None
    if other and source.ends_word(other[1]) and not _SIGN.match(source.text, other[1]):
        return _Amount(first, other[0], source.place(at, other[1]))
    if other and _with_unit(source, other[1]):
        return _Amount(first, other[0], source.place(at, other[1]))
    return _Amount(first, None, source.place(at, end))


def _with_unit(source: Source, at: int) -> bool:
    return (
        match_unit(source.language, source.text, at) is not None
        or _PERCENT.match(source.text, at) is not None
    )


def _spoken(source: Source, amount: _Amount, code: str) -> tuple[str, Kind, int]:
    language = source.language
    place = amount.place
    magnitude, end = _magnitude(source, place.end, money=bool(code))
    counted = _counted(source, end, code)
    if magnitude is None and counted is None:
        return _alone(source, amount), Kind.RANGE if amount.last else Kind.NUMBER, place.end
    if counted is None:
        assert magnitude is not None
        spoken = _of_amount(source, amount, magnitude, end)
        return spoken, Kind.RANGE if amount.last else Kind.NUMBER, end
    place = place.until(counted.end)
    amount = replace(amount, place=place)
    if counted.part and len(amount.first.fraction) == 2 and not amount.last and magnitude is None:
        return _with_parts(source, amount, counted), counted.kind, counted.end
    if amount.last:
        spoken = language.counted_range(amount.first, amount.last, counted.noun, place, magnitude)
    else:
        spoken = language.counted(amount.first, counted.noun, place, magnitude)
    return spoken, counted.kind, counted.end


def _alone(source: Source, amount: _Amount) -> str:
    language, place = source.language, amount.place
    if amount.last is None:
        return plain(source, amount.first, place)
    if language.tag == "en" and _is_season(amount):
        return f"{language.year(amount.first.value, place)} to {language.cardinal(amount.last.value)}"
    if _are_years(amount):
        years = (
            language.year(number.value, source.place(place.first, place.first))
            for number in (amount.first, amount.last)
        )
        if language.tag == "en":
            return f" {language.words.to} ".join(years)
    return language.range(amount.first, amount.last, place)


def _is_season(amount: _Amount) -> bool:
    """ "2020-21": a year and the last digits of the next one."""
    assert amount.last is not None
    first, last = amount.first, amount.last
    years = "1800" <= first.whole <= "2098" and len(first.whole) == 4 and len(last.whole) == 2
    return years and not (first.fraction or last.fraction) and int(first.whole) % 100 + 1 == last.value


def _are_years(amount: _Amount) -> bool:
    assert amount.last is not None
    return all(
        len(number.whole) == 4 and not number.fraction and "1100" <= number.whole <= "2100"
        for number in (amount.first, amount.last)
    )


def plain(source: Source, number: Number, place: Place) -> str:
    """A number that counts what the next word says, or a year, or a number by its digits."""
    language = source.language
    written = source.text[place.first : place.end]
    if len(written) == 4 and written.isdecimal() and "1000" <= written <= "2100" and language.is_year(place):
        return language.year(number.value, place)
    if len(number.whole) > 1 and number.whole[0] == "0" and not number.fraction:
        return language.digits(number.whole)
    return language.number(number, place)


def _of_amount(source: Source, amount: _Amount, magnitude: Noun, end: int) -> str:
    """ "5 million" on its own."""
    language, place = source.language, amount.place.until(end)
    if amount.last:
        return language.counted_range(amount.first, amount.last, magnitude, place, None)
    return language.counted(amount.first, magnitude, place)


def _magnitude(source: Source, at: int, *, money: bool) -> tuple[Noun | None, int]:
    """ "million" in any spelling; its single capital letter only for money."""
    space = 1 if source.char(at) in (" ", "\u00a0") else 0
    for length in range(10, 0, -1):
        spelling = source.text[at + space : at + space + length]
        noun = source.language.magnitudes.get(spelling)
        end = at + space + length
        if noun and len(spelling) == length and (spelling.endswith(".") or source.ends_word(end)):
            if length == 1 and (
                space or not (money or (spelling == "K" and source.char(at - 2).isdecimal()))
            ):
                continue
            return noun, end
    return None, at


def _counted(source: Source, at: int, code: str) -> _Counted | None:
    language, text = source.language, source.text
    if code:
        currency = language.currency(code)
        return _money(source, currency, at)
    if found := _PERCENT.match(text, at):
        noun = language.words.percent if found[1] == "%" else language.words.permille
        return _Counted(Kind.PERCENT, noun, None, found.end())
    if found := _CURRENCY_AFTER.match(text, at):
        currency = language.currency(SIGNS[found["sign"]] if found["sign"] else found["code"])
        return _money(source, currency, found.end())
    for spelling, code_ in language.currency_words.items():
        for space in ("", " ", "\u00a0"):
            if text.startswith(space + spelling, at) and source.ends_word(at + len(space + spelling)):
                currency = language.currency(code_)
                end = at + len(space + spelling)
                return _money(source, currency, end - source.keeps_stop(end))
    if unit := match_unit(language, text, at):
        return _Counted(Kind.MEASURE, unit[0], None, unit[1])
    return None


def _money(source: Source, currency: Currency, end: int) -> _Counted:
    """A currency, perhaps per something: "$100/yr"."""
    per = match_per(source.language, source.text, end)
    if per is None:
        return _Counted(Kind.MONEY, currency.main, currency.part, end)
    forms = {category: f"{form} {per[0]}" for category, form in currency.main.forms.items()}
    return _Counted(Kind.MONEY, Noun(forms), None, per[1])


def _with_parts(source: Source, amount: _Amount, counted: _Counted) -> str:
    """ "five dollars and fifty cents"."""
    assert counted.part is not None
    language, place = source.language, amount.place
    whole, part = Number(amount.first.whole), Number(str(int(amount.first.fraction)))
    spoken = (
        [language.counted(whole, counted.noun, place)]
        if whole.is_long or whole.value or not part.value
        else []
    )
    if part.value:
        spoken.append(language.counted(part, counted.part, place))
    return f" {language.money_join} ".join(spoken)


_SIDES = re.compile(
    r"(\d{1,5})[ \u00a0]?[x×х][ \u00a0]?(\d{1,5})(?:[ \u00a0]?[x×х][ \u00a0]?(\d{1,5}))?(?![\d.^²³⁰-⁹])"
)


def dimensions(source: Source, at: int) -> Token | None:
    """ "1920x1080", "3 × 4": sizes side by side."""
    found = _SIDES.match(source.text, at)
    if not found or source.text[found.end() : found.end() + 2].lstrip()[:1] == "=":
        return None
    language = source.language
    sides = [language.side(int(side)) for side in found.groups() if side]
    last = Number(next(side for side in reversed(found.groups()) if side))
    unit = match_unit(language, source.text, found.end())
    noun = f" {unit[0].form(language.category(last))}" if unit else ""
    end = unit[1] if unit else found.end()
    if not source.ends_word(end):
        return None
    return source.token(at, end, f" {language.words.by} ".join(sides) + noun, Kind.MEASURE)


_FEET = re.compile(r"(\d{1,2})['′’] ?(\d{1,2})(?:[\"″”]|'')(?!\w)")


def feet(source: Source, at: int) -> Token | None:
    """ "5'11\""."""
    found = _FEET.match(source.text, at) if source.language.tag == "en" else None
    if not found:
        return None
    place = source.place(at, at)
    language = source.language
    counts = zip(found.groups(), ("length-foot", "length-inch"), strict=True)
    spoken = " ".join(language.counted(Number(count), language.unit(unit), place) for count, unit in counts)
    return source.token(at, found.end(), spoken, Kind.MEASURE)


_COMPARED = re.compile(r"[<>≤≥~≈](?=\d)")


def compared(source: Source, at: int) -> Token | None:
    """ "<5 kg": a sign that touches the number after it, and nothing before."""
    found = _COMPARED.match(source.text, at)
    spoken = source.language.comparisons.get(found.group()) if found else None
    if not found or not spoken or source.text[max(0, at - 1) : at].strip(" \u00a0(\n"):
        return None
    return source.token(at, found.end(), f"{spoken} ", Kind.SYMBOL)


_MULTIPLE = re.compile(r"(\d{1,4}(?:[.,]\d)?)[ \u00a0]?[x×](?=[ \u00a0][a-zäöüß]{3})")


def multiple(source: Source, at: int) -> Token | None:
    """ "3x faster"."""
    found = _MULTIPLE.match(source.text, at)
    number = source.language.numbers.match(source.text, at) if found else None
    if not found or not number or not source.language.multiple:
        return None
    spoken = source.language.number(number[0], source.place(at, found.end()))
    return source.token(at, found.end(), f"{spoken}{source.language.multiple}", Kind.NUMBER)


def bare(source: Source, at: int) -> Token | None:
    """Digits that nothing else explains."""
    found = re.compile("[0-9]+").match(source.text, at)
    if not found:
        return None
    number = Number(found.group())
    spoken = (
        source.language.digits(number.whole) if number.is_long else source.language.cardinal(number.value)
    )
    return source.token(at, found.end(), spoken, Kind.NUMBER)
