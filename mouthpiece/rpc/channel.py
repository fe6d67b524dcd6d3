"""Channels between services, and from clients."""

from __future__ import annotations

import grpc.aio
from grpc_health.v1 import health_pb2

from mouthpiece.rpc.security import PLAIN, TlsFiles, channel_credentials, token_interceptors

MAX_MESSAGE = 64 << 20
"""Bytes of the largest message: ten minutes of speech around a chunk."""

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    # All three are needed for a frozen peer to be noticed after about 13 s instead of 70 s.
    ("grpc.keepalive_time_ms", 8_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Behind a headless service: calls go to all of its pods in turn.
    ("grpc.lb_policy_name", "round_robin"),
)

SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 8_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    # Callers look names up anew when a connection ends, and so find new pods. Calls under way are not cut.
    ("grpc.max_connection_age_ms", 300_000),
    # By default two servers on one port do not fail, and each gets half of the calls.
    ("grpc.so_reuseport", 0),
)


def dial(address: str, tls: TlsFiles = PLAIN, *, token: str = "", name: str = "") -> grpc.aio.Channel:
    """Open a channel; connecting happens at the first call. The caller closes it.

    A token is shown with every call; `name` is what the certificate must be for, if not the address.
    Raises `BadInput` when a TLS file cannot be read.
    """
    interceptors = token_interceptors(token)
    if not tls.used:
        return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=interceptors)
    expected = (("grpc.ssl_target_name_override", name),) if name else ()
    return grpc.aio.secure_channel(
        address, channel_credentials(tls), options=(*_OPTIONS, *expected), interceptors=interceptors
    )


async def is_serving(channel: grpc.aio.Channel, timeout: float) -> bool:
    """Whether a service is ready: not while it loads or drains. Raises `AioRpcError` on no answer."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer = await check(health_pb2.HealthCheckRequest(), timeout=timeout)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
