"""Abbreviations that end in a full stop, by language, and what may follow them within a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Abbreviations:
    """Lower-case words, written without their last full stop.

    After one of ``before_anything`` the sentence goes on even with a capital letter; after one of
    ``before_numbers`` only with a number. Those of ``UNITS`` end it all the same when they follow a number.
    ``ordinals``: "3." is how the language writes "third".
    """

    before_anything: frozenset[str]
    before_numbers: frozenset[str]
    ordinals: bool = False


_BEFORE_ANYTHING = {
    "en": """mr mrs ms messrs dr prof rev hon st sr jr gen col maj capt cmdr lt sgt cpl pres gov sen rep supt
        vs v e.g i.e cf viz approx dept est fig figs eq eqs mt ft ave blvd""",
    "de": """hr fr frl dr prof dipl ing mag st bzw ca evtl ggf inkl exkl sog vgl z.b d.h u.a u.u z.t s.o s.u
        i.d.r o.ä o.g m.e zzgl mind max min geb gest str abb abs""",
    "ru": """г-н г-жа г гг ул пр просп пер пл наб им проф акад доц тов гр рис табл см ср напр т.е т.к т.н св
        обл р-н пос дер ред изд авт млн млрд""",
    "uk": "вул просп пл ім проф акад доц див рис табл напр т.зв обл р-н",
    "fr": "m mm mme mmes mlle mlles me mgr dr pr st ste env av bd cf p.ex c.-à-d",
    "es": "sr sra srta dr dra prof d dña lic ing av avda gral sto sta p.ej aprox",
    "it": "sig sigg sig.ra dott dott.ssa prof ing avv arch on mons st p.es",
    "pt": "sr sra dr dra prof profa eng av exmo p.ex aprox",
    "nl": "dhr mevr mw dr prof ir drs ing bijv d.w.z o.a m.b.t i.p.v ca resp",
    "pl": "dr mgr inż prof ks św ul al np tzn tzw m.in wg ok",
    "cs": "p pí dr ing mgr prof sv ul tzv tj např atd mj",
    "sv": "bl.a t.ex d.v.s dvs ca hr fr dr prof",
    "da": "bl.a f.eks dvs ca hr fr dr prof",
    "nb": "bl.a f.eks dvs ca hr fr dr prof",
    "tr": "dr prof doç av bkz vb sn",
}

_BEFORE_NUMBERS = {
    "en": "no nos art ch sec vol p pp pt ca c jan feb mar apr jun jul aug sep sept oct nov dec",
    "de": "nr nrn art bd kap s seite tel jh",
    "ru": "стр с гл тел кв д корп п ч т ст тыс руб",
    "uk": "стор с гл тел кв буд п ч т ст",
    "fr": "n no nos art chap p pp vol tél",
    "es": "n núm art cap p pp vol tel",
    "it": "n nn art cap p pp vol tel",
    "pt": "n art cap p pp vol tel",
    "nl": "nr art blz tel",
    "pl": "nr art str tel",
    "cs": "č str tel",
}

UNITS = frozenset(("ft", "min", "max", "г", "гг", "млн", "млрд"))

_ORDINALS = frozenset(
    (
        "de",
        "lb",
        "da",
        "nb",
        "nn",
        "no",
        "is",
        "fi",
        "et",
        "lv",
        "hu",
        "cs",
        "sk",
        "sl",
        "hr",
        "bs",
        "sr",
        "pl",
        "tr",
    )
)


@cache
def abbreviations(language: str) -> Abbreviations:
    """The abbreviations of a language given by its first subtag, such as "de"; none for one not listed."""
    return Abbreviations(
        frozenset(_BEFORE_ANYTHING.get(language, "").split()),
        frozenset(_BEFORE_NUMBERS.get(language, "").split()),
        language in _ORDINALS,
    )
