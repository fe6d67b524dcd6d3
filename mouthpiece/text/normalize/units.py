"""Units of measurement by the spellings that all languages share, as CLDR identifiers."""

from __future__ import annotations

import re
from functools import cache

from mouthpiece.text.normalize.language import Language, Noun

_SHARED = {
    "length": """
        km=kilometer m=meter dm=decimeter cm=centimeter mm=millimeter µm=micrometer μm=micrometer
        nm=nanometer mi=mile yd=yard ft=foot
        """,
    "area": """
        km²=square-kilometer km2=square-kilometer km^2=square-kilometer m²=square-meter m2=square-meter
        m^2=square-meter sq_ft=square-foot sq_mi=square-mile sq_km=square-kilometer sq_m=square-meter
        cm²=square-centimeter cm2=square-centimeter ha=hectare ft²=square-foot
        sqft=square-foot
        """,
    "volume": """
        m³=cubic-meter m3=cubic-meter m^3=cubic-meter cm³=cubic-centimeter cm3=cubic-centimeter l=liter
        L=liter ml=milliliter mL=milliliter dl=deciliter cl=centiliter gal=gallon tsp=teaspoon
        tbsp=tablespoon fl_oz=fluid-ounce
        """,
    "mass": """
        kg=kilogram g=gram mg=milligram µg=microgram μg=microgram t=tonne lb=pound lbs=pound oz=ounce
        """,
    "duration": """
        h=hour hr=hour hrs=hour min=minute mins=minute s=second sec=second secs=second ms=millisecond
        µs=microsecond μs=microsecond ns=nanosecond
        """,
    "speed": """
        km/h=kilometer-per-hour kmh=kilometer-per-hour kph=kilometer-per-hour m/s=meter-per-second
        mph=mile-per-hour kn=knot
        """,
    "acceleration": """
        m/s²=meter-per-square-second m/s2=meter-per-square-second m/s^2=meter-per-square-second
        """,
    "consumption": "mpg=mile-per-gallon",
    "temperature": "°C=celsius ℃=celsius °F=fahrenheit ℉=fahrenheit",
    "digital": """
        bit=bit B=byte kB=kilobyte KB=kilobyte MB=megabyte GB=gigabyte TB=terabyte PB=petabyte
        kb=kilobit Kb=kilobit Mb=megabit Mbit=megabit Gb=gigabit Gbit=gigabit
        """,
    "frequency": "Hz=hertz kHz=kilohertz MHz=megahertz GHz=gigahertz",
    "power": "W=watt mW=milliwatt kW=kilowatt MW=megawatt GW=gigawatt hp=horsepower",
    "energy": "kWh=kilowatt-hour J=joule kJ=kilojoule cal=calorie kcal=kilocalorie eV=electronvolt",
    "electric": "V=volt mA=milliampere Ω=ohm Ω=ohm",
    "pressure": """
        Pa=pascal hPa=hectopascal kPa=kilopascal MPa=megapascal bar=bar mbar=millibar atm=atmosphere
        psi=pound-force-per-square-inch
        """,
    "force": "N=newton",
    "angle": "°=degree rad=radian",
    "graphics": "px=pixel MP=megapixel dpi=dot-per-inch ppi=pixel-per-inch",
    "light": "lm=lumen lx=lux",
}


@cache
def _table(language: Language) -> dict[str, str]:
    shared = {
        spelling.replace("_", " "): f"{group}-{name}"
        for group, entries in _SHARED.items()
        for spelling, _, name in (entry.partition("=") for entry in entries.split())
    }
    return shared | dict(language.units)


@cache
def _pattern(language: Language) -> re.Pattern[str]:
    spellings = sorted(_table(language), key=len, reverse=True)
    unit = "|".join(map(re.escape, spellings))
    return re.compile(rf"[ \u00a0\u202f]?(?P<unit>{unit})(?:/(?P<per>{unit}))?(?![\w²³^])(?![/.]\w)")


_INSTRUMENTAL = re.compile(r"[ \u00a0][а-яё]{2,}(?:ой|ей|ом|ем|ами|ями|ью)(?!\w)")
"""What follows "with" in Russian, which is written like the second."""

_PERIODS = {
    "en": """
        yr=year year=year mo=month month=month wk=week week=week day=day night=night hour=hour person=person
        """,
    "de": "Jahr=Jahr Monat=Monat Woche=Woche Tag=Tag Nacht=Nacht Stunde=Stunde Person=Person Std.=Stunde",
    "ru": "год=год мес.=месяц месяц=месяц нед.=неделю неделю=неделю сутки=сутки день=день час=час",
}
"""What money is spent in or on, besides units."""


def match_per(language: Language, text: str, at: int) -> tuple[str, int] | None:
    """ "per year" for "/yr" at a position, and where it ends."""
    found = re.compile(r"/(?P<per>[^\W\d_]+[.²³]?)(?![\w/])").match(text, at)
    if not found:
        return None
    periods = dict(entry.split("=") for entry in _PERIODS.get(language.tag, "").split())
    for written in dict.fromkeys((found["per"], found["per"].rstrip("."))):
        end = found.start("per") + len(written)
        if word := periods.get(written):
            return language.per(Noun({"other": word}), "duration"), end
        if identifier := _table(language).get(written):
            return language.per(language.unit(identifier), identifier), end
    return None


def match_unit(language: Language, text: str, at: int) -> tuple[Noun, int] | None:
    """The unit that begins at ``at``, after a space or not, with "per" another, and where it ends."""
    found = _pattern(language).match(text, at)
    if not found or (found["unit"] == "с" and _INSTRUMENTAL.match(text, found.end())):
        return None
    table = _table(language)
    noun = language.unit(table[found["unit"]])
    if not found["per"]:
        return (noun, found.end()) if found.group() != "B" else None  # "221B"
    identifier = table[found["per"]]
    per = language.per(language.unit(identifier), identifier)
    return Noun({category: f"{form} {per}" for category, form in noun.forms.items()}), found.end()
