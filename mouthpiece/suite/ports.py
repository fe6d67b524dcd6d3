"""Finding free TCP ports, and saying clearly when a wanted one is taken."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack

from mouthpiece.errors import BadInput

HOST = "127.0.0.1"


def is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections do not count
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(port: int, field: str) -> None:
    """Raise `BadInput` for `field` when the port is taken or not ours to take."""
    if not is_free(port):
        raise BadInput(field, f"port {port} of {HOST} is taken by another program")


def pick(wanted: Sequence[int]) -> list[int]:
    """Free ports, all different: each wanted one where it is free, else (or for 0) any."""
    found: list[int] = []
    for port in wanted:
        found.append(port if port and port not in found and is_free(port) else 0)
    spare = iter(_any_free(found.count(0), set(found)))
    return [port or next(spare) for port in found]


def _any_free(count: int, taken: set[int]) -> list[int]:
    found: list[int] = []
    with ExitStack() as probes:
        while len(found) < count:
            # Kept open until all are found, or the system might give the same port again.
            probe = probes.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
            if port not in taken:
                found.append(port)
    return found
