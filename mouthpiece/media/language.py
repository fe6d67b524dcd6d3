"""Names of languages as MP4 wants them."""

from __future__ import annotations

# ISO 639-1 to ISO 639-2/T, for the languages that voices of the suite speak.
_PAIRS = (
    "af:afr am:amh an:arg ar:ara as:asm az:aze ba:bak be:bel bg:bul bn:ben bs:bos ca:cat cs:ces cv:chv "
    "cy:cym da:dan de:deu el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas fi:fin fo:fao fr:fra ga:gle "
    "gd:gla gn:grn gu:guj he:heb hi:hin hr:hrv ht:hat hu:hun hy:hye ia:ina id:ind io:ido is:isl it:ita "
    "ja:jpn ka:kat kk:kaz kl:kal kn:kan ko:kor ku:kur ky:kir la:lat lb:ltz lt:lit lv:lav mi:mri mk:mkd "
    "ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya nb:nob ne:nep nl:nld nn:nno no:nor om:orm or:ori pa:pan "
    "pl:pol ps:pus pt:por qu:que ro:ron ru:rus sd:snd si:sin sk:slk sl:slv sq:sqi sr:srp sv:swe sw:swa "
    "ta:tam te:tel th:tha ti:tir tk:tuk tl:tgl tn:tsn tr:tur tt:tat ug:uig uk:ukr ur:urd uz:uzb vi:vie "
    "yi:yid zh:zho zu:zul"
)
_THREE_LETTERS = {pair[:2]: pair[3:] for pair in _PAIRS.split()}


def iso_639_2(tag: str) -> str:
    """The three-letter code of a BCP 47 tag's language; "und" when it is empty or unknown."""
    language = tag.replace("_", "-").partition("-")[0].lower()
    if len(language) == 3 and language.isascii() and language.isalpha():
        return language
    return _THREE_LETTERS.get(language, "und")
