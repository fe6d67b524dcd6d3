"""Certificates to sign movies with, of an authority that tests make for themselves."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


OPENSSL = shutil.which("openssl")

_TSA = """
[tsa]
default_tsa = own
[own]
serial = serial
signer_cert = chain.pem
signer_key = key.pem
certs = chain.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


@contextmanager
def time_stamping(folder: Path, issuer: Pair) -> Generator[str]:
    """The URL of somebody who says what time it is (RFC 3161), by the program openssl."""
    written(folder, signer(issuer, "Test clock", purpose=ExtendedKeyUsageOID.TIME_STAMPING), issuer)
    (folder / "tsa.conf").write_text(_TSA)
    (folder / "serial").write_text("01")

    class Clock(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            (folder / "query").write_bytes(query)
            command = [str(OPENSSL), "ts", "-reply", "-config", "tsa.conf", "-queryfile", "query"]
            reply = subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60).stdout
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
            pass

    with HTTPServer(("127.0.0.1", 0), Clock) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def authority(name: str = "Test authority") -> Pair:
    """Somebody who vouches for signers."""
    return _made(name, None, _usage(certifies=True), ())


def signer(
    issuer: Pair,
    name: str = "Test studio",
    days: float = 30.0,
    *,
    signs: bool = True,
    purpose: ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
) -> Pair:
    """Somebody who signs, for so many days from now on; without `signs`, without being allowed to."""
    return _made(name, issuer, _usage(signs=signs), (purpose,), days)


def written(folder: Path, own: Pair, issuer: Pair) -> tuple[Path, Path]:
    """The files of a signer: the chain and the key."""
    folder.mkdir(exist_ok=True)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(own.pem + issuer.pem)
    key.write_bytes(own.key_pem)
    return chain, key


def _made(
    name: str,
    issuer: Pair | None,
    usage: x509.KeyUsage,
    purposes: tuple[ObjectIdentifier, ...],
    days: float = 30.0,
) -> Pair:
    key = generate_private_key(SECP256R1())
    named = [(NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, "Tests")]
    subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in named])
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    by = issuer.certificate if issuer else None
    issuer_id = by.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value if by else own_id
    vouched = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(by.subject if by else subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(own_id, critical=False)
        .add_extension(vouched, critical=False)
    )
    if purposes:
        only_time = purposes == (
            ExtendedKeyUsageOID.TIME_STAMPING,
        )  # nothing else, and critical, by RFC 3161
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=only_time)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _usage(*, signs: bool = False, certifies: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=not (signs or certifies),
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )
