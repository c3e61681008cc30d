# SPDX-License-Identifier: Apache-2.0
"""What arrived elsewhere, read from the keepers' own files: for tests and drills to judge by.

Nothing here goes over the network, and providers never read it: it is the other witness.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from blackstart.sandbox.alert_keeper import KeptAlert
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.log_server import logs_of
from blackstart.sandbox.mail_standin import KeptMail
from blackstart.sandbox.slack_workspace import Message

T = TypeVar("T")


class SlackLine(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it was posted or updated (`event`); `at` is UTC, ISO 8601."""

    event: str
    at: str
    channel: str
    channel_name: str
    message: Message


def slack_messages(layout: Layout) -> tuple[SlackLine, ...]:
    """Return every message posted or updated in Slack, oldest first."""
    return _lines(layout.elsewhere / "slack" / "messages.jsonl", SlackLine)


def mails(layout: Layout) -> tuple[KeptMail, ...]:
    """Return every mail accepted, oldest first; its text is in the .eml beside."""
    kept = sorted((layout.elsewhere / "mail").glob("*.json"))
    return tuple(msgspec.json.decode(file.read_bytes(), type=KeptMail) for file in kept)


def mail_texts(layout: Layout) -> tuple[bytes, ...]:
    """Return the whole of every mail accepted, oldest first."""
    kept = sorted((layout.elsewhere / "mail").glob("*.eml"))
    return tuple(file.read_bytes() for file in kept)


def status_page(layout: Layout) -> tuple[bytes, ...]:
    """Return the content of every file that the status page publishes, () when there is none."""
    folder = layout.elsewhere / "status"
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in {".html", ".json"})
    return tuple(path.read_bytes() for path in files)


def alerts(layout: Layout) -> tuple[KeptAlert, ...]:
    """Return every alert that reached the receiver, firing and resolved, oldest first."""
    return _lines(layout.elsewhere / "alerts" / "alerts.jsonl", KeptAlert)


def central_log(layout: Layout) -> str:
    """Return all lines of the central logs, host by host."""
    files = sorted(logs_of(layout).glob("*.log"))
    return "".join(file.read_text("utf-8", "replace") for file in files)


def _lines(path: Path, kind: type[T]) -> tuple[T, ...]:
    if not path.exists():
        return ()
    # A line without its end is still being written.
    whole = path.read_bytes().rpartition(b"\n")[0]
    return tuple(msgspec.json.decode(line, type=kind) for line in whole.splitlines())
