"""Runs a lip-sync worker: `python -m services.lipsync`."""

from __future__ import annotations

import grpc.aio

from mouthpiece.rpc.server import Program, run
from mouthpiece.settings import CommonSettings, LipSyncSettings
from mouthpiece.v1.lipsync_pb2_grpc import add_LipSyncServiceServicer_to_server
from services.lipsync.servicer import LipSyncServicer


def program(common: CommonSettings, settings: LipSyncSettings) -> Program:
    """The worker as a program."""
    servicer = LipSyncServicer(common, settings)

    def register(server: grpc.aio.Server) -> None:
        add_LipSyncServiceServicer_to_server(servicer, server)

    return Program("mouthpiece.v1.LipSyncService", servicer, register, always=frozenset({"GetWorker"}))


def main() -> None:
    """Read the settings and serve."""
    common, settings = CommonSettings.read(), LipSyncSettings.read()
    run(program(common, settings), common, settings)


if __name__ == "__main__":
    main()
