"""A worker offers the engines whose checkpoints it has, and says what the others lack."""

from __future__ import annotations

from pathlib import Path

import grpc.aio
import pytest

from mouthpiece.errors import Reason, Unmet
from mouthpiece.rpc.status import from_rpc_error
from mouthpiece.settings import LipSyncSettings
from tests.support.lipsync_worker import chunk_request, service


async def test_an_engine_without_its_checkpoint_is_not_offered_and_says_why(tmp_path: Path) -> None:
    settings = LipSyncSettings(port=0, engines="timed,wav2lip", weights=tmp_path)
    async with service(tmp_path, settings) as running:
        worker = await running.worker()
        assert [engine.name for engine in worker.engines] == ["timed"]
        assert any("wav2lip" in ailment for ailment in worker.ailments)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in running.stub.RenderChunk(chunk_request("wav2lip", 0, 2)):
                pass
    error = from_rpc_error(caught.value)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert isinstance(error, Unmet)
    assert error.reason is Reason.WEIGHTS_MISSING
    assert "MOUTHPIECE_LIPSYNC_WAV2LIP_GAN" in error.message


async def test_a_worker_with_no_checkpoint_at_all_does_not_come_up(tmp_path: Path) -> None:
    with pytest.raises(Unmet, match="no Wav2Lip checkpoint"):
        async with service(tmp_path, LipSyncSettings(port=0, engines="wav2lip", weights=tmp_path)):
            pytest.fail("it came up")
