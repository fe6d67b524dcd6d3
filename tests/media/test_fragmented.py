"""A finished movie in fragments: the packets of the regular one, to be played as far as they have arrived."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from mouthpiece.core.timeline import SPEECH_RATE, Span
from mouthpiece.media.boxes import boxes
from mouthpiece.media.captions import Cue
from mouthpiece.media.fragmented import write_fragmented
from mouthpiece.media.merge import MergeFormat, Merger
from mouthpiece.media.poster import make_poster
from mouthpiece.media.probe import index_comes_first, read_movie
from mouthpiece.media.quality import Quality
from tests.support.media_chunks import NTSC, PAL, encode, samples_for, spans, tone
from tests.support.media_packets import packets, tracks

CUTS = (0, 30, 75, 300, 320)
CUES = [
    Cue(Span(4800, SPEECH_RATE), "Guten\nMorgen."),
    Cue(Span(SPEECH_RATE, 100_000), "Now."),
    Cue(Span(350_000, 400_000), "Over two fragments."),
]
END = 12
"""Bytes of a table's entry: size, length, and whether it begins with a keyframe."""


def movie(folder: Path, fps: Fraction, cues: Sequence[Cue] | None = None, *, fragmented: bool) -> Path:
    """Chunks of `CUTS` and a tone, with captions if there are any to be."""
    output = folder / f"{fragmented}.mp4"
    pcm = tone(samples_for(CUTS[-1], fps)).tobytes()
    form = MergeFormat(fps, 64, 48)
    options = {"title": "Morning", "language": "de", "captions": cues is not None, "fragmented": fragmented}
    with Merger(output, form, **options) as merger:  # type: ignore[arg-type] # of several types
        for span in spans(CUTS):
            path = folder / f"{span.first}"
            merger.add_chunk(span, path if path.exists() else encode(path, span, fps, quality=Quality.MEDIUM))
        merger.add_speech(Span(0, len(pcm) // 2), pcm)
        for cue in cues or ():
            merger.add_caption(cue)
        merger.finish(CUTS[-1], len(pcm) // 2, '{"engine": "none"}')
    return output


def shown(movie: Path) -> list[tuple[str, Fraction, Fraction, bytes]]:
    """All packets but empty texts, by which muxers fill time without captions."""
    return [packet for packet in packets(movie.read_bytes()) if packet[3] != bytes(2)]


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A movie at 25 frames/s with captions, in fragments."""
    return movie(tmp_path_factory.mktemp("streamed"), PAL, CUES, fragmented=True)


@pytest.mark.parametrize("fps", [PAL, NTSC])
@pytest.mark.parametrize("cues", [None, CUES, []])
def test_it_has_the_packets_of_the_regular_movie_at_the_same_times(
    tmp_path: Path, fps: Fraction, cues: Sequence[Cue] | None
) -> None:
    regular, streamed = (movie(tmp_path, fps, cues, fragmented=form) for form in (False, True))
    assert shown(streamed) == shown(regular)
    assert tracks(streamed.read_bytes()) == tracks(regular.read_bytes())
    one, other = read_movie(regular), read_movie(streamed)
    assert one.video
    assert other.video
    assert (one.video.duration, one.video.configuration) == (other.video.duration, other.video.configuration)
    assert one.audio == other.audio
    for name in ("title", "comment", "provenance"):
        assert one.metadata[name] == other.metadata[name]


def test_its_beginning_plays_without_the_rest(streamed: Path) -> None:
    whole = streamed.read_bytes()
    with av.open(BytesIO(whole[: len(whole) * 3 // 10]), "r") as container:
        assert container.duration == 12_800_000
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) > 0.25 * CUTS[-1]
    whole_ones = len(times) - 3  # what the last few refer to may be missing
    assert times[:whole_ones] == [pytest.approx(index / 25) for index in range(whole_ones)]
    with av.open(BytesIO(whole[: len(whole) * 3 // 10]), "r") as container:
        texts = [bytes(packet)[2:] for packet in container.demux(subtitles=0) if packet.size > 2]
    assert texts == [cue.text.encode() for cue in CUES[:2]]


def test_players_find_any_moment(streamed: Path) -> None:
    with av.open(str(streamed)) as container:
        video = container.streams.video[0]
        for frame in (0, 29, 30, 74, 130, 299, 310, 319, 12):
            container.seek(512 * frame, stream=video)  # in units of 1/12800 s
            found = [shown.pts for shown in container.decode(video) if (shown.pts or 0) <= 512 * frame]
            assert found[-1] == 512 * frame
            assert len(found) <= 3 * 25


def test_a_table_in_front_tells_where_fragments_begin(streamed: Path) -> None:
    whole = streamed.read_bytes()
    found = list(boxes(BytesIO(whole)))
    kinds = [box.kind for box in found]
    assert kinds[:3] == [b"ftyp", b"moov", b"sidx"]
    assert kinds[3:] == [b"moof", b"mdat"] * 6
    assert index_comes_first(streamed)
    table = found[2]
    entries = [
        struct.unpack(">III", whole[at : at + END]) for at in range(table.end - 6 * END, table.end, END)
    ]
    begins = [box.first for box in found if box.kind == b"moof"]
    assert [size for size, _, _ in entries] == [
        after - first for first, after in pairwise([*begins, len(whole)])
    ]
    assert [length // 512 for _, length, _ in entries] == [30, 45, 100, 100, 25, 20]
    assert {flags for _, _, flags in entries} == {0x9000_0000}  # each begins with a keyframe, and is closed


def test_a_poster_is_made_of_it(streamed: Path) -> None:
    with av.open(BytesIO(make_poster(streamed, "remark")), "r") as container:
        assert [(frame.width, frame.height) for frame in container.decode(video=0)] == [(64, 48)]


def test_its_frames_decode_after_one_another(streamed: Path, tmp_path: Path) -> None:
    regular = movie(tmp_path, PAL, CUES, fragmented=False)
    with av.open(str(streamed)) as one, av.open(str(regular)) as other:
        for left, right in zip(one.decode(video=0), other.decode(video=0), strict=True):
            assert left.pts == right.pts
            assert np.array_equal(left.to_ndarray(), right.to_ndarray())


def test_more_fragments_than_a_table_can_have_are_named_together(
    streamed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mouthpiece.media.fragmented._MOST_REFERENCES", 4)
    whole = streamed.read_bytes()
    found = list(boxes(BytesIO(whole)))
    init = whole[: found[1].end]
    pieces = [whole[one.first : two.end] for one, two in zip(found[3::2], found[4::2], strict=True)]
    target = BytesIO()
    write_fragmented(
        target, init, spans((0, 30, 75, 175, 275, 300, 320)), pieces, PAL, Fraction(1, 12_800), {}
    )
    again = target.getvalue()
    assert packets(again) == packets(whole)
    table = next(box for box in boxes(target) if box.kind == b"sidx")
    sizes = [struct.unpack_from(">I", again, at)[0] for at in range(table.end - 3 * END, table.end, END)]
    assert sizes == [sum(map(len, pieces[first : first + 2])) for first in (0, 2, 4)]


def test_frames_between_the_ticks_of_a_clock_are_refused() -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        write_fragmented(BytesIO(), b"", [Span(0, 1)], [b""], NTSC, Fraction(1, 25), {})
