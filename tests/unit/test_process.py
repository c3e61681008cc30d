# SPDX-License-Identifier: Apache-2.0
"""Programs are run to their end, stopped with all their children, and never mistaken for others."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.process_name import is_surely_dead


def _pids_in(file: Path, count: int) -> list[int]:
    assert wait_until(lambda: file.exists() and len(file.read_text().split()) == count, timeout_s=5)
    return [int(word) for word in file.read_text().split()]


def _is_gone(pid: int) -> bool:
    return wait_until(lambda: process.started_ticks(pid) is None, timeout_s=5, every_s=0.01)


def test_output_and_code_come_back_and_failure_does_not_raise() -> None:
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=10)

    assert (done.code, done.text, done.err) == (3, "out\n", b"err\n")
    assert done.took_s > 0


def test_a_signal_that_ended_the_program_is_a_negative_code() -> None:
    assert process.run(["sh", "-c", "kill -9 $$"], timeout_s=10).code == -9


def test_input_larger_than_a_pipe_reaches_the_program() -> None:
    done = process.run(["wc", "-c"], timeout_s=10, stdin=b"x" * 500_000)

    assert done.text.strip() == "500000"


def test_a_program_that_never_reads_its_input_does_not_block() -> None:
    assert process.run(["true"], timeout_s=10, stdin=b"x" * 500_000).code == 0


def test_environment_and_folder_are_those_given(tmp_path: Path) -> None:
    done = process.run(
        ["/bin/sh", "-c", 'echo "$WORD"; pwd'], timeout_s=10, env={"WORD": "hej"}, cwd=tmp_path
    )

    assert done.text.split() == ["hej", str(tmp_path)]


def test_lines_come_from_both_outputs_the_last_without_a_line_feed() -> None:
    lines: list[str] = []

    process.run(["sh", "-c", "echo a; printf b >&2"], timeout_s=10, on_line=lines.append)

    assert sorted(lines) == ["a", "b"]


def test_the_middle_of_a_long_output_is_dropped_and_said() -> None:
    done = process.run(["seq", "1", "100000"], timeout_s=10, keep_bytes=1000)

    assert done.text.startswith("1\n2\n")
    assert done.text.endswith("99999\n100000\n")
    assert "bytes dropped" in done.text
    assert len(done.out) < 1100


def test_a_missing_program_is_not_started() -> None:
    with pytest.raises(process.ProcessNotStarted) as caught:
        process.run(["/nowhere/at-all"], timeout_s=10)

    assert "installed" in caught.value.hint


def test_too_slow_is_killed_with_its_whole_group(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    script = f"sleep 100 & echo $$ $! > {noted}; echo begun; wait"

    with pytest.raises(process.ProcessTimedOut) as caught:
        process.run(["sh", "-c", script], timeout_s=0.5)

    assert caught.value.out == b"begun\n"
    assert all(_is_gone(pid) for pid in _pids_in(noted, 2))


def test_cancelling_kills_the_whole_group(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    script = f"sleep 100 & echo $$ $! > {noted}; wait"

    with pytest.raises(process.ProcessCancelled):
        process.run(["sh", "-c", script], timeout_s=60, cancelled=noted.exists)

    assert all(_is_gone(pid) for pid in _pids_in(noted, 2))


def test_a_failing_listener_kills_the_program(tmp_path: Path) -> None:
    noted = tmp_path / "pids"

    def refuse(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="begun"):
        process.run(
            ["sh", "-c", f"echo $$ > {noted}; echo begun; sleep 100"], timeout_s=60, on_line=refuse
        )

    assert _is_gone(_pids_in(noted, 1)[0])


def test_what_is_left_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    noted = tmp_path / "pids"

    done = process.run(["sh", "-c", f"sleep 100 & echo $! > {noted}; echo here"], timeout_s=20)

    left = _pids_in(noted, 1)[0]
    assert done.text == "here\n"
    assert done.took_s < 10
    assert process.started_ticks(left) is not None
    os.kill(left, signal.SIGKILL)


def test_a_program_left_running_is_alive_until_it_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    spawned = process.spawn(
        ["sh", "-c", "cat; exec sleep 100"], log=log, stdin=b"hello", dies_with_us=True
    )

    assert process.is_alive(spawned.pid, spawned.started_ticks)
    assert wait_until(lambda: log.read_bytes() == b"hello", timeout_s=5)
    assert process.end(spawned.pid, spawned.started_ticks, grace_s=5)
    assert not process.is_alive(spawned.pid, spawned.started_ticks)


def test_one_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    spawned = process.spawn(
        ["sh", "-c", "trap '' TERM; echo set; while :; do sleep 0.1; done"],
        log=log,
        dies_with_us=True,
    )
    assert wait_until(lambda: log.read_bytes() == b"set\n", timeout_s=5)

    assert process.end(spawned.pid, spawned.started_ticks, grace_s=0.2)
    assert not process.is_alive(spawned.pid, spawned.started_ticks)


def test_another_process_with_the_same_pid_is_neither_alive_nor_ended(tmp_path: Path) -> None:
    spawned = process.spawn(["sleep", "100"], log=tmp_path / "log", dies_with_us=True)

    assert not process.is_alive(spawned.pid, spawned.started_ticks + 1)
    assert process.end(spawned.pid, spawned.started_ticks + 1, grace_s=0)
    assert process.is_alive(spawned.pid, spawned.started_ticks)
    process.end(spawned.pid, spawned.started_ticks, grace_s=0)


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen(["true"])  # nobody waits for it, so it stays a zombie
    state = Path(f"/proc/{child.pid}/stat")
    assert wait_until(lambda: ") Z " in state.read_text(), timeout_s=5, every_s=0.01)

    assert process.started_ticks(child.pid) is None
    child.wait()


@pytest.mark.parametrize("dies_with_us", [True, False])
def test_children_follow_a_killed_parent_only_when_told(tmp_path: Path, dies_with_us: bool) -> None:
    noted = tmp_path / "pid"
    program = f"""
import pathlib, threading
from blackstart.world import process
def work():
    child = process.spawn(["sleep", "100"], log=pathlib.Path({str(tmp_path / "log")!r}),
                          dies_with_us={dies_with_us})
    pathlib.Path({str(noted)!r}).write_text(str(child.pid))
thread = threading.Thread(target=work)
thread.start(); thread.join()
threading.Event().wait()
"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    child = _pids_in(noted, 1)[0]
    ticks = process.started_ticks(child)
    assert ticks is not None, "it must survive the thread that asked for it"

    parent.kill()
    parent.wait()

    if dies_with_us:
        assert _is_gone(child)
    else:
        assert process.is_alive(child, ticks)
        assert process.end(child, ticks, grace_s=0)


def test_a_command_whose_parent_died_before_it_could_be_bound_is_not_run(tmp_path: Path) -> None:
    for parent, is_run in ((os.getpid(), True), (os.getpid() + 1, False)):
        mark = tmp_path / f"{parent}"
        done = subprocess.run([*process.bound_to(parent), "touch", str(mark)], check=False)
        assert (mark.exists(), done.returncode == 0) == (is_run, is_run)


def test_a_process_is_known_as_dead_only_where_it_can_be_seen() -> None:
    ask = "from blackstart.world.process_name import own_name; print(own_name(), flush=True); "
    argv = [sys.executable, "-c", f"{ask}input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        name = child.stdout.readline().strip()
        assert not is_surely_dead(f"driver@{name}")
        child.kill()
    assert is_surely_dead(f"driver@{name}")
    elsewhere = f"{name[:-12]}{'0' * 12}"  # the same pid on another machine
    assert not is_surely_dead(f"driver@{elsewhere}")
    assert not is_surely_dead("driver@host:1")
    reused = re.sub(r":\d+/", f":{os.getpid()}/", name)  # somebody else has the pid now
    assert is_surely_dead(reused)


def test_processes_are_found_by_what_was_put_into_their_environment(tmp_path: Path) -> None:
    log = tmp_path / "log"
    mark = {"OF_TEST": str(tmp_path), "KEY": "run/step"}
    env = {**mark, "PATH": os.environ["PATH"]}
    child = process.spawn(["sleep", "100"], log=log, env=env, dies_with_us=True)
    try:
        assert process.with_environment(mark) == (child.pid,)
        assert process.with_environment({**mark, "KEY": "run"}) == ()
    finally:
        process.end(child.pid, child.started_ticks, grace_s=0)
    assert process.with_environment(mark) == ()
