# SPDX-License-Identifier: Apache-2.0
"""A real S3 server on loopback (SeaweedFS), and one in front of it that fails as it is told."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from blackstart.world.clock import wait_until
from blackstart.world.depot_s3 import S3Depot

ACCESS, SECRET = "blackstart", "only-for-tests-on-loopback"
_START_LIMIT_S = 60.0
_GRPC_OFFSET = 10_000  # SeaweedFS listens there too


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running server; every bucket is made at the first write to it."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def depot(self, prefix: str, **more: Any) -> S3Depot:
        return S3Depot(
            "mirrors",
            prefix,
            endpoint=self.endpoint,
            **({"access_key": ACCESS, "secret_key": SECRET} | more),
        )


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError):
            for each in (port, port + _GRPC_OFFSET):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", each))
            found.append(port)
    return found


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Start the server with its files in a folder, wait until it serves, and end it at last."""
    folder.mkdir(exist_ok=True)
    keys = {"accessKey": ACCESS, "secretKey": SECRET}
    actions = ["Admin", "Read", "Write", "List"]
    users = {"identities": [{"name": "t", "credentials": [keys], "actions": actions}]}
    (folder / "s3.json").write_text(json.dumps(users), encoding="utf-8")
    master, volume, filer, s3 = _free_ports(4)
    argv = [
        str(Path(sys.executable).parent / "weed"),
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={master}",
        f"-volume.port={volume}",
        f"-filer.port={filer}",
        f"-s3.port={s3}",
        f"-s3.config={folder / 's3.json'}",
        "-s3",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=16",
    ]
    server = S3Server(port=s3)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
    try:
        probe = server.depot("probe")

        def serves() -> bool:
            with contextlib.suppress(Exception):
                probe.put("key", b"1")
                return True
            return False

        assert wait_until(serves, timeout_s=_START_LIMIT_S, every_s=0.1), (
            folder / "log"
        ).read_text()
        yield server
    finally:
        process.kill()
        process.wait()


@dataclass(slots=True, kw_only=True)
class Trouble:
    """What the server in front does instead of passing a request on, while `kind` is set.

    `full` and `denied` are answers of S3; `cut` ends the answer in the middle; `lost` stores the
    object and says nothing; `silent` never answers.
    """

    kind: str = ""
    released: threading.Event = field(default_factory=threading.Event)


_ANSWERS = {
    "full": (507, b"<Error><Code>InsufficientStorage</Code></Error>"),
    "denied": (403, b"<Error><Code>AccessDenied</Code></Error>"),
    "slow down": (503, b"<Error><Code>SlowDown</Code></Error>"),
}


class _Front(ThreadingHTTPServer):
    daemon_threads = True
    behind: S3Server
    trouble: Trouble


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Front

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def meet(self) -> None:
        """Fail as told, else pass the request on."""
        trouble = self.server.trouble
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if trouble.kind in _ANSWERS:
            self._answer(*_ANSWERS[trouble.kind], {})
        elif trouble.kind == "silent":
            trouble.released.wait(20.0)
            self.close_connection = True
        else:
            self._pass_on(trouble.kind, body)

    def _pass_on(self, kind: str, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind.port)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
        self.close_connection = kind in ("lost", "cut")
        if kind != "lost":
            kept = content[: len(content) // 2] if kind == "cut" else content
            told = {"Content-Length": str(len(content))} | dict(answer.getheaders())
            self._answer(answer.status, kept, told)

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name in ("ETag", "Last-Modified", "Content-Type"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", headers.get("Content-Length", str(len(content))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


for _verb in ("GET", "PUT", "DELETE", "HEAD", "POST"):
    setattr(_Conversation, f"do_{_verb}", _Conversation.meet)


@contextlib.contextmanager
def troubled(server: S3Server, trouble: Trouble) -> Iterator[S3Server]:
    """Serve in front of the server, with the trouble that is set at each moment."""
    front = _Front(("127.0.0.1", 0), _Conversation)
    front.behind, front.trouble = server, trouble
    thread = threading.Thread(target=front.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield S3Server(port=front.server_address[1])
    finally:
        trouble.released.set()
        front.shutdown()
        thread.join()
        front.server_close()
