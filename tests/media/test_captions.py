from __future__ import annotations

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
import webvtt
from av.subtitles.subtitle import AssSubtitle
from hypothesis import given
from hypothesis import strategies as st

from mouthpiece.core.speech import BYTES_PER_SAMPLE, Sentence, Word
from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.errors import BadInput
from mouthpiece.media.captions import LINE_COLUMNS, SHORTEST, Cue, cues, to_srt, to_vtt, width
from mouthpiece.media.merge import MergeFormat, Merger
from tests.support.media_chunks import PAL, encode

MS = SPEECH_RATE // 1000
STORY = (
    "The harbour wakes before the sun is up over the water, and small boats leave in the dark. "
    "On the quay a woman sells coffee and warm bread; she has stood there for almost thirty years. "
    '"Yes," she said. No! It cost $5 and 3.5 km/h, which nobody believes, because it makes no sense. '
)


def spoken(texts: list[str], word_ms: int = 320, pause_ms: int = 350) -> list[Sentence]:
    """Sentences whose words, as white space divides them, all last equally long."""
    found: list[Sentence] = []
    at = place = 0
    for index, text in enumerate(texts):
        first = at
        words: list[Word] = []
        for word in text.split():
            source = text.index(word, words[-1].source.end - place if words else 0) + place
            bare = word.strip('".,;!?')
            source += word.index(bare)
            words.append(Word(bare, Span(at, at + word_ms * MS), Span(source, source + len(bare))))
            at += word_ms * MS
        at += pause_ms * MS
        pcm = bytes(BYTES_PER_SAMPLE * (at - first))
        whole = Span(place, place + len(text))
        found.append(Sentence(index, text, whole, Span(first, at), pcm, tuple(words)))
        place += len(text) + 1
    return found


def three_minutes() -> list[Sentence]:
    sentences = [f"{part.strip()}." for part in STORY.replace("!", ".").split(". ")[:-1]] * 20
    return spoken(sentences)


def test_captions_of_three_minutes_are_valid_webvtt_and_never_overlap() -> None:
    sentences = three_minutes()
    assert sentences[-1].samples.end > 180 * SPEECH_RATE
    read = webvtt.from_buffer(io.StringIO(to_vtt(cues(sentences, "en")))).captions
    assert len(read) > 60
    assert all(before.end <= after.start for before, after in pairwise(read))
    shown = " ".join(caption.text.replace("\n", " ") for caption in read)
    assert shown == " ".join(sentence.text for sentence in sentences)


def test_subrip_says_the_same_with_its_own_marks() -> None:
    captions = cues(three_minutes(), "en")
    blocks = to_srt(captions).split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [str(n + 1) for n in range(len(captions))]
    assert [block.rstrip("\n").split("\n", 2)[2] for block in blocks] == [cue.text for cue in captions]
    assert blocks[0].splitlines()[1].startswith("00:00:00,000 --> 00:00:0")


def test_every_cue_begins_with_its_first_word_and_lasts_a_second() -> None:
    sentences = three_minutes()
    starts = {word.samples.first for sentence in sentences for word in sentence.words}
    captions = cues(sentences, "en")
    assert all(cue.samples.first in starts for cue in captions)
    assert all(len(cue.samples) >= SHORTEST for cue in captions)


def test_cues_break_where_the_sentence_breathes() -> None:
    text = (
        "The harbour wakes before the sun is up over the water, and small boats leave in the dark of night."
    )
    assert [cue.text for cue in cues(spoken([text]), "en")] == [
        "The harbour wakes before\nthe sun is up over the water,",
        "and small boats leave\nin the dark of night.",
    ]


def test_a_short_answer_shares_a_cue_rather_than_flashing_by() -> None:
    captions = cues(spoken(["No!", "It cost five pounds and a smile."], pause_ms=100), "en")
    assert [cue.text for cue in captions] == ["No! It cost five pounds and a smile."]


def test_marks_stay_with_the_word_that_they_stand_at() -> None:
    captions = cues(spoken(['He said "never again" and left.'], word_ms=800), "en")
    assert " ".join(cue.text for cue in captions) == 'He said "never again" and left.'


def test_wide_characters_take_two_columns() -> None:
    text = "港口在太阳升起之前就醒来了，小船在黑暗中离开，随着潮水回来。码头上有一位妇女在卖咖啡和热面包。"
    words = [
        Word(char, Span(n * 200 * MS, (n + 1) * 200 * MS), Span(n, n + 1))
        for n, char in enumerate(text)
        if char.isalpha()
    ]
    end = len(text) * 200 * MS
    sentence = Sentence(0, text, Span(0, len(text)), Span(0, end), bytes(2 * end), tuple(words))
    captions = cues([sentence], "zh")
    assert all(width(line) <= LINE_COLUMNS for cue in captions for line in cue.text.split("\n"))
    assert "".join(cue.text.replace("\n", "") for cue in captions) == text
    assert captions[0].text == "港口在太阳升起之前就醒来了，\n小船在黑暗中离开，随着潮水回来。"


def test_speech_whose_words_are_unknown_has_no_captions() -> None:
    assert cues([Sentence(0, "", Span(0, 0), Span(0, 4800), bytes(9600))]) == []


def test_marks_of_webvtt_in_the_text_are_shown_not_obeyed() -> None:
    text = to_vtt([Cue(Span(0, SPEECH_RATE), "a --> <b> & c")])
    assert "a --&gt; &lt;b&gt; &amp; c" in text


@given(
    st.lists(
        st.lists(st.text("abcдё字。", min_size=1, max_size=60), min_size=1, max_size=12).map(" ".join),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([60, 200, 900]),
)
def test_cues_keep_to_their_lines_lose_no_word_and_never_overlap(texts: list[str], word_ms: int) -> None:
    texts = [text for text in texts if all(word.strip('".,;!?') for word in text.split())]
    sentences = spoken(texts, word_ms)
    captions = cues(sentences, "en")
    lines = [line for cue in captions for line in cue.text.split("\n")]
    assert all(line and width(line) <= LINE_COLUMNS for line in lines)
    assert all(cue.text.count("\n") <= 1 for cue in captions)
    assert "".join(lines).replace(" ", "") == "".join(texts).replace(" ", "")
    assert all(before.samples.end <= after.samples.first for before, after in pairwise(captions))
    assert all(cue.samples.end <= sentences[-1].samples.end for cue in captions)


def movie_with(folder: Path, captions: list[Cue]) -> Path:
    chunk = encode(folder / "chunk.mp4", range(100))
    output = folder / "movie.mp4"
    with Merger(output, MergeFormat(PAL, 64, 48), language="ru", captions=True) as merger:
        merger.add_chunk(Span(0, 100), chunk)
        merger.add_speech(Span(0, 4 * SPEECH_RATE), bytes(8 * SPEECH_RATE))
        for cue in captions:
            merger.add_caption(cue)
        merger.finish(100, 4 * SPEECH_RATE)
    return output


def test_the_track_of_a_movie_decodes_to_the_captions_at_their_times(tmp_path: Path) -> None:
    captions = [
        Cue(Span(4800, SPEECH_RATE), "Доброе утро,\nстрана."),
        Cue(Span(2 * SPEECH_RATE, 3 * SPEECH_RATE), "a < b"),
    ]
    with av.open(str(movie_with(tmp_path, captions))) as container:
        track = container.streams.subtitles[0]
        assert track.codec_context.name == "mov_text"
        assert track.metadata["language"] == "rus"
        found = [
            (
                Fraction(packet.pts or 0) * packet.time_base,
                Fraction(packet.duration or 0) * packet.time_base,
                part,
            )
            for packet in container.demux(track)
            for part in (packet.decode() if packet.size > 2 else ())
        ]
    assert [(start, length) for start, length, _ in found] == [
        (Fraction(1, 10), Fraction(9, 10)),
        (Fraction(2), Fraction(1)),
    ]
    assert [part.dialogue.decode() for _, _, part in found if isinstance(part, AssSubtitle)] == [
        cue.text for cue in captions
    ]


def test_a_movie_whose_words_are_unknown_still_plays(tmp_path: Path) -> None:
    with av.open(str(movie_with(tmp_path, []))) as container:
        assert sum(1 for _ in container.decode(video=0)) == 100


def test_captions_that_overlap_are_refused(tmp_path: Path) -> None:
    cue = Cue(Span(0, SPEECH_RATE), "Twice.")
    with pytest.raises(BadInput, match=r"caption\.samples"):
        movie_with(tmp_path, [cue, cue])
