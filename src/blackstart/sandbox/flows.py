# SPDX-License-Identifier: Apache-2.0
"""The flows of production's two instances, and what they answer.

`/hello` says who it is. `/cred` calls the instance's own `/echo-auth` with a stored user and
password and gives back what arrived there: it answers only when the credential was decrypted.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from blackstart.world.random import token

CREDENTIAL_NODE = "cred-request"
_CREDENTIAL_USER = "svc-greenhouse"
_CALL_MYSELF = (
    'msg.url = "http://127.0.0.1:" + msg.req.socket.localPort + "/echo-auth"; return msg;'
)
_READ_AUTHORISATION = "msg.payload = msg.req.headers.authorization || 'none'; return msg;"

Node = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What is imported into an instance, and the answers it must give, path by path."""

    nodes: tuple[Node, ...]
    credentials: dict[str, dict[str, str]]
    answers: tuple[tuple[str, str], ...]


def greenhouse() -> Flow:
    """Return the flow that uses a stored credential."""
    password = token(12)
    pair = base64.b64encode(f"{_CREDENTIAL_USER}:{password}".encode()).decode()
    call: Node = {
        "id": CREDENTIAL_NODE,
        "type": "http request",
        "z": "tab1",
        "method": "GET",
        "ret": "txt",
        "url": "",
        "authType": "basic",
        "headers": [],
        "wires": [["cred-out"]],
        "x": 400,
        "y": 100,
    }
    return Flow(
        nodes=(
            {"id": "tab1", "type": "tab", "label": "Greenhouse", "disabled": False},
            *_says("tab1", "/hello", "Hello from the greenhouse"),
            _entry("tab1", "cred-in", "/cred", "cred-self"),
            _function("tab1", "cred-self", _CALL_MYSELF, "cred-request"),
            call,
            _answer("tab1", "cred-out"),
            _entry("tab1", "echo-in", "/echo-auth", "echo-read"),
            _function("tab1", "echo-read", _READ_AUTHORISATION, "echo-out"),
            _answer("tab1", "echo-out"),
        ),
        credentials={CREDENTIAL_NODE: {"user": _CREDENTIAL_USER, "password": password}},
        answers=(("/hello", "Hello from the greenhouse"), ("/cred", f"Basic {pair}")),
    )


def packing_line() -> Flow:
    """Return the flow without a credential, which differs from the other in every answer."""
    return Flow(
        nodes=(
            {"id": "tab2", "type": "tab", "label": "Packing line", "disabled": False},
            *_says("tab2", "/hello", "Packing line 7 is running"),
            *_says("tab2", "/status", "boxes: 42"),
        ),
        credentials={},
        answers=(("/hello", "Packing line 7 is running"), ("/status", "boxes: 42")),
    )


def _says(tab: str, path: str, text: str) -> tuple[Node, ...]:
    prefix = f"{tab}-{path.strip('/')}"
    return (
        _entry(tab, f"{prefix}-in", path, f"{prefix}-text"),
        _function(tab, f"{prefix}-text", f"msg.payload = {text!r}; return msg;", f"{prefix}-out"),
        _answer(tab, f"{prefix}-out"),
    )


def _entry(tab: str, node: str, path: str, wire: str) -> Node:
    where: Node = {"z": tab, "x": 100, "y": 100, "wires": [[wire]]}
    return {"id": node, "type": "http in", "method": "get", "url": path, "upload": False, **where}


def _function(tab: str, node: str, body: str, wire: str) -> Node:
    where: Node = {"z": tab, "x": 250, "y": 100, "wires": [[wire]]}
    return {"id": node, "type": "function", "func": body, "outputs": 1, "libs": [], **where}


def _answer(tab: str, node: str) -> Node:
    where: Node = {"z": tab, "x": 550, "y": 100, "wires": []}
    return {"id": node, "type": "http response", "statusCode": "", **where}
