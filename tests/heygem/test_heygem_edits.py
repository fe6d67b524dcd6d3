"""An edited text with HeyGem: chunks that did not change are not sent to the container again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from mouthpiece.client import VideoOptions
from mouthpiece.settings import LipSyncSettings
from tests.support.edited_videos import EDITED, SENTENCES, Versions, cached, hashes, newly_spoken
from tests.support.faces import clip_file
from tests.support.heygem_cluster import cluster
from tests.support.heygem_video import container

FPS = Fraction(10)


async def test_an_edit_sends_the_container_whole_chunks_and_only_those_that_changed(tmp_path: Path) -> None:
    options = VideoOptions(
        engine="heygem", quality="lossless", mode="chunked", chunk_seconds=1, fps=FPS, width=128, seed=1
    )
    face = clip_file(tmp_path / "face.mp4", 20, Fraction(25), size=128)
    with container(tmp_path / "shared") as fake:
        worker = LipSyncSettings(
            engines="heygem", heygem_url=fake.url, heygem_folder=fake.folder, heygem_poll_seconds=0.02
        )
        async with cluster(tmp_path / "data", [worker]) as client:
            versions = Versions(client, tmp_path, face, options)
            first = await versions.make("first", SENTENCES)
            sent = [len(fake.submissions)]
            edited = await versions.make("edited", EDITED, first.id)
            sent.append(len(fake.submissions))
            anew = await versions.make("anew", EDITED, first.id, anew=True)
            sent.append(len(fake.submissions))
    reused = [chunk for chunk in edited.chunks if chunk.cached]
    assert newly_spoken(edited) == 1
    assert cached(anew) == 0
    assert cached(edited) == sum(chunk.frames.end - chunk.frames.first for chunk in reused)
    assert cached(edited) >= 0.5 * edited.frames
    assert (sent[1] - sent[0]) + len(reused) == sent[2] - sent[1]
    assert hashes(versions.path("edited")) == hashes(versions.path("anew"))
