"""Where the workers are: named one by one, or behind a name in DNS whose addresses come and go."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from mouthpiece.errors import BadInput

log = logging.getLogger(__name__)

VARIABLE = "MOUTHPIECE_GATEWAY_WORKERS"
_DNS = "dns:"

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""From host and port to addresses that can be dialled. Raises `OSError`, or `UnicodeError` for no host."""


async def resolve(host: str, port: int) -> list[str]:
    """Every IPv4 and IPv6 address of a host."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [_dialled(family, str(where[0]), port) for family, _, _, _, where in found]


def _dialled(family: socket.AddressFamily, host: str, port: int) -> str:
    return f"[{host}]:{port}" if family is socket.AddressFamily.AF_INET6 else f"{host}:{port}"


@dataclass
class Directory:
    """Addresses that are fixed, and names (host and port) to be looked up time and again."""

    fixed: tuple[str, ...]
    names: tuple[tuple[str, int], ...] = ()
    resolve: Resolve = resolve
    _known: dict[tuple[str, int], list[str]] = field(default_factory=dict[tuple[str, int], list[str]])

    async def addresses(self) -> list[str]:
        """All addresses now, each once. A name that cannot be looked up keeps those that it had."""
        for name in self.names:
            try:
                self._known[name] = await self.resolve(*name)
            except (OSError, UnicodeError) as error:
                log.warning("%s:%d cannot be looked up: %s", *name, error)
        found = [address for name in self.names for address in sorted(self._known.get(name, []))]
        return list(dict.fromkeys((*self.fixed, *found)))

    def name_of(self, address: str) -> str:
        """The name that an address was found behind, which its certificate is for; "" for a fixed one."""
        return next((host for (host, _), found in self._known.items() if address in found), "")


def read_directory(setting: str, resolve: Resolve = resolve) -> Directory:
    """Read what MOUTHPIECE_GATEWAY_WORKERS says. Raises `BadInput`."""
    entries = [entry.strip() for entry in setting.split(",") if entry.strip()]
    if not entries:
        raise BadInput(VARIABLE, "names no worker")
    names = [_name(entry.removeprefix(_DNS)) for entry in entries if entry.startswith(_DNS)]
    fixed = [entry for entry in entries if not entry.startswith(_DNS)]
    return Directory(tuple(dict.fromkeys(fixed)), tuple(dict.fromkeys(names)), resolve)


def _name(entry: str) -> tuple[str, int]:
    host, _, port = entry.rpartition(":")
    if not host or not port.isdecimal() or len(port) > 5 or not 1 <= int(port) <= 65535:
        raise BadInput(VARIABLE, f"{_DNS}{entry} is not dns:HOST:PORT")
    return host, int(port)
