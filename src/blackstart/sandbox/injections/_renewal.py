# SPDX-License-Identifier: Apache-2.0
"""A renewal that goes wrong: it replaces the front's certificate once data are in the new site."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from blackstart.sandbox.layout import RECOVERY, Layout
from blackstart.sandbox.on_site import put_file
from blackstart.sandbox.pki import Pki
from blackstart.world.clock import SystemClock

Wanted: TypeAlias = tuple[Pki, str, int]  # authority, name, days until it ends
_LOOK_EVERY_S = 0.1


def renews(wanted: Callable[[Layout], Wanted]) -> Callable[[Layout, threading.Event], None]:
    """Return what replaces the certificate by the wanted one, after the site was secured."""

    def haunt(layout: Layout, stop: threading.Event) -> None:
        site = layout.sites / RECOVERY
        while not stop.wait(_LOOK_EVERY_S):
            if (site / "pg" / "PG_VERSION").exists():
                _replace(site / "front", *wanted(layout))
                return

    return haunt


def _replace(folder: Path, pki: Pki, name: str, days: int) -> None:
    certificate, key = issue(pki, name, days)
    chain = certificate + pki.ca.read_bytes()
    for file, content, mode in (("web.key", key, 0o600), ("web.pem", chain, 0o644)):
        draft = put_file(folder / f"{file}.next", content, "svc", mode)
        draft.replace(folder / file)


def issue(pki: Pki, name: str, days: int) -> tuple[bytes, bytes]:
    """Return certificate and key; with negative `days` it has ended so long ago."""
    authority = x509.load_pem_x509_certificate(pki.ca.read_bytes())
    signer = serialization.load_pem_private_key((pki.directory / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), SystemClock().now()
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(signer, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret
