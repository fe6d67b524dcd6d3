"""Certificates for tests, of an authority that lives as long as they do."""

from __future__ import annotations

from pathlib import Path

import trustme

from mouthpiece.rpc.security import TlsFiles


def issue(folder: Path, authority: trustme.CA, *names: str) -> TlsFiles:
    """A certificate for some names, as files in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate = authority.issue_cert(*names)
    files = TlsFiles(folder / "certificate.pem", folder / "key.pem", folder / "authority.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return files
