"""German: numbers and dates, ordinals with the ending that their article asks for, and abbreviations."""

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
    return Noun({"one": one, "other": other or one})


_MONTHS = words_of("""
    Januar Februar März April Mai Juni Juli August September Oktober November Dezember
""")
_SHORT_MONTHS = "jan jänner|feb|mrz|apr||jun|jul|aug|sep sept|okt|nov|dez"
_WITHIN = """
    z.B.=zum Beispiel|d.h.=das heißt|u.a.=unter anderem|u.U.=unter Umständen|z.T.=zum Teil
    |i.d.R.=in der Regel|z.Zt.=zurzeit|z.Z.=zurzeit|jr.=junior|sen.=senior
    |Std.=Stunden|m.E.=meines Erachtens|bzw.=beziehungsweise|ca.=circa|evtl.=eventuell
    |ggf.=gegebenenfalls|inkl.=inklusive|exkl.=exklusive|zzgl.=zuzüglich|sog.=sogenannte|vgl.=vergleiche
    |bspw.=beispielsweise|mind.=mindestens|max.=maximal|min.=minimal|geb.=geboren|gest.=gestorben
    |Dr.=Doktor|Prof.=Professor|Dipl.=Diplom|Ing.=Ingenieur|Hr.=Herr|Hrn.=Herrn|Fr.=Frau|St.=Sankt
"""
_PERHAPS_LAST = """
    usw.=und so weiter|usf.=und so fort|etc.=et cetera|u.s.w.=und so weiter|o.Ä.=oder Ähnliches
    |s.o.=siehe oben|s.u.=siehe unten|v.Chr.=vor Christus|n.Chr.=nach Christus|Str.=Straße|Jh.=Jahrhundert
"""
_BEFORE_NUMBERS = """
    Nr.=Nummer|Nrn.=Nummern|S.=Seite|Bd.=Band|Kap.=Kapitel|Abb.=Abbildung|Tab.=Tabelle|Abs.=Absatz
    |Art.=Artikel|Tel.=Telefon|Ziff.=Ziffer|Anm.=Anmerkung
"""


def _abbreviations() -> dict[str, Abbreviation]:
    table: dict[str, Abbreviation] = {}
    for entries, before, within in (
        (_WITHIN, "", True),
        (_PERHAPS_LAST, "", False),
        (_BEFORE_NUMBERS, "number", False),
    ):
        for entry in entries.split("|"):
            short, _, spoken = entry.strip().partition("=")
            known = Abbreviation(spoken, before, within)
            table[short.lower()] = table[short.lower().replace(".", ". ").strip()] = known
    return table


_TAKING_EN = frozenset(
    words_of("""
        am im vom zum beim zur dem den des ab bis seit einem einen einer eines diesem diesen jedem jeden
        meinem meinen meiner seinem seinen seiner ihrem ihren ihrer unserem unseren unserer keinem keinen
    """)
)
_TAKING_E = frozenset(
    words_of("der die das eine diese dieser dieses jede jeder jedes meine seine ihre unsere")
)
_TAKING_ENDINGS = _TAKING_EN | _TAKING_E | frozenset(words_of("ein mein dein sein ihr unser kein jedes"))
_DATIVE_BEFORE_DER = frozenset(
    words_of("in an auf aus bei mit nach seit von zu während wegen trotz unter über vor hinter neben ab")
)
_COUNTED_OFF = {
    "m": """platz stock geburtstag tag weltkrieg jahrestag advent rang preis teil akt spieltag bezirk satz
        gang monat hochzeitstag breitengrad""",
    "f": """klasse auflage runde liga etage woche sinfonie symphonie reihe sitzung stufe ausgabe staffel
        stunde minute generation bundesliga halbzeit""",
    "n": """jahrhundert kapitel mal quartal semester lebensjahr jahrtausend jahr obergeschoss buch bild
        drittel""",
}
_GENDERS = {noun: gender for gender, nouns in _COUNTED_OFF.items() for noun in nouns.split()}
"""Nouns after which a number with a stop is an ordinal, whatever stands before."""
_ENDINGS = {"m": "er", "f": "e", "n": "es"}

_FEMININE_ENDINGS = ("e", "ung", "heit", "keit", "ion", "tät", "schaft", "in")
_NOT_FEMININE = frozenset(words_of("name junge kunde käse kollege löwe hase auge ende gramm ion"))
_YEAR_BEFORE = frozenset(
    words_of("""
        jahr jahre jahres anno seit sommer winter frühling frühjahr herbst ende anfang mitte
    """)
    + [month.lower() for month in _MONTHS]
)
_REGNAL = frozenset(
    words_of("""
        Ludwig Friedrich Heinrich Wilhelm Karl Otto Franz Joseph Johannes Papst Paul Pius Benedikt Leo
        Elisabeth Katharina Maria Georg Napoleon Philipp Rudolf Ferdinand Maximilian Leopold Nikolaus Peter
        Alexander Richard Edward Jakob Gregor Innozenz Clemens
    """)
)
_FEMALE = frozenset(words_of("Elisabeth Katharina Maria"))
_NUMBERED = frozenset(words_of("Kapitel Teil Band Akt Phase Typ Abschnitt Artikel Stufe Version Klasse"))


def _ordinal(value: int, ending: str) -> str:
    """An ordinal such as "dritte" with another ending than "e"."""
    return f"{str(num2words(value, lang='de', to='ordinal')).lower().removesuffix('e')}{ending}"


def _written_before(place: Place) -> list[str]:
    """The words right before, in this line."""
    line = place.text[max(0, place.first - 60) : place.first].rpartition("\n")[2]
    return line.split() if line[-1:].isspace() else []


_JOINTS = frozenset(("und", "oder", "bis", "bzw.", "sowie"))


def _before_ordinals(place: Place) -> list[str]:
    """The two words before an ordinal, or before the first of several: "das 20. und 21. Jahrhundert"."""
    words = [word.lower() for word in _written_before(place)]
    while len(words) > 2 and words[-1] in _JOINTS and re.fullmatch(r"\d{1,4}\.", words[-2]):
        words = words[:-2]
    return words[-2:]


def _is_one(number: Number) -> bool:
    return not number.fraction and not number.is_long and number.value == 1


def _one(noun: str) -> str:
    """ "ein" or "eine" before a noun."""
    last = noun.split()[-1].lower() if noun else ""
    feminine = last.endswith(_FEMININE_ENDINGS) and last not in _NOT_FEMININE
    return "eine" if feminine else "ein"


_BEFORE_NAMES = frozenset(
    words_of("""
        artikel art. paragraf paragraph nummer nr. absatz abs. satz kapitel kap. seite s. band bd. teil platz
        gleis schritt stufe klasse gruppe typ punkt
    """)
)


class German(Language):
    """German as it is written in Germany, Austria and Switzerland."""

    tag = "de"
    numbers = numbers.GERMAN
    stop_makes_ordinals = True
    words = Wording(
        minus="minus",
        plus="plus",
        percent=_noun("Prozent"),
        permille=_noun("Promille"),
        to="bis",
        times="mal",
        by="mal",
        number="Nummer",
        section="Paragraf",
        at="ät",
        dot="Punkt",
        slash="Schrägstrich",
        dash="Bindestrich",
        underscore="Unterstrich",
        colon="Doppelpunkt",
        hashtag="Hashtag",
        and_="und",
        equals="gleich",
    )
    letters: ClassVar[Mapping[str, str]] = {}
    months = {name.lower(): number for number, name in enumerate(_MONTHS, 1)} | {
        short: number for number, shorts in enumerate(_SHORT_MONTHS.split("|"), 1) for short in shorts.split()
    }
    abbreviations = _abbreviations()
    initialisms = frozenset(
        words_of("""
            EU USA UK UN KI IT AG ADAC ARD ICE CDU CSU EKG USB URL UKW IQ EZB IHK BIP DAX CEO API AOK OSZE
            EDV GPU CPU UV DNA RNA ISBN BAFOEG TV
        """)
    ) - {"DAX", "BAFOEG", "BIP"}
    units: ClassVar[Mapping[str, str]] = {
        "Std.": "duration-hour",
        "Std": "duration-hour",
        "Min.": "duration-minute",
        "Sek.": "duration-second",
        "TL": "volume-teaspoon",
        "EL": "volume-tablespoon",
    }
    magnitudes: ClassVar[Mapping[str, Noun]] = {
        spelling: noun
        for noun, spellings in (
            (_noun("Tausend"), "Tsd. Tsd"),
            (_noun("Million", "Millionen"), "Mio. Mio Million Millionen"),
            (_noun("Milliarde", "Milliarden"), "Mrd. Mrd Milliarde Milliarden"),
            (_noun("Billion", "Billionen"), "Bio. Billion Billionen"),
        )
        for spelling in spellings.split()
    }
    currencies: ClassVar[Mapping[str, Currency]] = {
        "EUR": Currency(_noun("Euro"), _noun("Cent")),
        "USD": Currency(_noun("Dollar"), _noun("Cent")),
        "GBP": Currency(_noun("Pfund"), _noun("Penny", "Pence")),
        "CHF": Currency(_noun("Franken"), _noun("Rappen")),
        "RUB": Currency(_noun("Rubel"), _noun("Kopeke", "Kopeken")),
        "JPY": Currency(_noun("Yen")),
        "CNY": Currency(_noun("Yuan")),
        "BTC": Currency(_noun("Bitcoin")),
    }
    currency_words: ClassVar[Mapping[str, str]] = {"Euro": "EUR", "Franken": "CHF", "Dollar": "USD"}
    symbols: ClassVar[Mapping[str, str]] = {
        "&": "und",
        "%": "Prozent",
        "°": "Grad",
        "→": "zu",
        "±": "plus minus",
        "×": "mal",
        "÷": "geteilt durch",
        "=": "gleich",
        "+": "plus",
        "≈": "ungefähr",
        "©": "Copyright",
        "®": "eingetragene Marke",
        "™": "Trademark",
        "@": "ät",
        "√": "Wurzel aus",
        "∞": "unendlich",
    }
    comparisons: ClassVar[Mapping[str, str]] = {
        "<": "weniger als",
        ">": "mehr als",
        "≤": "höchstens",
        "≥": "mindestens",
        "~": "etwa",
        "≈": "etwa",
    }
    multiple = "mal"
    ratio_word = "zu"
    money_join = "und"
    www = "W W W"

    # ---------------------------------------------------------------- numbers

    def number(self, number: Number, place: Place) -> str:
        if number.is_long:
            return self.digits(number.whole)
        if not number.fraction:
            after = word_at(place.text, place.end)
            alone = place.before in _BEFORE_NAMES or not after[:1].isupper()
            return self.cardinal(number.value) if number.value != 1 or alone else _one(after)
        written = place.text[place.first : place.end]
        mark = "Punkt" if "." in written and "," not in written else "Komma"
        return f"{self.cardinal(number.value)} {mark} {self.digits(number.fraction)}"

    def counted(self, number: Number, noun: Noun, place: Place, magnitude: Noun | None = None) -> str:
        first = magnitude or noun
        form = first.form("other" if number.fraction else self.category(number))
        amount = _one(form) if _is_one(number) else self.number(number, place)
        if number.fraction and form == "Meter" and len(number.fraction) == 2 and 1 <= number.value < 10:
            rest = self.cardinal(int(number.fraction)) if number.fraction != "00" else ""
            return f"{self.prefix(number.value)} Meter {rest}".rstrip()  # "ein Meter achtzig"
        return f"{amount} {form} {noun.form('other') if magnitude else ''}".rstrip()

    def ordinal(self, value: int, suffix: str, place: Place) -> str:
        before = _before_ordinals(place)
        after = word_at(place.text, place.end)
        if suffix and not _may_count_off(before, after):
            return ""
        return _ordinal(value, _ending(before, _ENDINGS[_GENDERS.get(after.lower(), "m")]))

    def fraction(self, top: int, bottom: int, whole: int | None = None, noun: str = "") -> str:
        if bottom < 2 or top >= bottom or bottom > 100:
            return ""
        if (top, bottom) == (1, 2):
            return "ein halb" if whole is None else f"{self.prefix(whole)}einhalb"
        parts = (
            f"{self.prefix(top) if top == 1 else self.cardinal(top)} {_ordinal(bottom, 'el').capitalize()}"
        )
        return parts if whole is None else f"{self.cardinal(whole)} {parts}"

    def year(self, value: int, place: Place) -> str:
        return str(num2words(value, lang="de", to="year"))

    def is_year(self, place: Place) -> bool:
        likely = 1600 <= int(place.text[place.first : place.end]) <= 2100
        counts = word_at(place.text, place.end)[:1].isupper()
        return place.before in _YEAR_BEFORE or (likely and not counts)

    def range(self, first: Number, last: Number, place: Place) -> str:
        if all(len(number.whole) == 4 and not number.fraction for number in (first, last)):
            return f"{self.year(first.value, place)} bis {self.year(last.value, place)}"
        return f"{self.number(first, place)} bis {self.number(last, place)}"

    def counted_range(
        self, first: Number, last: Number, noun: Noun, place: Place, magnitude: Noun | None
    ) -> str:
        return f"{self.number(first, place)} bis {self.counted(last, noun, place, magnitude)}"

    def decimal(self, whole: str, fraction: str) -> str:
        return f"{self.cardinal(int(whole))} Komma {self.digits(fraction)}"

    def roman(self, value: int, place: Place, *, sure: bool) -> str:
        before = _written_before(place)[-1:] or [""]
        with_stop = place.text[place.end - 1 : place.end] == "."
        if before[0] in _REGNAL and value < 40:
            ends = with_stop and not word_at(place.text, place.end)[:1].islower()
            article = "die" if before[0] in _FEMALE else "der"
            return "" if ends else f"{article} {_ordinal(value, 'e').capitalize()}"
        if with_stop:
            return self.ordinal(value, ".", place) if value > 1 else ""
        if before[0] in _NUMBERED or (sure and before[0][:1].isupper()):
            return self.cardinal(value)
        return ""

    def element(self, symbol: str) -> str:
        return self.spelled(symbol)

    def prefix(self, value: int) -> str:
        return "ein" if value == 1 else self.cardinal(value)

    def decade(self, value: int) -> str:
        return f"{self.year(value, Place('', 0, 0))}er"

    # ---------------------------------------------------------------- dates and times

    def date(self, day: int, month: int, year: int | None, place: Place, *, month_first: bool) -> str:
        before = _before_ordinals(place)
        spoken = f"{_ordinal(day, _ending(before, 'er'))} {_MONTHS[month - 1]}"
        return spoken if year is None else f"{spoken} {self.year(year, place)}"

    def days(self, first: int, date: str, place: Place) -> str:
        before = _before_ordinals(place)
        ending = _ending(before, "er")
        last, _, rest = date.partition(" ")
        return f"{_ordinal(first, ending)} bis {last.removesuffix('er')}{ending} {rest}"

    def month_name(self, month: int, written: str) -> str:
        return _MONTHS[month - 1]

    def times_between(self, first: str, last: str) -> str:
        return f"{first} bis {last}"

    def time(self, hour: int, minute: int, second: int | None, place: Place) -> str:
        spoken = f"{self.prefix(hour)} Uhr"
        if minute or second is not None:
            spoken += f" {self.cardinal(minute)}"
        if second is None:
            return spoken
        return f"{spoken} und {self.counted(Number(str(second)), _noun('Sekunde', 'Sekunden'), place)}"

    def is_post_code(self, place: Place) -> bool:
        return place.text[max(0, place.first - 2) : place.first] in (", ", "D-", "A-")

    def per(self, noun: Noun, unit: str) -> str:
        return f"pro {noun.one}"


def _ending(before: list[str], alone: str) -> str:
    """The ending of an ordinal after these words; ``alone``: after no article."""
    last = before[-1] if before else ""
    if last == "der" and before[0] in _DATIVE_BEFORE_DER and len(before) == 2:  # "in der 3. Klasse"
        return "en"
    return "en" if last in _TAKING_EN else "e" if last in _TAKING_E else alone


def _may_count_off(before: list[str], after: str) -> bool:
    """Whether digits with a stop are an ordinal, and not the end of a sentence or of a list's number."""
    if not before:
        return after.lower() in _GENDERS
    return after[:1].islower() or after.lower() in _GENDERS or before[-1] in _TAKING_ENDINGS
