"""Runs the gateway: `python -m services.gateway`."""

from __future__ import annotations

from collections.abc import Mapping

import grpc.aio

from mouthpiece.rpc.server import Program, run
from mouthpiece.settings import CommonSettings, GatewaySettings
from mouthpiece.v1.gateway_pb2_grpc import add_VideoServiceServicer_to_server
from services.gateway.access import Guard
from services.gateway.servicer import VideoServicer


def program(common: CommonSettings, settings: GatewaySettings) -> Program:
    """The gateway as a program."""
    guard = Guard(settings.access)
    servicer = VideoServicer(common, settings, guard)

    def register(server: grpc.aio.Server) -> None:
        add_VideoServiceServicer_to_server(servicer, server)

    def admit(method: str, headers: Mapping[str, str]) -> None:
        guard.admit(method.rpartition("/")[2], headers)

    return Program(
        "mouthpiece.v1.VideoService",
        servicer,
        register,
        admit=admit,
        identifies=guard.asks,
        asks_callers=False,
    )


def main() -> None:
    """Read the settings and serve."""
    common, settings = CommonSettings.read(), GatewaySettings.read()
    run(program(common, settings), common, settings)


if __name__ == "__main__":
    main()
