"""Runs the gateway: `python -m services.gateway`."""

from __future__ import annotations

import grpc.aio

from mouthpiece.rpc.server import Program, run
from mouthpiece.settings import CommonSettings, GatewaySettings
from mouthpiece.v1.gateway_pb2_grpc import add_VideoServiceServicer_to_server
from services.gateway.servicer import VideoServicer


def program(common: CommonSettings, settings: GatewaySettings) -> Program:
    """The gateway as a program."""
    servicer = VideoServicer(common, settings)

    def register(server: grpc.aio.Server) -> None:
        add_VideoServiceServicer_to_server(servicer, server)

    return Program("mouthpiece.v1.VideoService", servicer, register)


def main() -> None:
    """Read the settings and serve."""
    common, settings = CommonSettings.read(), GatewaySettings.read()
    run(program(common, settings), common, settings.port, settings.metrics_port)


if __name__ == "__main__":
    main()
