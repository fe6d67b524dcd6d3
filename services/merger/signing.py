"""Who signs finished movies: the operator's certificate and key, read anew when their files change."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from mouthpiece.errors import BadInput
from mouthpiece.media.credentials import INSTALL, Identity, Record, SigningFailed, check_signing, sign_movie
from services.merger import metrics

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from cryptography.x509 import Certificate

log = logging.getLogger(__name__)

CERTIFICATE = "MOUTHPIECE_MERGER_SIGNING_CERTIFICATE"
KEY = "MOUTHPIECE_MERGER_SIGNING_KEY"

_NEEDS = (
    "it needs an issuer, whose key it identifies, and an extended key usage such as emailProtection or "
    "documentSigning"
)
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


class Signatory:
    """Signs movies, one at a time: each may take half a gigabyte of memory. Methods block."""

    def __init__(self, certificate: Path, key: Path, timestamps: str = "") -> None:
        """Read the files. Raises `BadInput` that names the setting when nothing can be signed with them."""
        self._files = certificate, key
        self._timestamps = timestamps
        self._turn = Lock()
        self._stamp = self._modified()
        self._identity = self._read()

    def sign(self, source: Path, target: Path, title: str, record: Record) -> str:
        """Write a signed copy of a movie. Returns the signer's name; raises `SigningFailed`."""
        with self._turn:
            identity = self._current()
            sign_movie(source, target, title, record, identity)
            return identity.name

    def _current(self) -> Identity:
        """Who signs by the files as they are now; while they are wrong, the last who was right."""
        stamp = self._modified()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._identity = self._read()
                log.info("movies are signed by %s from now on", self._identity.name)
            except BadInput as error:
                log.warning("movies are still signed by %s: %s", self._identity.name, error.message)
        return self._identity

    def _modified(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in self._files)

    def _read(self) -> Identity:
        certificate, key = self._files
        identity, ends = identity_of(_content(certificate, CERTIFICATE), _content(key, KEY), self._timestamps)
        metrics.certificate_ends(ends.timestamp())
        return identity


def identity_of(chain: bytes, key: bytes, timestamps: str = "") -> tuple[Identity, datetime]:
    """Who signs with a chain and a key, both PEM, and when the certificate ends.

    Raises `BadInput` that names the setting when they are not what they should be, do not belong together, or
    do not suffice for signing now.
    """
    try:
        from cryptography.hazmat.primitives import serialization as coding
    except ImportError:
        raise BadInput(CERTIFICATE, f"is set, and signing {INSTALL}") from None
    own, private = _certificate(chain), _private(key)
    if _spelled(private.public_key()) != _spelled(own.public_key()):
        raise BadInput(KEY, "is not the key of the first certificate")
    _check_validity(own)
    _check_usage(own)
    form, open_text = coding.PrivateFormat.PKCS8, coding.NoEncryption()
    pem = private.private_bytes(coding.Encoding.PEM, form, open_text)
    identity = Identity(_name(own), _algorithm(private), chain, pem, timestamps)
    try:
        check_signing(identity)
    except SigningFailed as error:
        raise BadInput(CERTIFICATE, f"cannot sign movies: {error.message}; {_NEEDS}") from None
    return identity, own.not_valid_after_utc


def _certificate(chain: bytes) -> Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise BadInput(CERTIFICATE, f"holds no PEM certificate: {error}") from None


def _private(key: bytes) -> PrivateKeyTypes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(key, None)
    except (TypeError, ValueError) as error:
        raise BadInput(KEY, f"holds no PEM key without a password: {error}") from None


def _spelled(key: PublicKeyTypes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check_validity(own: Certificate) -> None:
    now = datetime.now(UTC)
    if own.not_valid_after_utc < now:
        raise BadInput(CERTIFICATE, f"expired on {own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    if own.not_valid_before_utc > now:
        raise BadInput(CERTIFICATE, f"is not valid before {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")


def _check_usage(own: Certificate) -> None:
    from cryptography import x509

    try:
        signs = own.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound:
        signs = False
    if not signs:
        raise BadInput(CERTIFICATE, "is not for signing: it lacks the key usage digitalSignature")


def _name(own: Certificate) -> str:
    from cryptography.x509.oid import NameOID

    names = own.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else own.subject.rfc4514_string()


def _algorithm(private: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    match private:
        case ec.EllipticCurvePrivateKey() if private.curve.name in _CURVES:
            return _CURVES[private.curve.name]
        case rsa.RSAPrivateKey():
            return "ps256"
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case _:
            raise BadInput(
                KEY, "is of a kind that C2PA does not know: take P-256, P-384, P-521, RSA or Ed25519"
            )


def _content(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(setting, f"cannot read {path}: {error.strerror or error}") from None
