"""A service of a suite that does nothing: it answers health checks where it is told to.

`FAKE_MOOD` in its environment may say `deaf` (does not heed SIGTERM) or `broken` (ends at once).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer


async def _main(port: int, *, deaf: bool) -> None:
    health = HealthServicer()
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, (lambda: None) if deaf else stop.set)
    print("serving", flush=True)
    await stop.wait()
    print("drained", flush=True)
    await server.stop(0)


if __name__ == "__main__":
    if os.environ.get("FAKE_MOOD") == "broken":
        sys.exit("the model is missing")
    asyncio.run(_main(int(os.environ["FAKE_PORT"]), deaf=os.environ.get("FAKE_MOOD") == "deaf"))
