# SPDX-License-Identifier: Apache-2.0
"""A Slack workspace as the Web API shows it: users, channels, messages, and where they are kept.

The whole state is kept in `state.json` after every change, so that the stand-in can die and come
back; every message posted or changed is also one line of `messages.jsonl`, for tests to read.
Field names and meanings are those of the Web API's objects (docs.slack.dev/reference/objects).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from blackstart.world import files

Json = dict[str, object]


class SlackRefusal(Exception):
    """The API says no; the code is the `error` of its answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person or a bot."""

    id: str
    name: str
    email: str = ""
    real_name: str = ""
    is_bot: bool = False


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One message; `ts` names it within its channel."""

    ts: str
    user: str
    text: str
    blocks: list[Json] = []
    attachments: list[Json] = []
    metadata: Json | None = None
    thread_ts: str = ""
    edited: Json | None = None


class Channel(msgspec.Struct, kw_only=True):
    """A channel, or a direct conversation (`is_im`)."""

    id: str
    name: str
    creator: str
    created: int
    is_im: bool = False
    is_private: bool = False
    is_archived: bool = False
    topic: str = ""
    purpose: str = ""
    members: list[str] = []
    pins: list[str] = []
    bookmarks: list[Json] = []
    messages: list[Message] = []


class State(msgspec.Struct, kw_only=True):
    """Everything a workspace holds. `tokens` says which user each token speaks for."""

    team_id: str = "T0BLACKSTART"
    team: str = "blackstart"
    tokens: dict[str, str] = {}
    users: list[User] = []
    channels: list[Channel] = []
    last_ts_us: int = 0
    last_number: int = 0


class Workspace:
    """The state and its two files. One thread at a time: the caller holds the lock."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, with what an earlier run left in it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._state_file = folder / "state.json"
        self._messages_file = folder / "messages.jsonl"
        if self._state_file.exists():
            self.state = msgspec.json.decode(self._state_file.read_bytes(), type=State)
        else:
            self.state = State()

    def keep(self) -> None:
        """Make the present state durable."""
        files.write_durably(self._state_file, msgspec.json.encode(self.state))

    def keep_message(self, event: str, channel: Channel, message: Message) -> None:
        """Add the line that tests read, and keep the state."""
        line = {
            "event": event,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "channel": channel.id,
            "channel_name": channel.name,
            "message": message,
        }
        with self._messages_file.open("ab") as sink:
            sink.write(msgspec.json.encode(line) + b"\n")
            sink.flush()
            os.fsync(sink.fileno())
        self.keep()

    def messages_so_far(self) -> bytes:
        """Return the lines of all messages, oldest first."""
        return self._messages_file.read_bytes() if self._messages_file.exists() else b""

    def next_ts(self) -> str:
        """Return a time stamp that no message has."""
        now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
        self.state.last_ts_us = max(now_us, self.state.last_ts_us + 1)
        return f"{self.state.last_ts_us // 1_000_000}.{self.state.last_ts_us % 1_000_000:06d}"

    def next_id(self, letter: str) -> str:
        """Return a new id such as C0000001."""
        self.state.last_number += 1
        return f"{letter}{self.state.last_number:010d}"

    def user(self, user_id: str) -> User:
        """Return the user. Raises SlackRefusal user_not_found."""
        for user in self.state.users:
            if user.id == user_id:
                return user
        raise SlackRefusal("user_not_found")

    def channel(self, name_or_id: str) -> Channel:
        """Return the channel with that id, or that name with or without "#".

        Raises SlackRefusal channel_not_found.
        """
        wanted = name_or_id.removeprefix("#")
        for channel in self.state.channels:
            if channel.id == wanted or (channel.name == wanted and not channel.is_im):
                return channel
        raise SlackRefusal("channel_not_found")

    def direct_channel(self, caller: str, other: str) -> Channel:
        """Return the direct conversation of two users, made when there is none."""
        members = sorted({caller, self.user(other).id})
        for channel in self.state.channels:
            if channel.is_im and sorted(channel.members) == members:
                return channel
        return self.add_channel(f"dm-{other}", caller, members, is_im=True)

    def add_channel(
        self,
        name: str,
        creator: str,
        members: list[str],
        *,
        is_im: bool = False,
        is_private: bool = False,
    ) -> Channel:
        """Create a channel without asking whether the name is free."""
        channel = Channel(
            id=self.next_id("D" if is_im else "C"),
            name=name,
            creator=creator,
            created=int(datetime.now(UTC).timestamp()),
            is_im=is_im,
            is_private=is_private,
            members=members,
        )
        self.state.channels.append(channel)
        self.keep()
        return channel


def seed_workspace(
    folder: Path, *, tokens: dict[str, str], users: tuple[User, ...], channels: tuple[str, ...] = ()
) -> None:
    """Prepare the folder of a workspace that has never run: who exists, and whose tokens hold.

    Every user is a member of the `channels`. Does nothing when the folder holds a state.
    """
    if (folder / "state.json").exists():
        return
    workspace = Workspace(folder)
    workspace.state = State(tokens=tokens, users=list(users))
    everyone = [user.id for user in users]
    for name in channels:
        workspace.add_channel(name, everyone[0], list(everyone))
    workspace.keep()
