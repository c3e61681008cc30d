# SPDX-License-Identifier: Apache-2.0
"""One request, exactly as told: a real server on loopback, with and without TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blackstart.sandbox.pki import make_pki
from blackstart.world.http import FetchFailed, fetch, read_certificate

NAME = "app.flowfuse.test"


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._answer(200, self.headers["x-who"].encode() + b" " + body)

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self._answer(302, b"", ("Location", "/"))
        else:
            said = f"{self.path} for {self.headers['host']}".encode()
            self._answer(200, said, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    if context is not None:
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def serving_tls(folder: Path) -> Iterator[tuple[int, Path]]:
    issued = make_pki(folder).issue(NAME, "127.0.0.1")
    (folder / "own.pem").write_bytes(issued.certificate)
    (folder / "own.key").write_bytes(issued.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    with serving(context) as port:
        yield port, folder / "ca.pem"


def test_the_answer_comes_whole_and_redirects_are_not_followed() -> None:
    with serving() as port:
        answer = fetch(f"http://127.0.0.1:{port}/a?b=c")
        assert (answer.status, answer.text) == (200, f"/a?b=c for 127.0.0.1:{port}")
        assert answer.all_headers("Set-Cookie") == ("a=1", "b=2")
        assert answer.header("set-cookie") == "a=1"
        assert fetch(f"http://127.0.0.1:{port}/elsewhere").status == 302
        posted = fetch(
            f"http://127.0.0.1:{port}/", method="POST", headers={"x-who": "me"}, body=b"hello"
        )
        assert posted.text == "me hello"


def test_another_address_keeps_the_name(tmp_path: Path) -> None:
    with serving_tls(tmp_path) as (port, ca):
        answer = fetch(f"https://{NAME}:{port}/x", connect_to="127.0.0.1", ca=ca)
        assert answer.text == f"/x for {NAME}:{port}"


def test_a_certificate_for_another_name_or_of_a_stranger_is_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "other").mkdir()
    make_pki(tmp_path / "other")
    with serving_tls(tmp_path / "own") as (port, ca):
        with pytest.raises(FetchFailed, match="certificate not accepted"):
            fetch(f"https://other.test:{port}/", connect_to="127.0.0.1", ca=ca)
        stranger = tmp_path / "other" / "ca.pem"
        with pytest.raises(FetchFailed, match="certificate not accepted"):
            fetch(f"https://{NAME}:{port}/", connect_to="127.0.0.1", ca=stranger)
        assert read_certificate("127.0.0.1", port, name=NAME, ca=ca)
        with pytest.raises(FetchFailed, match="certificate not accepted"):
            read_certificate("127.0.0.1", port, name="other.test", ca=ca)


def test_nobody_and_silence_end_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(FetchFailed, match="timed out"):
            fetch(f"http://127.0.0.1:{port}/", timeout_s=0.1)
    with pytest.raises(FetchFailed, match="refused"):
        fetch(f"http://127.0.0.1:{port}/", timeout_s=1)
    with pytest.raises(FetchFailed, match="only http"):
        fetch("file:///etc/passwd")
