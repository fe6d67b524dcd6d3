"""An edited text with Wav2Lip: what did not change is taken from the cache, picture for picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from mouthpiece.client import VideoOptions
from mouthpiece.media.probe import decode_audio
from mouthpiece.settings import LipSyncSettings
from tests.support.edited_videos import EDITED, SENTENCES, Versions, cached, hashes, newly_spoken
from tests.support.faces import clip_file
from tests.support.heygem_cluster import cluster

FPS = Fraction(5)


async def test_an_edit_looks_as_if_all_of_it_had_been_rendered_anew(weights: Path, tmp_path: Path) -> None:
    options = VideoOptions(
        engine="wav2lip", quality="lossless", mode="chunked", chunk_seconds=4, fps=FPS, width=128, seed=1
    )
    face = clip_file(tmp_path / "face.mp4", 12, Fraction(25), size=128)
    worker = LipSyncSettings(port=0, engines="wav2lip", weights=weights)
    async with cluster(tmp_path / "data", [worker]) as client:
        versions = Versions(client, tmp_path, face, options)
        first = await versions.make("first", SENTENCES[:3])
        edited = await versions.make("edited", EDITED[:3], first.id)
        anew = await versions.make("anew", EDITED[:3], first.id, anew=True)
    assert newly_spoken(edited) == 1
    assert cached(anew) == 0
    assert cached(edited) >= 0.4 * edited.frames
    assert edited.frames > first.frames
    assert hashes(versions.path("edited")) == hashes(versions.path("anew"))
    sound = [decode_audio(versions.path(name))[0] for name in ("edited", "anew")]
    assert (sound[0] == sound[1]).all()
