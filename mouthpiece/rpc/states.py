"""States of jobs and of attempts as users, logs and figures name them."""

from __future__ import annotations

from mouthpiece.v1 import gateway_pb2


def state_name(state: gateway_pb2.JobState.ValueType) -> str:
    """A job's state, such as `rendering`."""
    return gateway_pb2.JobState.Name(state).removeprefix("JOB_STATE_").lower()


def chunk_state_name(state: gateway_pb2.ChunkState.ValueType) -> str:
    """An attempt's state, such as `running`."""
    return gateway_pb2.ChunkState.Name(state).removeprefix("CHUNK_STATE_").lower()
