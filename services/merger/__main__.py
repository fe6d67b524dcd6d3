"""Runs the merger: `python -m services.merger`."""

from __future__ import annotations

import grpc.aio

from mouthpiece.rpc.server import Program, run
from mouthpiece.settings import CommonSettings, MergerSettings
from mouthpiece.v1.merger_pb2_grpc import add_MergerServiceServicer_to_server
from services.merger.servicer import MergerServicer


def program(common: CommonSettings, settings: MergerSettings) -> Program:
    """The merger as a program."""
    servicer = MergerServicer(common, settings)

    def register(server: grpc.aio.Server) -> None:
        add_MergerServiceServicer_to_server(servicer, server)

    return Program("mouthpiece.v1.MergerService", servicer, register)


def main() -> None:
    """Read the settings and serve."""
    common, settings = CommonSettings.read(), MergerSettings.read()
    run(program(common, settings), common, settings)


if __name__ == "__main__":
    main()
