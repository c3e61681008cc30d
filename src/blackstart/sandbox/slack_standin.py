# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Slack: the Web API spoken to the real slack_sdk, with faults on demand.

    python -m blackstart.sandbox.slack_standin --address A --port P --state DIR

Clients use `WebClient(token=..., base_url="http://A:P/api/")`. Who exists and whose tokens hold is
in DIR/state.json (`seed_workspace` writes the first one). Tests steer it by `/_control/`:

    GET    /_control/messages   every message posted or changed, one JSON line each
    POST   /_control/faults     show a fault: {kind, target: method or "*", times, ...}
    GET    /_control/faults     the faults still to be shown
    DELETE /_control/faults     behave well again
    PUT    /_control/limits     {method: calls per minute}; answers 429 beyond
"""

from __future__ import annotations

import argparse
import threading
from collections import deque
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

from blackstart.sandbox.faults import Fault, Faults
from blackstart.sandbox.http_loop import Call, Loop, Reply, Silence, in_json, wait_for_signal
from blackstart.sandbox.slack_methods import METHODS
from blackstart.sandbox.slack_workspace import Json, SlackRefusal, Workspace
from blackstart.world.clock import SystemClock

KINDS = frozenset(
    {
        "rate_limited",
        "error",
        "server_error",
        "commit_then_timeout",
        "timeout",
        "garbage",
        "outage",
    }
)
_WINDOW_S = 60.0


class SlackStandin:
    """Answers the requests for one workspace."""

    def __init__(self, folder: Path) -> None:
        """Open the workspace kept in the folder."""
        self._workspace = Workspace(folder)
        self._lock = threading.Lock()
        self.faults = Faults(KINDS)
        self._limits: dict[str, int] = {}
        self._calls: dict[str, deque[float]] = {}
        self._clock = SystemClock()

    def answer(self, call: Call) -> Reply | Silence:
        """Return the answer to one request."""
        if call.path.startswith("/_control/"):
            return self._steer(call)
        if not call.path.startswith("/api/"):
            return in_json({"ok": False, "error": "not_found"}, status=404)
        method = call.path.removeprefix("/api/").strip("/")
        fault = self.faults.take(method)
        if fault is None:
            return self._limited(method) or in_json(self._perform(method, call))
        return self._show(fault, method, call)

    def _show(self, fault: Fault, method: str, call: Call) -> Reply | Silence:
        match fault.kind:
            case "rate_limited":
                return _too_many(fault.retry_after_s)
            case "error":
                return in_json({"ok": False, "error": fault.error})
            case "server_error":
                return Reply(status=503, body=b"upstream unavailable", kind="text/plain")
            case "garbage":
                return Reply(body=b"<html>not what you asked for</html>", kind="text/html")
            case "commit_then_timeout":
                self._perform(method, call)
                return Silence(hold_s=fault.hold_s)
            case "timeout":
                return Silence(hold_s=fault.hold_s)
            case _:  # outage: nobody is there
                return Silence()

    def _perform(self, method: str, call: Call) -> Json:
        with self._lock:
            try:
                caller = self._caller(call)
                if method not in METHODS:
                    raise SlackRefusal("unknown_method")
                return {"ok": True} | METHODS[method](self._workspace, caller, _arguments(call))
            except SlackRefusal as refusal:
                return {"ok": False, "error": refusal.code}

    def _caller(self, call: Call) -> str:
        given = call.headers.get("authorization", "").removeprefix("Bearer ")
        token = given or str(_arguments(call).get("token", ""))
        if not token:
            raise SlackRefusal("not_authed")
        if token not in self._workspace.state.tokens:
            raise SlackRefusal("invalid_auth")
        return self._workspace.state.tokens[token]

    def _limited(self, method: str) -> Reply | None:
        """Return the refusal when the method was called too often in the last minute."""
        with self._lock:
            limit = self._limits.get(method)
            if limit is None:
                return None
            now, calls = self._clock.monotonic_s(), self._calls.setdefault(method, deque())
            while calls and calls[0] <= now - _WINDOW_S:
                calls.popleft()
            if len(calls) >= limit:
                first = calls[0] if calls else now
                return _too_many(max(1, round(first + _WINDOW_S - now)))
            calls.append(now)
            return None

    def _steer(self, call: Call) -> Reply:
        match call.verb, call.path.removeprefix("/_control/"):
            case "GET", "messages":
                with self._lock:
                    lines = self._workspace.messages_so_far()
                return Reply(body=lines, kind="application/x-ndjson")
            case "GET", "faults":
                return in_json(self.faults.waiting())
            case "DELETE", "faults":
                self.faults.clear()
                return in_json({"ok": True})
            case ("POST", "faults") | ("PUT", "limits"):
                return self._take_order(call)
            case _:
                return in_json({"ok": False, "error": "unknown control"}, status=404)

    def _take_order(self, call: Call) -> Reply:
        try:
            if call.verb == "POST":
                self.faults.add_from(call.body)
            else:
                self._limits = msgspec.json.decode(call.body, type=dict[str, int])
        except ValueError as wrong:
            return in_json({"ok": False, "error": str(wrong)}, status=400)
        return in_json({"ok": True})


def _too_many(retry_after_s: int) -> Reply:
    body = msgspec.json.encode({"ok": False, "error": "ratelimited"})
    return Reply(status=429, body=body, headers={"Retry-After": str(retry_after_s)})


def _arguments(call: Call) -> Json:
    """Return the arguments of a call, whether they came as query, form or JSON."""
    arguments: Json = dict(call.query)
    if call.headers.get("content-type", "").startswith("application/json"):
        try:
            arguments |= msgspec.json.decode(call.body or b"{}", type=Json)
        except msgspec.MsgspecError as wrong:
            raise SlackRefusal("invalid_json") from wrong
    else:
        arguments |= dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    return arguments


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="slack_standin")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    chosen = parser.parse_args()
    loop = Loop(chosen.address, chosen.port, SlackStandin(chosen.state).answer)
    try:
        wait_for_signal()
    finally:
        loop.stop()


if __name__ == "__main__":
    main()
