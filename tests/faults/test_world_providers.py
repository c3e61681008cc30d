# SPDX-License-Identifier: Apache-2.0
"""Providers that hang, lie, shout and starve: what the person reads, in time and in words."""

from __future__ import annotations

import socket
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from blackstart.ports.action import Done, Failed, Outcome, Unknown
from blackstart.ports.channel import Message, Rejected, Uncertain
from blackstart.ports.secrets import SecretRef
from blackstart.providers import dns, http, slack, sql, tls
from blackstart.providers.command import Run
from blackstart.providers.email import Smtp
from blackstart.world.clock import SystemClock
from tests.provider_stage import KEY, Stage

SECRET = SecretRef("secret:test/it")
LIMIT_S = 1.0


def failure_of(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    assert outcome.summary
    assert outcome.hint
    return outcome


def script(folder: Path, text: str, **more: Any) -> Run:
    return Run(argv=("sh", "-c", text), traces=str(folder / "traces"), **more)


# A program that is run


def test_work_that_was_done_before_the_time_was_over_is_shown_not_repeated(tmp_path: Path) -> None:
    work = script(tmp_path, f"echo done >> {tmp_path}/effect; exec sleep 600")
    failed = failure_of(work.perform(Stage().context(limit_s=0.7)))
    assert "it may have done its work, or a part of it" in failed.summary
    assert "is not repeatable, the plan says" in failed.hint
    assert failed.is_held
    assert "finish the step by hand" in failed.hint
    assert (tmp_path / "effect").read_text() == "done\n"
    assert isinstance(work.inspect(Stage().context()), Unknown)  # nobody performs it by himself
    assert (
        "may be run again"
        in failure_of(
            script(tmp_path, "exec sleep 600", repeatable=True).perform(
                Stage().context(limit_s=0.3)
            )
        ).hint
    )


def test_garbage_where_json_was_promised_is_said_and_kept(tmp_path: Path) -> None:
    stage = Stage()
    failed = failure_of(
        script(tmp_path, "head -c 3000 /dev/urandom", prints_json=True).perform(stage.context())
    )
    assert "printed no JSON" in failed.summary
    assert "let it print one JSON document" in failed.hint
    assert len(stage.evidence["sh.txt"]) == 3000


def test_a_hundred_megabytes_of_errors_are_read_and_cut_in_the_middle(tmp_path: Path) -> None:
    stage = Stage()
    text = "echo first >&2; head -c 100000000 /dev/zero >&2; echo last >&2; exit 3"
    failed = failure_of(script(tmp_path, text).perform(stage.context()))
    kept = stage.evidence["sh.txt"]
    assert "ended with 3" in failed.summary
    assert failed.summary.endswith("last.")
    assert kept.startswith(b"first\n")
    assert b"bytes dropped" in kept
    assert len(kept) < 300_000


def test_a_program_that_is_out_of_memory_says_so_and_a_killed_one_is_told_apart(
    tmp_path: Path,
) -> None:
    hungry = "x = bytearray(10**9)"
    argv = ("prlimit", "--as=300000000", sys.executable, "-c", hungry)
    starved = Run(argv=argv, traces=str(tmp_path / "traces"))
    assert "MemoryError" in failure_of(starved.perform(Stage().context())).summary
    killed = failure_of(script(tmp_path, "kill -9 $$").perform(Stage().context()))
    assert "was killed" in killed.summary
    assert "the machine was out of memory" in killed.hint


def test_a_target_without_room_is_said_before_and_after_the_work(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "keys").write_text("in the way")
    work = script(tmp_path, f"echo done >> {tmp_path}/effect")
    failed = failure_of(work.perform(Stage().context()))
    assert "keys" in failed.summary
    assert "the free space" in failed.hint
    assert not (tmp_path / "effect").exists()
    (tmp_path / "traces" / "keys").unlink()
    takes_it_away = script(tmp_path, f"rm -r {tmp_path}/traces/keys; echo > {tmp_path}/traces/keys")
    after = failure_of(takes_it_away.perform(Stage().context(limit_s=2)))
    assert "has done its work, and" in after.summary
    assert "a retry could do it a second time" in after.hint
    (tmp_path / "traces" / "keys").unlink()
    assert isinstance(work.perform(Stage().context()), Done)
    assert (tmp_path / "effect").read_text() == "done\n"


# A server that is asked


def garbage(peer: socket.socket, stop: threading.Event) -> None:
    with suppress(OSError):
        peer.sendall(b"\x00\xff\x16\x03" * 4000 + b"\n" * 100)


def trickle(peer: socket.socket, stop: threading.Event) -> None:
    """Answer as slowly as would take an hour."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 36000\r\n\r\n" + b"x" * 36000
    with suppress(OSError):
        for byte in answer:
            peer.send(bytes([byte]))
            if stop.wait(0.1):
                return


def silence(peer: socket.socket, stop: threading.Event) -> None:
    stop.wait(60)


def hang_up(peer: socket.socket, stop: threading.Event) -> None:
    """Close at once."""


def flood(peer: socket.socket, stop: threading.Event) -> None:
    with suppress(OSError):
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not stop.is_set():
            peer.sendall(b"y" * 100_000)


MOODS: dict[str, Callable[[socket.socket, threading.Event], None]] = {
    "garbage": garbage,
    "trickle": trickle,
    "silence": silence,
    "hang up": hang_up,
    "flood": flood,
}


@contextmanager
def lying(mood: str) -> Iterator[int]:
    """Serve every caller in this mood, over TCP and in single datagrams of rubbish."""
    stop, threads = threading.Event(), []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    peer, _ = server.accept()
                except TimeoutError:
                    continue
                threads.append(threading.Thread(target=answer, args=(peer,)))
                threads[-1].start()

        def answer(peer: socket.socket) -> None:
            with peer:
                peer.settimeout(2)
                MOODS[mood](peer, stop)

        server_thread = threading.Thread(target=serve)
        server_thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            stop.set()
            server_thread.join()
            for thread in threads:
                thread.join()


def verbs_at(port: int) -> dict[str, Any]:
    """Return every verb that asks a server by itself, pointed at this port."""
    url, where = f"http://127.0.0.1:{port}", {"host": "127.0.0.1", "port": port}
    database: dict[str, Any] = {**where, "database": "app", "user": "owner", "password": SECRET}
    return {
        "http.expect": http.Expect(url=url, timeout_s=LIMIT_S, contains="never there"),
        "https.expect": http.Expect(url=f"https://127.0.0.1:{port}", timeout_s=LIMIT_S),
        "tls.expect": tls.Expect(
            address="127.0.0.1", port=port, name="x.test", ca_certificate="/nowhere/ca.pem"
        ),
        "sql.expect": sql.Expect(query="SELECT 1", equals=1, timeout_s=LIMIT_S, **database),
        "sql.execute": sql.Execute(text="SELECT 1", **database),
        "dns.update": dns.Update(
            server="127.0.0.1",
            port=port,
            zone="x.test",
            name="a.x.test",
            type="A",
            value="10.0.0.1",
            key_name="k",
            key=SECRET,
        ),
    }


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("verb", verbs_at(1))
def test_a_server_that_lies_or_stalls_is_a_failure_in_words_and_in_time(
    verb: str, mood: str
) -> None:
    stage, clock = Stage(secrets={SECRET.name: b64encode(b"k" * 32).decode()}), SystemClock()
    with lying(mood) as port:
        asked = verbs_at(port)[verb]
        began_s = clock.monotonic_s()
        context = stage.context(limit_s=3 * LIMIT_S)
        outcome = asked.check(context) if hasattr(asked, "check") else asked.perform(context)
        took_s = clock.monotonic_s() - began_s
    failed = failure_of(outcome)
    assert "Traceback" not in failed.summary + failed.hint
    assert len(failed.summary) < 1_500
    assert stage.secrets[SECRET.name] not in failed.summary + failed.hint
    assert took_s < 25


@pytest.mark.parametrize("mood", MOODS)
def test_a_channel_that_lies_or_stalls_never_counts_as_told(mood: str) -> None:
    message = Message(subject="s", body="b", kind="outage", incident="i", tone="bad")
    with lying(mood) as port:
        base_url = f"http://127.0.0.1:{port}/api/"
        for channel, address in (
            (Smtp(host="127.0.0.1", port=port, from_="a@x.test", timeout_s=LIMIT_S), "b@x.test"),
            (slack.Post(channel="#c", token=SECRET, base_url=base_url, timeout_s=1), ""),
        ):
            sent = channel.send(message, KEY, address, lambda _: "xoxb-it")
            assert isinstance(sent, Rejected | Uncertain), sent
            assert sent.reason
            assert "xoxb-it" not in sent.reason
