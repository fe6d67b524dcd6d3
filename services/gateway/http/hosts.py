"""The names that an open gateway answers to.

A foreign site can make its own name lead to this machine (DNS rebinding), and its pages are then of the same
origin for a browser. What gives them away is the name, which the browser says as Host.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from mouthpiece.errors import BadInput

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Hosts:
    """Names that callers may use; addresses and those of the loopback interface always are."""

    names: frozenset[str]

    @classmethod
    def of(cls, setting: str, bound: str) -> Hosts:
        """Those of a setting, separated by commas, and the one that the server is bound to."""
        names = (name.strip().lower() for name in [*setting.split(","), bound])
        return cls(frozenset(name for name in names if name))

    def check(self, host: str) -> None:
        """Take a request's Host, with or without a port. Raises `BadInput` when it is none of these."""
        if _ANY in self.names:
            return
        name = _name(host)
        if not (name in self.names or _is_local(name) or _is_address(name)):
            told = f"{host!r} is no name of this gateway; MOUTHPIECE_GATEWAY_ALLOWED_HOSTS may add it"
            raise BadInput("Host", told)


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:  # brackets that hold no address
        return ""


def _is_local(name: str) -> bool:
    """Whether a name is of the loopback interface wherever it is looked up (RFC 6761, section 6.3)."""
    return name == "localhost" or name.endswith(".localhost")


def _is_address(name: str) -> bool:
    """Whether it is no name at all: nobody else can make an address lead here."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
