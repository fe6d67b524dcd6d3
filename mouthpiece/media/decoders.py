"""The decoders that media of strangers may reach: of hundreds, those that people's files need.

Game formats and curiosities, which nobody looks after, stay out of reach.
"""

from __future__ import annotations

from mouthpiece.errors import BadInput

PICTURES = frozenset(
    (
        *("h264", "hevc", "av1", "libdav1d", "vp8", "vp9", "libvpx", "libvpx-vp9"),
        *("mpeg1video", "mpeg2video", "mpeg4", "msmpeg4", "msmpeg4v1", "msmpeg4v2", "h263", "flv"),
        *("wmv1", "wmv2", "wmv3", "vc1", "theora", "prores", "dnxhd", "dvvideo", "ffv1", "huffyuv"),
        *("ffvhuff", "utvideo", "qtrle", "rawvideo", "mjpeg", "png", "apng", "webp", "gif", "bmp", "tiff"),
    )
)
"""Names of FFmpeg's decoders of pictures and videos."""

_PCM = (
    *("pcm_s16le", "pcm_s16be", "pcm_s16le_planar", "pcm_s16be_planar", "pcm_s24le", "pcm_s24be"),
    *("pcm_s24le_planar", "pcm_s32le", "pcm_s32be", "pcm_s32le_planar", "pcm_s64le", "pcm_s64be"),
    *("pcm_s8", "pcm_s8_planar", "pcm_u8", "pcm_u16le", "pcm_u16be", "pcm_u24le", "pcm_u24be"),
    *("pcm_u32le", "pcm_u32be", "pcm_f16le", "pcm_f24le", "pcm_f32le", "pcm_f32be", "pcm_f64le"),
    *("pcm_f64be", "pcm_alaw", "pcm_mulaw", "pcm_bluray", "pcm_dvd", "pcm_lxf"),
)
SOUND = frozenset(
    (
        *_PCM,
        *(
            "aac",
            "aac_fixed",
            "aac_latm",
            "ac3",
            "ac3_fixed",
            "eac3",
            "alac",
            "amrnb",
            "amrwb",
            "ape",
            "flac",
        ),
        *("mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "opus", "libopus", "vorbis", "speex"),
        *("libopencore_amrnb", "libopencore_amrwb", "libvorbis", "libspeex", "tta", "wavpack", "cook", "dca"),
        *("wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice", "gsm", "gsm_ms", "nellymoser", "truehd"),
        *(
            "adpcm_ima_wav",
            "adpcm_ima_qt",
            "adpcm_ms",
            "adpcm_yamaha",
            "adpcm_swf",
            "adpcm_g722",
            "adpcm_g726",
        ),
    )
)
"""Names of FFmpeg's decoders of sound."""


def whitelist(decoders: frozenset[str]) -> str:
    """As FFmpeg's option ``codec_whitelist`` takes it; a demuxer tries no other decoder."""
    return ",".join(sorted(decoders))


def check_decoder(name: str, decoders: frozenset[str], field: str) -> None:
    """Raise `BadInput` (``field``) unless the decoder is one of ``decoders``."""
    if name not in decoders:
        raise BadInput(field, f"in a format that is not accepted ({name})")
