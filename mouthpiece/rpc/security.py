"""TLS between services, and the token that a client shows.

A service with a certificate takes TLS only; with an authority too, it asks callers for a certificate of that
authority (mutual TLS). Files may be replaced while the service runs: new connections get the new ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
import grpc.aio

from mouthpiece.errors import BadInput


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: a certificate and its key, and the authority that vouches for the other side."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise BadInput("MOUTHPIECE_TLS_CERTIFICATE", "a certificate and its key are needed together")

    @classmethod
    def of_client(cls) -> Self:
        """What the environment of a client says: MOUTHPIECE_TLS_CERTIFICATE, _KEY and _AUTHORITY."""
        found = {name: os.environ.get(f"MOUTHPIECE_TLS_{name.upper()}") for name in cls.__slots__}
        return cls(**{name: Path(value) for name, value in found.items() if value})

    @property
    def used(self) -> bool:
        """Whether connections are to be TLS."""
        return self.certificate is not None or self.authority is not None


PLAIN = TlsFiles()
"""No TLS."""


def server_credentials(files: TlsFiles, *, ask_callers: bool) -> grpc.ServerCredentials:
    """Credentials of a server, read anew for each connection after the files have changed.

    With `ask_callers` and an authority, only callers with a certificate of that authority get in.
    Raises `BadInput` when a file cannot be read.
    """
    read = _reader(files, ask_callers=ask_callers)
    return grpc.dynamic_ssl_server_credentials(read(), read, require_client_authentication=ask_callers)


def _reader(files: TlsFiles, *, ask_callers: bool) -> Callable[[], grpc.ServerCertificateConfiguration]:
    known: dict[tuple[float, ...], grpc.ServerCertificateConfiguration] = {}

    def read() -> grpc.ServerCertificateConfiguration:
        if files.certificate is None:
            raise BadInput("MOUTHPIECE_TLS_CERTIFICATE", "is not set: an authority alone cannot serve")
        stamp = tuple(_modified(path) for path in (files.certificate, files.key, files.authority) if path)
        if stamp not in known:
            known.clear()
            pair = (_read(files.key) or b"", _read(files.certificate) or b"")
            authority = _read(files.authority) if ask_callers else None
            known[stamp] = grpc.ssl_server_certificate_configuration([pair], root_certificates=authority)
        return known[stamp]

    return read


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Credentials of a caller. Raises `BadInput` when a file cannot be read."""
    return grpc.ssl_channel_credentials(
        root_certificates=_read(files.authority),
        private_key=_read(files.key),
        certificate_chain=_read(files.certificate),
    )


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput("MOUTHPIECE_TLS_CERTIFICATE", f"cannot read {path}: {error}") from None


def token_interceptors(token: str) -> list[grpc.aio.ClientInterceptor]:
    """Interceptors that show a token with every call; none without one.

    Call credentials would do the same, but gRPC takes those on TLS only, and a token is also of use behind a
    proxy that ends TLS.
    """
    if not token:
        return []
    entry = ("authorization", f"Bearer {token}")
    return [kind(entry) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]


class _Showing:
    def __init__(self, entry: tuple[str, str]) -> None:
        self._entry = entry

    def _with(self, details: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), self._entry)
        return details._replace(metadata=metadata)


class _UnaryUnary(_Showing, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(self._with(client_call_details), request)


class _UnaryStream(_Showing, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(self._with(client_call_details), request)


class _StreamUnary(_Showing, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(self._with(client_call_details), request_iterator)


class _StreamStream(_Showing, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(self._with(client_call_details), request_iterator)
