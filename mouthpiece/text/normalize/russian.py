"""Russian: numbers that agree with their nouns, dates, and what Russian writers abbreviate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from num2words import num2words

from mouthpiece.text.normalize import numbers
from mouthpiece.text.normalize.declension import (
    Case,
    case_of_number,
    case_of_preposition,
    decline,
    gender_beside,
    gender_of,
)
from mouthpiece.text.normalize.language import Abbreviation, Currency, Language, Noun, Wording
from mouthpiece.text.normalize.numbers import Number
from mouthpiece.text.normalize.tables import words_of
from mouthpiece.text.normalize.token import Place


def _noun(one: str, few: str = "", many: str = "") -> Noun:
    return Noun({"one": one, "few": few or one, "many": many or few or one, "other": few or one})


_CENT = _noun("цент", "цента", "центов")
_KOPEK = _noun("копейка", "копейки", "копеек")
_WHOLE = _noun("целая", "целых", "целых")
_SECOND = _noun("секунда", "секунды", "секунд")
_HOUR = _noun("час", "часа", "часов")
_FRACTIONS = ("", "десятая", "сотая", "тысячная", "десятитысячная", "стотысячная", "миллионная")

_MONTHS = words_of("января февраля марта апреля мая июня июля августа сентября октября ноября декабря")
_MONTH_FORMS = {
    form: number
    for number, forms in enumerate(
        (
            "январь января январе янв",
            "февраль февраля феврале фев февр",
            "март марта марте мар",
            "апрель апреля апреле апр",
            "май мая мае",
            "июнь июня июне июн",
            "июль июля июле июл",
            "август августа августе авг",
            "сентябрь сентября сентябре сен сент",
            "октябрь октября октябре окт",
            "ноябрь ноября ноябре ноя нояб",
            "декабрь декабря декабре дек",
        ),
        1,
    )
    for form in forms.split()
}

_UNTIL_YEAR = re.compile(r" (?:по|до) [0-9]{4} (?:год|г\.)")
_AGREEING: dict[str, tuple[Case, str, bool]] = {}
"""Words that show case, gender and number of the ordinal before them."""
for _stem, _soft in (
    ("век", "веку веком веке века веков векам веками веках"),
    ("год", "году годом годе годы годов годам годами годах"),
):
    _d, _i, _p, _n, _g, _dp, _ip, _pp = _soft.split()
    _AGREEING.update(
        {
            _stem: (Case.NOMINATIVE, "m", False),
            f"{_stem}а": (Case.GENITIVE, "m", False),
            _d: (Case.DATIVE, "m", False),
            _i: (Case.INSTRUMENTAL, "m", False),
            _p: (Case.PREPOSITIONAL, "m", False),
            _g: (Case.GENITIVE, "m", True),
            _dp: (Case.DATIVE, "m", True),
            _ip: (Case.INSTRUMENTAL, "m", True),
            _pp: (Case.PREPOSITIONAL, "m", True),
        }
    )
_AGREEING["годы"] = (Case.NOMINATIVE, "m", True)

_SUFFIXES: dict[str, tuple[Case, str, bool]] = {
    **dict.fromkeys(("й", "ый", "ой", "ий"), (Case.NOMINATIVE, "m", False)),
    **dict.fromkeys(("я", "ая", "ья"), (Case.NOMINATIVE, "f", False)),
    **dict.fromkeys(("е", "ое", "ье"), (Case.NOMINATIVE, "n", False)),
    **dict.fromkeys(("ые", "ие", "ьи"), (Case.NOMINATIVE, "n", True)),
    **dict.fromkeys(("го", "ого", "его"), (Case.GENITIVE, "m", False)),
    **dict.fromkeys(("му", "ому", "ему"), (Case.DATIVE, "m", False)),
    **dict.fromkeys(("ю", "ую"), (Case.ACCUSATIVE, "f", False)),
    **dict.fromkeys(("м", "ым", "им"), (Case.INSTRUMENTAL, "m", False)),
    **dict.fromkeys(("ом", "ем"), (Case.PREPOSITIONAL, "m", False)),
    **dict.fromkeys(("х", "ых", "их"), (Case.GENITIVE, "m", True)),
    **dict.fromkeys(("ми", "ыми", "ими"), (Case.INSTRUMENTAL, "m", True)),
}
_CARDINAL_SUFFIXES = {
    "ти": Case.GENITIVE,
    "ми": Case.GENITIVE,
    "ух": Case.GENITIVE,
    "ёх": Case.GENITIVE,
    "ех": Case.GENITIVE,
}

_ABBREVIATIONS: dict[str, Abbreviation] = {
    "т.е.": Abbreviation("то есть", within=True),
    "т. е.": Abbreviation("то есть", within=True),
    "т.к.": Abbreviation("так как", within=True),
    "т. к.": Abbreviation("так как", within=True),
    "т.д.": Abbreviation("так далее"),
    "т. д.": Abbreviation("так далее"),
    "т.п.": Abbreviation("тому подобное"),
    "т. п.": Abbreviation("тому подобное"),
    "т.н.": Abbreviation("так называемый", within=True),
    "др.": Abbreviation("другие"),
    "пр.": Abbreviation("прочее"),
    "н.э.": Abbreviation("нашей эры"),
    "н. э.": Abbreviation("нашей эры"),
    "г-н": Abbreviation("господин"),
    "г-жа": Abbreviation("госпожа"),
    "г-на": Abbreviation("господина"),
    "г-ну": Abbreviation("господину"),
    "г-жи": Abbreviation("госпожи"),
    "г-же": Abbreviation("госпоже"),
    "ул.": Abbreviation("улица", within=True),
    "просп.": Abbreviation("проспект", within=True),
    "пер.": Abbreviation("переулок", within=True),
    "пл.": Abbreviation("площадь", within=True),
    "наб.": Abbreviation("набережная", within=True),
    "обл.": Abbreviation("область"),
    "р-н": Abbreviation("район"),
    "пос.": Abbreviation("посёлок", within=True),
    "дер.": Abbreviation("деревня", within=True),
    "проф.": Abbreviation("профессор", within=True),
    "акад.": Abbreviation("академик", within=True),
    "доц.": Abbreviation("доцент", within=True),
    "им.": Abbreviation("имени", within=True),
    "см.": Abbreviation("смотри", within=True),
    "ср.": Abbreviation("сравни", within=True),
    "напр.": Abbreviation("например", within=True),
    "ок.": Abbreviation("около", before="number"),
    "прим.": Abbreviation("примерно", before="number"),
    "стр.": Abbreviation("страница", before="number"),
    "рис.": Abbreviation("рисунок", before="number"),
    "табл.": Abbreviation("таблица", before="number"),
    "гл.": Abbreviation("глава", before="number"),
    "ст.": Abbreviation("статья", before="number"),
    "п.": Abbreviation("пункт", before="number"),
    "д.": Abbreviation("дом", before="number"),
    "кв.": Abbreviation("квартира", before="number"),
    "корп.": Abbreviation("корпус", before="number"),
    "тел.": Abbreviation("телефон", within=True),
    "г.": Abbreviation("город", before="name"),
    "с.": Abbreviation("страница", before="number"),
    "вкл.": Abbreviation("включительно"),
    "ред.": Abbreviation("редактор", before="name"),
    "изд.": Abbreviation("издание"),
    "св.": Abbreviation("свыше", before="number"),
    "тов.": Abbreviation("товарищ", before="name"),
}

_LETTER_NAMES = {
    **dict(
        zip(
            "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЫЭЮЯ",
            words_of("""
        а бэ вэ гэ дэ е ё жэ зэ и и-краткое ка эль эм эн о пэ эр эс тэ у эф ха цэ че ша ща ы э ю я
            """),
            strict=True,
        )
    ),
    **dict(
        zip(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            words_of("""
        эй би си ди и эф джи эйч ай джей кей эл эм эн оу пи кью ар эс ти ю ви дабл-ю икс уай зед
            """),
            strict=True,
        )
    ),
}


_PERSON = _noun("человек", "человека", "человек")


class Russian(Language):
    """Russian, with the case that a preposition or the noun itself shows."""

    tag = "ru"
    numbers = numbers.RUSSIAN
    words = Wording(
        minus="минус",
        plus="плюс",
        percent=_noun("процент", "процента", "процентов"),
        permille=_noun("промилле"),
        to="до",
        times="умножить на",
        by="на",
        number="номер",
        section="параграф",
        at="собака",
        dot="точка",
        slash="слэш",
        dash="дефис",
        underscore="подчёркивание",
        colon="двоеточие",
        hashtag="хештег",
        and_="и",
        equals="равно",
    )
    letters = _LETTER_NAMES
    months = _MONTH_FORMS
    abbreviations = _ABBREVIATIONS
    initialisms = frozenset(words_of("УК ВК ЕС ЕЭС ОАЭ ОМОН")) - {"ОМОН"} | frozenset(
        words_of("""
        США МГУ ООН МИД АО ЗАО ОАО ООО ПАО ЕС ЕГЭ ИИ ИП ЭВМ ЭКГ УЗИ АЭС МИФИ ОБЖ СНИЛС ИНН ОСАГО API AI USA
        UK EU IT IP USB URL CEO TV HTTP HTML SQL SMS GPS GPU CPU PDF UI IBM IQ
        """)
    ) - {"МИФИ", "СНИЛС", "ОСАГО"}
    units: ClassVar[Mapping[str, str]] = {
        "км": "length-kilometer",
        "м": "length-meter",
        "дм": "length-decimeter",
        "см": "length-centimeter",
        "мм": "length-millimeter",
        "мкм": "length-micrometer",
        "нм": "length-nanometer",
        "км²": "area-square-kilometer",
        "кв.км": "area-square-kilometer",
        "м²": "area-square-meter",
        "кв.м": "area-square-meter",
        "кв. м": "area-square-meter",
        "кв. км": "area-square-kilometer",
        "см²": "area-square-centimeter",
        "га": "area-hectare",
        "м³": "volume-cubic-meter",
        "куб.м": "volume-cubic-meter",
        "куб. м": "volume-cubic-meter",
        "см³": "volume-cubic-centimeter",
        "л": "volume-liter",
        "мл": "volume-milliliter",
        "т": "mass-tonne",
        "кг": "mass-kilogram",
        "г": "mass-gram",
        "гр": "mass-gram",
        "мг": "mass-milligram",
        "ч": "duration-hour",
        "час": "duration-hour",
        "мин": "duration-minute",
        "сек": "duration-second",
        "с": "duration-second",
        "мс": "duration-millisecond",
        "км/ч": "speed-kilometer-per-hour",
        "м/с": "speed-meter-per-second",
        "Гц": "frequency-hertz",
        "кГц": "frequency-kilohertz",
        "МГц": "frequency-megahertz",
        "ГГц": "frequency-gigahertz",
        "Вт": "power-watt",
        "кВт": "power-kilowatt",
        "МВт": "power-megawatt",
        "ГВт": "power-gigawatt",
        "кВт·ч": "energy-kilowatt-hour",
        "кВт*ч": "energy-kilowatt-hour",
        "В": "electric-volt",
        "мА": "electric-milliampere",
        "Ом": "electric-ohm",
        "Па": "pressure-pascal",
        "кПа": "pressure-kilopascal",
        "МПа": "pressure-megapascal",
        "атм": "pressure-atmosphere",
        "бит": "digital-bit",
        "байт": "digital-byte",
        "КБ": "digital-kilobyte",
        "Кб": "digital-kilobyte",
        "кБ": "digital-kilobyte",
        "МБ": "digital-megabyte",
        "Мб": "digital-megabyte",
        "ГБ": "digital-gigabyte",
        "Гб": "digital-gigabyte",
        "ТБ": "digital-terabyte",
        "Тб": "digital-terabyte",
        "Мбит": "digital-megabit",
        "Гбит": "digital-gigabit",
        "Дж": "energy-joule",
        "кДж": "energy-kilojoule",
        "ккал": "energy-kilocalorie",
        "кал": "energy-calorie",
        "ч. л.": "volume-teaspoon",
        "ч.л.": "volume-teaspoon",
        "ст. л.": "volume-tablespoon",
        "ст.л.": "volume-tablespoon",
        "чел.": "person",
        "чел": "person",
        "л.с.": "power-horsepower",
        "л. с.": "power-horsepower",
        "°С": "temperature-celsius",
    }
    magnitudes: ClassVar[Mapping[str, Noun]] = {
        "тыс.": _noun("тысяча", "тысячи", "тысяч"),
        "тыс": _noun("тысяча", "тысячи", "тысяч"),
        "млн": _noun("миллион", "миллиона", "миллионов"),
        "млн.": _noun("миллион", "миллиона", "миллионов"),
        "млрд": _noun("миллиард", "миллиарда", "миллиардов"),
        "млрд.": _noun("миллиард", "миллиарда", "миллиардов"),
        "трлн": _noun("триллион", "триллиона", "триллионов"),
        "трлн.": _noun("триллион", "триллиона", "триллионов"),
        "M": _noun("миллион", "миллиона", "миллионов"),
        "B": _noun("миллиард", "миллиарда", "миллиардов"),
        "K": _noun("тысяча", "тысячи", "тысяч"),
    }
    currencies: ClassVar[Mapping[str, Currency]] = {
        "RUB": Currency(_noun("рубль", "рубля", "рублей"), _KOPEK),
        "USD": Currency(_noun("доллар", "доллара", "долларов"), _CENT),
        "EUR": Currency(_noun("евро"), _CENT),
        "GBP": Currency(_noun("фунт", "фунта", "фунтов"), _noun("пенс", "пенса", "пенсов")),
        "UAH": Currency(_noun("гривна", "гривны", "гривен"), _KOPEK),
        "KZT": Currency(_noun("тенге")),
        "JPY": Currency(_noun("иена", "иены", "иен")),
        "CNY": Currency(_noun("юань", "юаня", "юаней")),
        "INR": Currency(_noun("рупия", "рупии", "рупий")),
        "KRW": Currency(_noun("вона", "воны", "вон")),
        "TRY": Currency(_noun("лира", "лиры", "лир")),
        "CHF": Currency(_noun("франк", "франка", "франков")),
        "BYN": Currency(_noun("белорусский рубль", "белорусских рубля", "белорусских рублей"), _KOPEK),
        "ILS": Currency(_noun("шекель", "шекеля", "шекелей")),
        "BTC": Currency(_noun("биткойн", "биткойна", "биткойнов")),
    }
    currency_words: ClassVar[Mapping[str, str]] = {
        "руб.": "RUB",
        "руб": "RUB",
        "р.": "RUB",
        "долл.": "USD",
        "грн": "UAH",
        "грн.": "UAH",
        "тг": "KZT",
    }
    symbols: ClassVar[Mapping[str, str]] = {
        "&": "и",
        "%": "процентов",
        "°": "градусов",
        "±": "плюс-минус",
        "×": "на",
        "÷": "разделить на",
        "=": "равно",
        "+": "плюс",
        "≈": "примерно",
        "@": "собака",
        "√": "корень из",
        "∞": "бесконечность",
    }

    comparisons: ClassVar[Mapping[str, str]] = {
        "<": "менее",
        ">": "более",
        "≤": "не более",
        "≥": "не менее",
        "~": "около",
        "≈": "около",
    }
    even = "на"
    ratio_word = "к"
    spelled_initialisms: ClassVar[Mapping[str, str]] = {
        "США": "сэ шэ а",
        "ФБР": "фэ бэ эр",
        "ФРГ": "фэ эр гэ",
        "ФСБ": "фэ эс бэ",
        "РФ": "эр эф",
    }
    www = "вэ вэ вэ"

    # ---------------------------------------------------------------- numbers

    def number(self, number: Number, place: Place) -> str:
        if number.is_long:
            return self.digits(number.whole)
        after = place.after
        case = case_of_number(place.before, after)
        if _is_one_and_a_half(number) and after.endswith(("а", "я", "ы", "и")):
            return _one_and_a_half(after, case)
        if number.fraction:
            return self._decimal(number, case)
        if place.before in ("в", "во", "на", "о", "об") and (gender := _NTH_WHERE.get(after)):
            return _say(number.value, to="ordinal", case="p", gender=gender)
        digit = _last(number.value)
        gender = gender_beside(digit, after) if digit in (1, 2) and after else "m"
        if digit == 1 and after.endswith(("у", "ю")) and case is Case.NOMINATIVE:
            case = Case.ACCUSATIVE
        return self._cardinal(number.value, _without_accusative(case, digit), gender)

    def _cardinal(self, value: int, case: Case, gender: str) -> str:
        return _say(value, case=case.value, gender=gender, animate=False)

    def _decimal(self, number: Number, case: Case) -> str:
        oblique = case if case in (Case.NOMINATIVE, Case.ACCUSATIVE) else Case.GENITIVE
        whole = f"{self._cardinal(number.value, oblique, 'f')} {self._part('целая', number.value, oblique)}"
        if len(number.fraction) >= len(_FRACTIONS):
            return f"{whole} {self.digits(number.fraction)}"
        top = int(number.fraction)
        part = self._part(_FRACTIONS[len(number.fraction)], top, oblique)
        return f"{whole} {self._cardinal(top, oblique, 'f')} {part}"

    def _part(self, singular: str, top: int, case: Case) -> str:
        """An adjective such as "десятая" after a number of parts."""
        if _last(top) != 1:
            return f"{singular[:-2]}ых"
        endings = {Case.NOMINATIVE: "ая", Case.ACCUSATIVE: "ую"}
        return f"{singular[:-2]}{endings.get(case, 'ой')}"

    def counted(self, number: Number, noun: Noun, place: Place, magnitude: Noun | None = None) -> str:
        case = case_of_number(place.before, "")
        first = (magnitude or noun).form("few")
        if _is_one_and_a_half(number) and case in (Case.NOMINATIVE, Case.ACCUSATIVE):
            rest = f" {noun.form('many')}" if magnitude else ""
            return f"{_one_and_a_half(first, case)} {first}{rest}"
        return self._of(number, noun, case, magnitude)

    def _counted(self, number: Number, noun: Noun, case: Case) -> str:
        if number.is_long:
            return f"{self.digits(number.whole)} {noun.form('many')}"
        if number.fraction:
            return f"{self._decimal(number, case)} {noun.form('other')}"
        spoken = self._cardinal(number.value, case, gender_of(noun.one))
        return f"{spoken} {decline(noun, self.category(number), case)}"

    def ordinal(self, value: int, suffix: str, place: Place) -> str:
        if suffix in _CARDINAL_SUFFIXES and not (suffix == "ми" and value % 10 not in (7, 8)):
            return self._cardinal(value, _CARDINAL_SUFFIXES[suffix], "m")
        case, gender, plural = self._agreement(value, suffix, place)
        return _say(value, to="ordinal", case=case.value, gender=gender, plural=plural, animate=False)

    def _agreement(self, value: int, suffix: str, place: Place) -> tuple[Case, str, bool]:
        after = place.after
        agreeing = _agreeing(place)
        if not suffix:
            return agreeing or _by_adjective_ending(after)
        found = _SUFFIXES.get(suffix, (Case.NOMINATIVE, "m", False))
        if agreeing and suffix != "го":
            return agreeing
        if suffix in ("й", "ой") and after.endswith(("ой", "ей", "ии", "ы", "и")):
            return Case.GENITIVE, "f", False
        decade = value % 10 == 0 and value >= 20 and not after.endswith(("о", "е"))
        if suffix == "е" and (decade or after.endswith(("ые", "ие", "ы", "и"))):
            return Case.NOMINATIVE, "n", True
        if suffix == "м" and case_of_preposition(place.before) in (Case.ACCUSATIVE, Case.PREPOSITIONAL):
            return Case.PREPOSITIONAL, "m", False
        if suffix == "х" and case_of_preposition(place.before) in (Case.ACCUSATIVE, Case.PREPOSITIONAL):
            return Case.PREPOSITIONAL, "m", True
        return found

    def fraction(self, top: int, bottom: int, whole: int | None = None, noun: str = "") -> str:
        if bottom < 2 or top >= bottom or bottom > 100:
            return ""
        part = _say(
            bottom, to="ordinal", case="n" if _last(top) == 1 else "g", gender="f", plural=_last(top) != 1
        )
        if bottom == 4 and top in (1, 3):
            part = "четверть" if top == 1 else "четверти"
        if bottom == 3 and top == 1:
            part = "треть"
        spoken = f"{self._cardinal(top, Case.NOMINATIVE, 'f')} {part}"
        if whole is None:
            return spoken
        if (top, bottom) == (1, 2):
            return f"{self._cardinal(whole, Case.NOMINATIVE, 'm')} с половиной"
        counted = self._cardinal(whole, Case.NOMINATIVE, "f")
        return f"{counted} {self._part('целая', whole, Case.NOMINATIVE)} {spoken}"

    def year(self, value: int, place: Place) -> str:
        case, gender, plural = _agreeing(place) or (Case.GENITIVE, "m", False)
        return _say(value, to="ordinal", case=case.value, gender=gender, plural=plural, animate=False)

    def years(self, years: Sequence[int], place: Place) -> str:
        return _of_time(years, place, ("год", "года", "году", "году"), ("годы", "годов", "годам", "годах"))

    def centuries(self, centuries: Sequence[int], place: Place) -> str:
        return _of_time(
            centuries, place, ("век", "века", "веку", "веке"), ("века", "веков", "векам", "веках")
        )

    def unit(self, identifier: str) -> Noun:
        return _PERSON if identifier == "person" else super().unit(identifier)

    def parted(self, unit: Noun, more_than_one: bool) -> str:
        adjective, _, noun = unit.one.rpartition(" ")
        if adjective.endswith("ая"):  # "чайная ложка"
            return f"{adjective[:-2]}ой {noun[:-1]}и"
        return decline(unit, "one", Case.GENITIVE)

    def season(self, first: int, last: int, place: Place) -> str:
        return f"{self.cardinal(first)} — {self.cardinal(last)}"

    def ratio(self, one: int, other: int, place: Place) -> str:
        if place.before in ("счётом", "счетом", "счёт", "счет"):
            return f"{self.cardinal(one)} {self.cardinal(other)}"
        return f"{self.cardinal(one)} к {in_case(other, Case.DATIVE)}"

    def prefix(self, value: int) -> str:
        if value in _PREFIXES:
            return _PREFIXES[value]
        rest = value % 100 % 20 if value % 100 < 20 else value % 10
        tail = _PREFIXES.get(rest) if 0 < rest < 5 else None
        whole = _say(value - rest, case="g") if value - rest else ""
        return (whole + (tail or (_say(rest, case="g") if rest else ""))).replace(" ", "")

    def is_year(self, place: Place) -> bool:
        first_of_two = _UNTIL_YEAR.match(place.text, place.end) is not None
        return (
            first_of_two
            or (place.after in _AGREEING and place.after != "годов")
            or place.before in self.months
        )

    def range(self, first: Number, last: Number, place: Place) -> str:
        if place.after in _AGREEING and len(first.whole) == len(last.whole) == 4:
            return " — ".join(_say(number.value, to="ordinal") for number in (first, last))
        if first.fraction or last.fraction:
            return f"{self.number(first, place)} — {self.number(last, place)}"
        if _are_neighbours(first, last):
            return f"{self.number(first, place)}-{self.number(last, place)}"
        preposition = case_of_preposition(place.before)
        if preposition is Case.NOMINATIVE:
            one, other = (self._cardinal(number.value, Case.GENITIVE, "m") for number in (first, last))
            return f"от {one} до {other}"
        return f"{self.number(first, place)} {self.number(last, place)}"

    def counted_range(
        self, first: Number, last: Number, noun: Noun, place: Place, magnitude: Noun | None
    ) -> str:
        case = case_of_preposition(place.before)
        if _are_neighbours(first, last):
            one = self._quantity(first, case, gender_of((magnitude or noun).one))
            return f"{one}-{self._of(last, noun, case, magnitude)}"
        if case is Case.NOMINATIVE:
            one = self._quantity(first, Case.GENITIVE, gender_of((magnitude or noun).one))
            return f"от {one} до {self._of(last, noun, Case.GENITIVE, magnitude)}"
        one = self._quantity(first, case, gender_of((magnitude or noun).one))
        joint = " — " if first.fraction or last.fraction else " "
        return f"{one}{joint}{self._of(last, noun, case, magnitude)}"

    def _quantity(self, number: Number, case: Case, gender: str) -> str:
        if number.is_long:
            return self.digits(number.whole)
        return self._decimal(number, case) if number.fraction else self._cardinal(number.value, case, gender)

    def _of(self, number: Number, noun: Noun, case: Case, magnitude: Noun | None) -> str:
        if magnitude is None:
            return self._counted(number, noun, case)
        return f"{self._counted(number, magnitude, case)} {noun.form('many')}"

    def decimal(self, whole: str, fraction: str) -> str:
        return self._decimal(Number(whole, fraction), Case.NOMINATIVE)

    def roman(self, value: int, place: Place, *, sure: bool) -> str:
        after, before = place.after, place.before
        if after in _AGREEING:
            return self.ordinal(value, "", place)
        capital = _capitalised_before(place)
        if capital and value < 40 and before not in _NUMBERED:
            return _say(value, to="ordinal", animate=True, **_name_agreement(before)).capitalize()
        if before in _NUMBERED or (sure and after):
            return (
                self.ordinal(value, "", place)
                if before not in _NUMBERED
                else self._after_numbered(value, before)
            )
        return ""

    def _after_numbered(self, value: int, noun: str) -> str:
        gender = gender_of(noun) if not noun.endswith(("е", "ы", "у")) else "f"
        case = "p" if noun.endswith("е") else "g" if noun.endswith("ы") else "n"
        return _say(value, to="ordinal", case=case, gender=gender)

    def element(self, symbol: str) -> str:
        return _ELEMENTS.get(symbol) or self.spelled(symbol.upper())

    # ---------------------------------------------------------------- dates and times

    def days(self, first: int, date: str, place: Place) -> str:
        since = _say(first, to="ordinal", case="g", gender="n")
        written = place.text[place.first : place.end]
        joint = next((word for word in ("по", "до") if f" {word} " in written), "—")
        return f"{since} {joint} {date}"

    def month_name(self, month: int, written: str) -> str:
        return written if len(written) > 4 or written.lower() in _SHORT_MONTHS else _MONTHS[month - 1]

    def month_of_year(self, month: str, year: int, place: Place) -> str:
        return f"{super().month_of_year(month, year, place)} года"

    def weekday(self, name: str, place: Place) -> str:
        return f"{name[:-1]}у" if place.before in ("в", "во", "на") and name.endswith("а") else name

    def times_between(self, first: str, last: str) -> str:
        return f"{first} — {last}"

    def abbreviation(self, written: str, place: Place) -> str:
        return ""

    def date(self, day: int, month: int, year: int | None, place: Place, *, month_first: bool) -> str:
        case = Case.GENITIVE
        if place.before in ("к", "ко"):
            case = Case.DATIVE
        elif place.before in ("на", "по", "за"):
            case = Case.NOMINATIVE
        spoken = f"{_say(day, to='ordinal', case=case.value, gender='n')} {_MONTHS[month - 1]}"
        if year is None:
            return spoken
        return f"{spoken} {_say(year, to='ordinal', case='g', gender='m')} года"

    def time(self, hour: int, minute: int, second: int | None, place: Place) -> str:
        case = case_of_preposition(place.before)
        if not minute and second is None:
            return self._counted(Number(str(hour)), _HOUR, case)
        spoken = f"{self._cardinal(hour, case, 'm')} {self._minutes(minute, case)}"
        return spoken if second is None else f"{spoken} {self._counted(Number(str(second)), _SECOND, case)}"

    def _minutes(self, minute: int, case: Case) -> str:
        if minute == 0:
            return "ноль ноль"
        zero = "ноль " if minute < 10 else ""
        return zero + self._cardinal(minute, Case.NOMINATIVE if zero else case, "m")

    def phone_group(self, digits: str) -> str:
        if len(digits) > 3:
            return self.digits(digits)
        zeros = len(digits) - len(digits.lstrip("0"))
        parts = ["ноль"] * zeros
        if zeros < len(digits):
            parts.append(self.cardinal(int(digits)))
        return " ".join(parts)

    def per(self, noun: Noun, unit: str) -> str:
        accusative = decline(noun, "one", Case.ACCUSATIVE)
        return f"{'в' if unit.startswith('duration') else 'на'} {accusative}"


_NTH_WHERE = dict.fromkeys(
    words_of("этаже подъезде классе месте томе курсе ряду вагоне квартале номере пункте матче туре раунде"),
    "m",
) | dict.fromkeys(words_of("главе серии части школе квартире палате аудитории минуте странице строке"), "f")
"""Nouns before which, after "in" and "on", a number says which one."""


def _is_one_and_a_half(number: Number) -> bool:
    return (number.whole, number.fraction) == ("1", "5")


def _one_and_a_half(noun: str, case: Case) -> str:
    if case not in (Case.NOMINATIVE, Case.ACCUSATIVE):
        return "полутора"
    return "полтора" if noun.split()[-1].endswith(("а", "я")) else "полторы"


def _are_neighbours(first: Number, last: Number) -> bool:
    """Whether two numbers are said side by side, as in "два-три"."""
    whole = not (first.fraction or last.fraction or first.is_long or last.is_long)
    return whole and 1 <= first.value == last.value - 1 < 10


def _agreeing(place: Place) -> tuple[Case, str, bool] | None:
    """Case, gender and number that the noun after an ordinal shows."""
    if (
        place.after == "году"
        and case_of_preposition(place.before) is not Case.DATIVE
        and place.before != "по"
    ):
        return Case.PREPOSITIONAL, "m", False
    return _AGREEING.get(place.after)


_TIME_CASES = (Case.NOMINATIVE, Case.GENITIVE, Case.DATIVE, Case.PREPOSITIONAL)


def _of_time(values: Sequence[int], place: Place, one: Sequence[str], many: Sequence[str]) -> str:
    """Years or centuries with their noun, in the case that the preposition asks for."""
    case = case_of_preposition(place.before)
    if case is Case.ACCUSATIVE:
        case = Case.PREPOSITIONAL if place.before in ("в", "во") else Case.NOMINATIVE
    if case not in _TIME_CASES:
        case = Case.NOMINATIVE
    spoken = " — ".join(_say(value, to="ordinal", case=case.value, gender="m") for value in values)
    return f"{spoken} {(one if len(values) == 1 else many)[_TIME_CASES.index(case)]}"


_PREFIXES = {1: "одно", 2: "двух", 3: "трёх", 4: "четырёх", 90: "девяносто", 100: "сто"}
_SHORT_MONTHS = frozenset(words_of("март май мая мае июнь июня июне июль июля июле"))
_NUMBERED = frozenset(
    words_of(
        "глава главе главы главу часть части том тома томе раздел разделе пункт статья статье класс этап тип"
    )
)
_ELEMENTS = {
    "H": "аш",
    "C": "цэ",
    "O": "о",
    "N": "эн",
    "P": "пэ",
    "S": "эс",
    "F": "фтор",
    "K": "калий",
    "B": "бор",
    "I": "йод",
    "U": "уран",
    "Na": "натрий",
    "Cl": "хлор",
    "Ca": "кальций",
    "Mg": "магний",
    "Al": "алюминий",
    "Si": "силициум",
    "Fe": "феррум",
    "Cu": "купрум",
    "Zn": "цинк",
    "Ag": "аргентум",
    "Au": "аурум",
    "Hg": "гидраргирум",
    "Pb": "плюмбум",
    "Mn": "марганец",
    "Br": "бром",
    "Cr": "хром",
    "Ba": "барий",
    "Ti": "титан",
    "Li": "литий",
}


def _capitalised_before(place: Place) -> bool:
    words = place.text[max(0, place.first - 40) : place.first].split()
    return bool(words) and words[-1].isalpha() and words[-1][0].isupper() and len(words[-1]) > 2


def _name_agreement(name: str) -> dict[str, str]:
    """The form of the numeral after a ruler's name: "Пётр Первый", "Петра Первого", "Екатерины Второй"."""
    if name.endswith(("ина", "ета", "анна", "рия")):
        return {"case": "n", "gender": "f"}
    if name.endswith(("ины", "еты", "ине", "ете", "рии", "иной")):
        return {"case": "g", "gender": "f"}
    if name.endswith(("а", "я")) and name not in ("илья", "никита", "фома"):
        return {"case": "g", "gender": "m"}
    if name.endswith(("у", "ю")):
        return {"case": "d", "gender": "m"}
    return {"case": "i" if name.endswith(("ом", "ем")) else "n", "gender": "m"}


def nth(value: int, case: Case) -> str:
    """An ordinal in the feminine, as before "степень"."""
    return _say(value, to="ordinal", case=case.value, gender="f")


def in_case(value: int, case: Case) -> str:
    """A cardinal in a case."""
    return _say(value, case=case.value)


def _last(value: int) -> int:
    """The last digit as it counts for agreement: 0 for 11 to 14."""
    return 0 if 11 <= value % 100 <= 14 else value % 10


def _without_accusative(case: Case, digit: int) -> Case:
    return Case.NOMINATIVE if case is Case.ACCUSATIVE and digit != 1 else case


def _say(value: int, **form: Any) -> str:
    return str(num2words(value, lang="ru", **form))


_ADJECTIVES = (
    (("ая", "яя"), (Case.NOMINATIVE, "f", False)),
    (("ое", "ее"), (Case.NOMINATIVE, "n", False)),
    (("ого", "его"), (Case.GENITIVE, "m", False)),
    (("ой", "ей"), (Case.GENITIVE, "f", False)),
    (("ую", "юю"), (Case.ACCUSATIVE, "f", False)),
    (("ом", "ем"), (Case.PREPOSITIONAL, "m", False)),
)


def _by_adjective_ending(word: str) -> tuple[Case, str, bool]:
    for endings, agreement in _ADJECTIVES:
        if word.endswith(endings):
            return agreement
    return Case.NOMINATIVE, "m", False
