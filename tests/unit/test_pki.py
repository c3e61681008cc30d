# SPDX-License-Identifier: Apache-2.0
"""The sandbox's authority issues what its own clients accept, and nobody else's do."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from blackstart.sandbox.pki import Pki, make_pki


def _shake_hands(trusted: Pki, issuer: Pki, folder: Path, name: str) -> None:
    """Do a TLS handshake in memory between a server with a certificate and a client."""
    issued = issuer.issue("app.flowfuse.test", "10.70.0.10")
    (folder / "chain.pem").write_bytes(issued.certificate + issued.key)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(folder / "chain.pem")
    client_side = ssl.create_default_context(cafile=str(trusted.ca))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("name", ["app.flowfuse.test", "10.70.0.10"])
def test_its_certificates_are_accepted_under_each_of_their_names(tmp_path: Path, name: str) -> None:
    pki = make_pki(tmp_path / "pki")

    _shake_hands(pki, pki, tmp_path, name)

    assert stat.S_IMODE((tmp_path / "pki" / "ca.key").stat().st_mode) == 0o600


def test_another_name_is_refused(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki")

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _shake_hands(pki, pki, tmp_path, "other.flowfuse.test")


def test_another_authority_is_refused(tmp_path: Path) -> None:
    trusted, other = make_pki(tmp_path / "a"), make_pki(tmp_path / "b")

    with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
        _shake_hands(trusted, other, tmp_path, "app.flowfuse.test")


def test_asked_twice_it_is_the_same_authority(tmp_path: Path) -> None:
    first = make_pki(tmp_path).ca.read_bytes()

    assert make_pki(tmp_path).ca.read_bytes() == first
