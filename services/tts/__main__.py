"""Runs the speech service: `python -m services.tts`."""

from __future__ import annotations

import grpc.aio

from mouthpiece.rpc.server import Program, run
from mouthpiece.settings import CommonSettings, TtsSettings
from mouthpiece.v1.tts_pb2_grpc import add_SpeechServiceServicer_to_server
from services.tts.servicer import SpeechServicer


def program(common: CommonSettings, settings: TtsSettings) -> Program:
    """The speech service as a program."""
    servicer = SpeechServicer(common, settings)

    def register(server: grpc.aio.Server) -> None:
        add_SpeechServiceServicer_to_server(servicer, server)

    return Program("mouthpiece.v1.SpeechService", servicer, register)


def main() -> None:
    """Read the settings and serve."""
    common, settings = CommonSettings.read(), TtsSettings.read()
    run(program(common, settings), common, settings)


if __name__ == "__main__":
    main()
