# SPDX-License-Identifier: Apache-2.0
"""`blackstart probe`: a question on standard input, the answer on standard output."""

from __future__ import annotations

import socket
import sys

import msgspec

from blackstart.engine.offered import load_verbs, load_verbs_beside
from blackstart.engine.probe import Question, Reply
from blackstart.model.codec import to_bytes
from blackstart.model.plan import Target
from blackstart.model.runbook import Param
from blackstart.world.process import Completed, run

TARGET = Target(name="drill", place="/", site="s", address="127.0.0.1", public_name="a.test")


def ask(content: bytes) -> Completed:
    """Ask the real program."""
    return run((sys.executable, "-m", "blackstart", "probe"), timeout_s=30, stdin=content)


def question(use: str, params: dict[str, Param]) -> bytes:
    """Return a question as a vantage gets it."""
    return to_bytes(
        Question(use=use, params=params, secrets={}, target=TARGET, key="k", marker="m", limit_s=5)
    )


def expect_open(port: int) -> Reply:
    """Ask whether the port of this machine takes connections, and no other of two does."""
    params: dict[str, Param] = {"address": "127.0.0.1", "tried": [port], "allowed": [port]}
    ended = ask(question("tcp.only", params))
    return msgspec.json.decode(ended.out, type=Reply)


def test_a_probe_sees_an_open_port_and_a_closed_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert expect_open(port).done
    assert expect_open(port).failed


def test_what_is_no_question_is_refused_in_words() -> None:
    ended = ask(b'{"use": "tcp.only"}')
    said = ended.err.decode()
    assert ended.code == 4
    assert "is no question" in said
    assert "Traceback" not in said


def test_an_unknown_verb_is_refused_in_words() -> None:
    ended = ask(question("nowhere.at_all", {}))
    assert "No provider offers 'nowhere.at_all'" in ended.err.decode()
    assert ended.out == b""


def test_a_provider_is_loaded_alone_and_whole() -> None:
    alone = load_verbs_beside("tcp.only")
    assert alone == {name: verb for name, verb in load_verbs().items() if name.startswith("tcp.")}
    assert load_verbs_beside("nowhere.at_all") == {}
