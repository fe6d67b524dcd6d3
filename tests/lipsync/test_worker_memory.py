"""What a worker keeps of what it rendered: nothing that grows."""

from __future__ import annotations

from pathlib import Path

from mouthpiece.settings import LipSyncSettings
from tests.support.lipsync_worker import Service, chunk_request, service, with_portrait

WIDE = 256
FRAME_BYTES = WIDE * WIDE * 3 // 2
CHUNK = 40
WARM, MORE = 3, 9
"""Chunks until everything that is kept is there, and chunks after that."""


def resident_bytes() -> int:
    """Memory of this process, from the Linux kernel."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


async def render(worker: Service, first: int, chunks: int) -> None:
    for number in range(first, first + chunks):
        request = chunk_request("viseme", CHUNK * number, CHUNK * (number + 1))
        request.format.width = request.format.height = WIDE
        request.enhancement.automatic = True
        async for _ in worker.stub.RenderChunk(request):
            pass


async def test_memory_does_not_grow_with_the_frames_that_were_rendered(
    tmp_path: Path, portrait_file: Path
) -> None:
    with_portrait(tmp_path, portrait_file)
    async with service(tmp_path, LipSyncSettings(engines="viseme")) as worker:
        await render(worker, 0, WARM)
        before = resident_bytes()
        await render(worker, WARM, MORE)
        grown = resident_bytes() - before
    assert grown < MORE * CHUNK * FRAME_BYTES / 3
