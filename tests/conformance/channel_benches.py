# SPDX-License-Identifier: Apache-2.0
"""Each channel with the thing that it talks to, on loopback, and the faults which that can show.

A bench answers for the other side: what arrived there, and under which identity.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path

from blackstart.ports.channel import Channel
from blackstart.ports.secrets import SecretRef
from blackstart.providers.email import Smtp
from blackstart.providers.slack import Direct, Post
from blackstart.providers.statuspage import Static
from blackstart.sandbox.faults import Fault
from blackstart.sandbox.http_loop import Loop, Silence
from blackstart.sandbox.mail_standin import MailStandin
from blackstart.sandbox.slack_standin import SlackStandin
from blackstart.sandbox.slack_workspace import User, seed_workspace

TOKEN = SecretRef("secret:test/token")
SECRETS = {TOKEN.name: "xoxb-test"}
_BOT, _CTO = User(id="U0BOT", name="blackstart", is_bot=True), User(id="U0CTO", name="cto")
_POST = "chat.postMessage"


@dataclass(frozen=True)
class Arrival:
    """One message as the other side has it; the same identity means the same message."""

    identity: str
    text: str


class Bench(ABC):
    """A channel, the address to use, and what the other side can be told to do."""

    channel: Channel
    address: str = ""

    @abstractmethod
    def arrivals(self) -> list[Arrival]: ...

    @abstractmethod
    def refuse(self) -> None: ...

    @abstractmethod
    def be_busy(self) -> None: ...

    @abstractmethod
    def unreachable(self) -> Channel:
        """Return the same channel, pointed to where nobody is."""

    def lose_reply(self) -> None:
        """Take the next message and never answer."""
        raise NotImplementedError

    def lose_request(self) -> None:
        """Lose the next message before it is taken, and never answer."""
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None: ...


class SlackBench(Bench):
    """A channel of the workspace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "slack"
        users = (_BOT, _CTO)
        seed_workspace(
            self._folder, tokens={"xoxb-test": "U0BOT"}, users=users, channels=("incident",)
        )
        self._standin = SlackStandin(self._folder)
        self._loop = Loop("127.0.0.1", 0, self._standin.answer)
        self.channel = self._at(self._loop.port)

    def _at(self, port: int) -> Channel:
        url = f"http://127.0.0.1:{port}/api/"
        return Post(channel="#incident", token=TOKEN, base_url=url, timeout_s=1)

    def arrivals(self) -> list[Arrival]:
        file = self._folder / "messages.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        posted = [json.loads(line)["message"] for line in lines]
        return [Arrival(one["metadata"]["event_payload"]["key"], one["text"]) for one in posted]

    def refuse(self) -> None:
        self._standin.faults.add(Fault(kind="error", target=_POST, error="channel_not_found"))

    def be_busy(self) -> None:
        self._standin.faults.add(Fault(kind="rate_limited", target=_POST, retry_after_s=7))

    def lose_reply(self) -> None:
        self._standin.faults.add(Fault(kind="commit_then_timeout", target=_POST))

    def lose_request(self) -> None:
        self._standin.faults.add(Fault(kind="server_error", target=_POST))

    def unreachable(self) -> Channel:
        return self._at(free_port())

    def close(self) -> None:
        self._loop.stop()


class SlackDirectBench(SlackBench):
    """The direct conversation with one person."""

    address = "U0CTO"

    def _at(self, port: int) -> Channel:
        return Direct(token=TOKEN, base_url=f"http://127.0.0.1:{port}/api/", timeout_s=1)


class MailBench(Bench):
    """A mail server."""

    address = "ada@example.com"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "mail"
        self._standin = MailStandin("127.0.0.1", 0, self._folder)
        self.channel = self._at(self._standin.port)

    def _at(self, port: int) -> Channel:
        return Smtp(host="127.0.0.1", port=port, from_="status@example.com", timeout_s=2)

    def arrivals(self) -> list[Arrival]:
        found = []
        for file in sorted(self._folder.glob("*.eml")):
            letter = message_from_bytes(file.read_bytes(), policy=default)
            text = f"{letter['Subject']}\n{letter.get_content()}"
            found.append(Arrival(str(letter["Message-ID"]), text))
        return found

    def refuse(self) -> None:
        self._standin.faults.add(Fault(kind="refuse", target=self.address))

    def be_busy(self) -> None:
        self._standin.faults.add(Fault(kind="temporary", target=self.address))

    def lose_reply(self) -> None:
        self._standin.faults.add(Fault(kind="drop"))

    def unreachable(self) -> Channel:
        return self._at(free_port())

    def close(self) -> None:
        self._standin.stop()


class StatusBench(Bench):
    """Two folders, as two hosts that share nothing would have them."""

    def __init__(self, folder: Path) -> None:
        self._folders = (folder / "one", folder / "two")
        self.channel = self._on(*(f"dir:{place}" for place in self._folders))

    def _on(self, *places: str) -> Channel:
        return Static(publish=places, page="FlowFuse status", component="FlowFuse")

    def arrivals(self) -> list[Arrival]:
        """Return what both places show to a reader."""
        pages = [(place / "index.html").read_text() for place in self._folders if place.exists()]
        found = [
            re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.DOTALL) for page in pages
        ]
        shown = set(found[0]).intersection(*found) if len(found) == 2 else set()
        return [Arrival(identity, text) for identity, text in sorted(shown)]

    def refuse(self) -> None:
        self.channel = self._on("s3://bucket/status")

    def be_busy(self) -> None:
        """Make the second place impossible until it is repaired."""
        self._folders[1].write_text("a file where a folder should be")

    def repair(self) -> None:
        self._folders[1].unlink()

    def unreachable(self) -> Channel:
        return self._on("dir:/proc/no-such-place")

    def close(self) -> None:
        """Nothing was started."""


def free_port() -> int:
    """Return a port of loopback at which nobody listens."""
    loop = Loop("127.0.0.1", 0, lambda _: Silence())
    port = loop.port
    loop.stop()
    return port


BENCHES: dict[str, Callable[[Path], Bench]] = {
    "slack.post": SlackBench,
    "slack.direct": SlackDirectBench,
    "email.smtp": MailBench,
    "statuspage.static": StatusBench,
}
