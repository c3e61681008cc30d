# SPDX-License-Identifier: Apache-2.0
"""Certificates between programs: one that shows who a site is, and the name that one holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blackstart.model.errors import Unready

_BACKDATED = timedelta(minutes=5)  # the clocks of the two sides differ


def first_name_of(der: bytes) -> str:
    """Return the first DNS name of a certificate (else its common name), empty when it has none."""
    certificate = x509.load_der_x509_certificate(der)
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return names[0] if names else str(common[0].value) if common else ""


def issue_client_certificate(
    authority_pem: bytes, authority_key_pem: str, name: str, now: datetime, *, days: int
) -> tuple[bytes, bytes]:
    """Return certificate and private key (PEM, P-256), good for proving this one DNS name.

    Raises Unready when the authority's certificate or key cannot be used.
    """
    authority, signer = _load(authority_pem, authority_key_pem)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - _BACKDATED)
        .not_valid_after(now.astimezone(UTC) + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(encoding), secret


def _load(
    authority_pem: bytes, authority_key_pem: str
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]:
    """Return the authority's certificate and the key that belongs to it. Raises Unready."""
    try:
        authority = x509.load_pem_x509_certificate(authority_pem)
        signer = serialization.load_pem_private_key(authority_key_pem.encode(), password=None)
    except (ValueError, TypeError) as wrong:
        raise Unready(
            f"the authority cannot be used: {wrong}", "give its certificate and key as PEM"
        ) from wrong
    if not isinstance(signer, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Unready("the authority's key cannot sign certificates", "give an EC or an RSA key")
    if signer.public_key() != authority.public_key():
        raise Unready(
            "the authority's key does not belong to its certificate", "give both of the same one"
        )
    return authority, signer
