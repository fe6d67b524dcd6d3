"""A finished movie that stays in fragments: those that were streamed, with a table by which players seek.

In front stands an index without samples, so that a player needs nothing from farther back, and the table of
the fragments (`sidx`). Captions, known only at the end, are put into the fragments during which they begin.
There is no `mfra`, a second such table, for its positions count from the beginning of the file and would be
wrong after signing. Box layouts are those of ISO/IEC 14496-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from math import ceil
from typing import BinaryIO

from mouthpiece.core.timeline import Span, sample_at
from mouthpiece.media.boxes import Box, box_of, boxes
from mouthpiece.media.captions import Cue
from mouthpiece.media.tags import tag_box

_VIDEO_TRACK, _CAPTION_TRACK = 1, 3
_MOST_REFERENCES = 0xFFFF
_VERSION_1 = b"\1\0\0\0"
_STARTS_WITH_KEYFRAME = 0x9000_0000
_POSITIONS_FROM_MOOF = 0x02_0000
_OFFSET_DURATIONS_SIZES = 0x000301
_NO_TEXT = bytes(2)


@dataclass(frozen=True, slots=True)
class CaptionTrack:
    """An empty track of timed text, as two boxes: `trak`, and `trex` with the defaults of its fragments."""

    track: bytes
    defaults: bytes


def caption_track(empty: bytes) -> CaptionTrack:
    """The captions' track of a movie that has no other, and no samples."""
    movie = BytesIO(empty)
    parts = dict(_parts(movie, _find(movie, b"moov")))
    number = struct.pack(">I", _CAPTION_TRACK)
    extension = parts[b"mvex"]
    track, defaults = parts[b"trak"], extension[extension.index(b"trex") - 4 :]
    # Behind the heads of `trak` and `tkhd`, version and two dates; behind that of `trex` and its version.
    return CaptionTrack(track[:28] + number + track[32:], defaults[:12] + number + defaults[16:])


def write_fragmented(
    target: BinaryIO,
    init: bytes,
    spans: Sequence[Span],
    fragments: Iterable[bytes],
    fps: Fraction,
    tick: Fraction,
    tags: Mapping[str, str],
    captions: tuple[CaptionTrack, Sequence[Cue]] | None = None,
) -> None:
    """Write a movie of ``fragments``, which show ``spans``, with tags and captions.

    ``init`` goes in front of the fragments. ``tick`` is the unit of the video track's times, in seconds.
    ``target`` is empty, and can be written anywhere. Raises `ValueError` when a frame is not whole ticks.
    """
    ticks = 1 / (fps * tick)
    if ticks.denominator != 1 or tick.numerator != 1:
        raise ValueError(f"a frame at {fps} frames/s is not a whole number of times {tick} s")
    scale = (tick.denominator, ticks.numerator)
    target.write(_head(init, tags, sample_at(spans[-1].end, fps), captions[0] if captions else None))
    place = target.tell()
    target.write(_table([(span, 0) for span in spans], *scale))
    texts = _Texts(captions[1], fps) if captions else None
    sizes: list[tuple[Span, int]] = []
    for span, fragment in zip(spans, fragments, strict=True):
        data = fragment if texts is None else texts.added(fragment, span.end)
        sizes.append((span, len(data)))
        target.write(data)
    target.seek(place)
    target.write(_table(sizes, *scale))


def _head(init: bytes, tags: Mapping[str, str], samples: int, captions: CaptionTrack | None) -> bytes:
    """`ftyp` and `moov`, which tells how long the movie is and carries the tags."""
    movie = BytesIO(init)
    index = _find(movie, b"moov")
    length = box_of(b"mehd", _VERSION_1, struct.pack(">Q", samples))
    found: list[bytes] = []
    for kind, data in _parts(movie, index):
        if kind == b"mvex":
            added = [captions.track] if captions else []
            defaults = captions.defaults if captions else b""
            found += [*added, box_of(b"mvex", length, data[8:], defaults)]
        elif kind == b"mvhd" and captions:
            found.append(data[:-4] + struct.pack(">I", _CAPTION_TRACK + 1))  # the number of the next track
        elif kind != b"udta":
            found.append(data)
    return init[: index.first] + box_of(b"moov", *found, tag_box(tags))


def _table(sizes: Sequence[tuple[Span, int]], rate: int, ticks: int) -> bytes:
    """`sidx`: what the fragments that follow show, and their sizes; of some together if they are too many.

    Of `rate` ticks in a second, a frame lasts so many.
    """
    together = ceil(len(sizes) / _MOST_REFERENCES)
    groups = [sizes[first : first + together] for first in range(0, len(sizes), together)]
    references = [
        struct.pack(
            ">III",
            sum(size for _, size in group),
            (group[-1][0].end - group[0][0].first) * ticks,
            _STARTS_WITH_KEYFRAME,
        )
        for group in groups
    ]
    head = struct.pack(">IIQQHH", _VIDEO_TRACK, rate, 0, 0, 0, len(references))
    return box_of(b"sidx", _VERSION_1, head, *references)


class _Texts:
    """Puts captions into fragments, one after the other. Between two of them an empty text is shown."""

    def __init__(self, cues: Sequence[Cue], fps: Fraction) -> None:
        self._cues = iter(cues)
        self._next = next(self._cues, None)
        self._fps = fps
        self._told = 0

    def added(self, fragment: bytes, end: int) -> bytes:
        """A fragment with the captions that begin before frame ``end`` and were in none before."""
        first = self._told
        samples = list(self._until(sample_at(end, self._fps)))
        if not samples:
            return fragment
        return _with_track(fragment, first, samples)

    def _until(self, end: int) -> Iterator[tuple[int, bytes]]:
        while self._next is not None and self._next.samples.first < end:
            cue = self._next
            if cue.samples.first > self._told:
                yield cue.samples.first - self._told, _NO_TEXT
            yield len(cue.samples), timed_text(cue.text)
            self._told = cue.samples.end
            self._next = next(self._cues, None)


def timed_text(text: str) -> bytes:
    """A sample of 3GPP timed text (TS 26.245): the text with its length in front."""
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _with_track(fragment: bytes, time: int, samples: Sequence[tuple[int, bytes]]) -> bytes:
    """A fragment with captions: from a time on, each with its length in samples of speech."""
    source = BytesIO(fragment)
    moof, mdat = boxes(source)
    grown = len(_caption_run(time, samples, 0))
    own = _caption_run(time, samples, mdat.end + grown)  # behind what is there
    moved = [_moved(data, grown) if kind == b"traf" else data for kind, data in _parts(source, moof)]
    return box_of(b"moof", *moved, own) + box_of(
        b"mdat", fragment[mdat.content : mdat.end], *(text for _, text in samples)
    )


def _caption_run(time: int, samples: Sequence[tuple[int, bytes]], offset: int) -> bytes:
    head = box_of(b"tfhd", struct.pack(">II", _POSITIONS_FROM_MOOF, _CAPTION_TRACK))
    begin = box_of(b"tfdt", _VERSION_1, struct.pack(">Q", time))
    entries = (struct.pack(">II", length, len(text)) for length, text in samples)
    run = box_of(b"trun", struct.pack(">IIi", _OFFSET_DURATIONS_SIZES, len(samples), offset), *entries)
    return box_of(b"traf", head, begin, run)


def _moved(traf: bytes, by: int) -> bytes:
    """A track of a fragment whose data stands so many bytes farther from its beginning."""
    source = BytesIO(traf)
    return box_of(
        b"traf",
        *(
            # version and flags, number of samples, then where their data begins
            data[:16] + struct.pack(">i", struct.unpack_from(">i", data, 16)[0] + by) + data[20:]
            if kind == b"trun"
            else data
            for kind, data in _parts(source, next(boxes(source)))
        ),
    )


def _find(data: BinaryIO, kind: bytes) -> Box:
    return next(box for box in boxes(data) if box.kind == kind)


def _parts(data: BytesIO, box: Box) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of the boxes in a box."""
    for part in boxes(data, box.content, box.end):
        yield part.kind, bytes(data.getbuffer()[part.first : part.end])
