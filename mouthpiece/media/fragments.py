"""A movie in pieces: the packets of a stretch as one fragment that players append to those before it.

Every fragment is muxed on its own, by FFmpeg's muxer, so that it is complete as soon as its packets are there
and depends on nothing else: the same packets give the same bytes. Layout: ISO/IEC 14496-12, movie fragments.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import av
from av.packet import Packet

from mouthpiece.core.timeline import SPEECH_RATE
from mouthpiece.media.boxes import boxes
from mouthpiece.media.quality import HEVC_TAG

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container.output import OutputContainer
    from av.video.stream import VideoStream

_FIRST = (
    "frag_custom"  # one fragment: whatever was written until the end
    "+delay_moov"  # the index knows the delays of both encoders: they become edit lists
    "+default_base_moof"  # positions within a fragment are relative to it
    "+skip_trailer"  # no table of fragments behind the last
)
_LATER = _FIRST + "+frag_discont"  # times go on from those of the packets instead of beginning anew


class FragmentWriter:
    """Cuts the packets of two tracks into fragments; `video` and `sound` are the streams they went to."""

    def __init__(self, video: VideoStream, sound: AudioStream) -> None:
        self._video = video
        self._sound = sound
        self._pictures: list[Packet[VideoStream]] = []
        self._sounds: list[Packet[AudioStream]] = []
        self._sound_delay: int | None = None
        self._count = 0
        self.init = b""
        """`ftyp` and `moov`, which go in front of the fragments; there after the first cut."""

    def add_picture(self, packet: Packet[VideoStream]) -> None:
        """Take a packet that was muxed already."""
        self._pictures.append(packet)

    def add_sound(self, packets: list[Packet[AudioStream]]) -> None:
        """Take packets that were muxed already."""
        if self._sound_delay is None and packets:
            self._sound_delay = -(packets[0].pts or 0)
        self._sounds += packets

    def cut(self) -> bytes:
        """`moof` and `mdat` with the packets since the last cut, of which at least one is a picture."""
        whole = BytesIO()
        self._write(whole)
        self._count += 1
        self._pictures.clear()
        self._sounds.clear()
        parts = [(box.kind, whole.getbuffer()[box.first : box.end]) for box in boxes(whole)]
        if not self.init:
            self.init = b"".join(data for kind, data in parts if kind in {b"ftyp", b"moov"})
        return b"".join(data for kind, data in parts if kind in {b"moof", b"mdat"})

    def _write(self, target: BytesIO) -> None:
        options = {
            "movflags": _LATER if self._count else _FIRST,
            "fragment_index": str(1 + self._count),
            # Edit lists are counted in this unit.
            "movie_timescale": str(SPEECH_RATE),
        }
        with av.open(target, "w", format="mp4", options=options) as container:
            video = copied_stream(container, self._video)
            sound = container.add_stream_from_template(self._sound)
            sound.metadata.update(self._sound.metadata)
            # The index, written with the first fragment, hides the encoder's delay by an edit list. A later
            # fragment is muxed as if there were none, so its times have to count from the hidden beginning.
            delay = self._sound_delay if self._count and self._sound_delay else 0
            for picture in self._pictures:
                picture.stream = video
            for packet in self._sounds:
                packet.pts, packet.dts = (packet.pts or 0) + delay, (packet.dts or 0) + delay
                packet.stream = sound
            both: list[Packet[VideoStream] | Packet[AudioStream]] = [*self._pictures, *self._sounds]
            for one in sorted(both, key=_decoding_time):
                container.mux_one(one)


def copied_stream(container: OutputContainer, template: VideoStream) -> VideoStream:
    """A stream for packets of another, whatever decodes that, under the same tag."""
    stream = container.add_stream_from_template(template, opaque=True)
    if template.codec_context.codec_tag == HEVC_TAG:  # the muxer would take another
        stream.codec_context.codec_tag = HEVC_TAG
    return stream


def _decoding_time(packet: Packet[VideoStream] | Packet[AudioStream]) -> float:
    return float((packet.dts or 0) * (packet.time_base or 1))
