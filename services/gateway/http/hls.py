"""The playlist of a job (RFC 8216): grows while the job runs, and ends with it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from mouthpiece.media.quality import LONGEST_GOP_SECONDS, SEGMENT_SECONDS
from mouthpiece.v1.common_pb2 import Segment

_LONGEST_SECONDS = float(SEGMENT_SECONDS + LONGEST_GOP_SECONDS)

MEDIA_TYPE = "application/vnd.apple.mpegurl"


def playlist(segments: Sequence[Segment], fps: Fraction, *, ended: bool) -> str:
    """What a player reads: all segments there are, and whether more come."""
    durations = [float((s.frames.end - s.frames.first) / fps) for s in segments]
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        # Stays the same while the playlist grows, unless chunks came with keyframes far apart.
        f"#EXT-X-TARGETDURATION:{ceil(max([_LONGEST_SECONDS, *durations]))}",
        "#EXT-X-PLAYLIST-TYPE:EVENT",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES",  # without it, players begin where the video grows
    ]
    init = ""
    for segment, duration in zip(segments, durations, strict=True):
        if segment.init.sha256 != init:
            # Another one only after a restart under another release: the times go on, the tracks may differ.
            lines += ["#EXT-X-DISCONTINUITY"] if init else []
            init = segment.init.sha256
            lines.append(f'#EXT-X-MAP:URI="init-{segment.index}.mp4"')
        lines += [f"#EXTINF:{duration:.6f},", f"{segment.index}.m4s"]
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return "\n".join([*lines, ""])
