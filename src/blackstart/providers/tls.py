# SPDX-License-Identifier: Apache-2.0
"""Certificates: one issued for the new site by our own authority, and a look at what is served."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blackstart.model.errors import Unready
from blackstart.ports.action import Context, Done, Failed, Finding, NotDone, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import seconds_left
from blackstart.providers.traces import (
    Trace,
    done_of,
    read_trace,
    returns_failures,
    write_trace,
)
from blackstart.world.files import write_durably
from blackstart.world.http import read_certificate
from blackstart.world.sites import USERS

AuthorityKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CERTIFICATE, PRIVATE_KEY = "web.pem", "web.key"
_BACKDATED = timedelta(minutes=5)  # clocks of clients differ
_TRACE = "web.issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Issue a server certificate (P-256) with a new private key, signed by our authority.

    Writes `web.pem` (certificate, then the authority's) and `web.key` (mode 0600) into the folder
    `into`, owned by `owner`, one of the users of a site.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "certificate": "path of the certificate",
        "not_after": "the moment (ISO 8601) until which it is valid",
        "serial": "its serial number, in hexadecimal",
    }
    ca_certificate: str
    ca_key: SecretRef
    names: tuple[str, ...]
    into: str
    addresses: tuple[str, ...] = ()
    owner: str = "svc"
    days: int = 90

    def preview(self, context: Context) -> str:
        """Say what would be issued."""
        return (
            f"a certificate for {', '.join(self.names)}, good for {self.days} days, would be issued"
        )

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Make the key, sign the certificate, write the key, then the certificate."""
        folder = Path(self.into)
        if not folder.is_dir():
            return Failed(
                summary=f"there is no folder {folder}", hint="create the environment first"
            )
        authority = x509.load_pem_x509_certificate(Path(self.ca_certificate).read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        names = (*self.names, *self.addresses)
        signer = _signer(context.reveal(self.ca_key))
        certificate = sign_certificate(authority, signer, key, names, context.now(), self.days)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        chain = b"".join(
            one.public_bytes(serialization.Encoding.PEM) for one in (certificate, authority)
        )
        _write_owned(folder / PRIVATE_KEY, secret, self.owner, 0o600)
        _write_owned(folder / CERTIFICATE, chain, self.owner, 0o644)
        not_after = certificate.not_valid_after_utc.isoformat()
        done = Done(
            summary=f"certificate for {', '.join(self.names)} issued, good until {not_after[:10]}",
            outputs={
                "certificate": str(folder / CERTIFICATE),
                "not_after": not_after,
                "serial": f"{certificate.serial_number:x}",
            },
            evidence=(context.keep(CERTIFICATE, chain),),
        )
        write_trace(folder / _TRACE, "tls.issue", context, done)
        return done

    def inspect(self, context: Context) -> Finding:
        """Look for a certificate that this attempt issued, whose serial number is the noted one."""
        trace = read_trace(Path(self.into) / _TRACE)
        if trace is None or trace.key != context.key:
            return NotDone(note="this attempt has issued no certificate")
        if not _is_in_place(Path(self.into), trace):
            return NotDone(note="the certificate in place is another one")
        return done_of(trace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Expect a certificate at an address that is good for a name and stays so for some days.

    Only the given authority is trusted; the name is checked as a browser does, TLS is 1.2 or newer.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "not_after": "the moment (ISO 8601) until which the certificate is valid",
    }
    address: str
    name: str
    ca_certificate: str
    port: int = 443
    min_days: int = 30

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Make one handshake and read the certificate."""
        served = x509.load_der_x509_certificate(
            read_certificate(
                self.address,
                self.port,
                name=self.name,
                ca=Path(self.ca_certificate),
                timeout_s=min(5.0, seconds_left(context)),
            )
        )
        until = served.not_valid_after_utc
        left = (until - context.now()).days
        evidence = (context.keep("served.der", served.public_bytes(serialization.Encoding.DER)),)
        if left < self.min_days:
            return Failed(
                summary=f"the certificate for {self.name} is good for {left} more days only",
                hint=f"issue a new one: {self.min_days} days are wanted",
                evidence=evidence,
            )
        return Done(
            summary=f"{self.address}:{self.port} is {self.name}, certificate good for {left} days",
            outputs={"not_after": until.isoformat()},
            evidence=evidence,
        )


def sign_certificate(
    authority: x509.Certificate,
    signer: AuthorityKey,
    key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    now: datetime,
    days: int,
) -> x509.Certificate:
    """Return a server certificate for the names and addresses; the first one is its subject."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - _BACKDATED)
        .not_valid_after(now.astimezone(UTC) + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general(one) for one in names]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_identifier(authority), critical=False)
    )
    return builder.sign(signer, hashes.SHA256())


def _authority_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Name the authority's key as the authority itself names it."""
    try:
        own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        own = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signer(pem: str) -> AuthorityKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Unready("the authority's key cannot sign certificates", "give an EC or RSA key")
    return key


def _is_in_place(folder: Path, trace: Trace) -> bool:
    try:
        found = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
    except (OSError, ValueError):
        return False
    return (
        f"{found.serial_number:x}" == trace.outputs.get("serial")
        and (folder / PRIVATE_KEY).exists()
    )


def _write_owned(path: Path, content: bytes, owner: str, mode: int) -> None:
    write_durably(path, content, mode=mode)
    os.chown(path, USERS[owner], USERS[owner])


PROVIDES: Mapping[str, type] = {"issue": Issue, "expect": Expect}
