# SPDX-License-Identifier: Apache-2.0
"""Slack as a channel: one message posted once, and found again by the key in its metadata.

`chat.postMessage` has no idempotency key, and the SDK's default retry can post twice; so the SDK is
told never to retry, the key travels as message metadata, and after a lost answer the channel's
history is asked (docs.slack.dev: chat.postMessage, conversations.history, message metadata).
"""

from __future__ import annotations

import http.client
import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.error import URLError
from urllib.request import Request, urlopen

from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError

from blackstart.ports.channel import (
    Accepted,
    Delivery,
    Lookup,
    Message,
    Missing,
    Rejected,
    Uncertain,
)
from blackstart.ports.secrets import SecretRef
from blackstart.providers.slack_answers import classify
from blackstart.world.clock import SystemClock

EVENT_TYPE = "blackstart_notice"
_TONES: Mapping[str, str] = {"bad": ":red_circle:", "good": ":large_green_circle:"}
_LONGEST_TEXT = 39_000
_LONGEST_ANSWER_BYTES = 20_000_000
_PAGES_READ = 5
_PAGE_LENGTH = 200
_CONVERSATION_ID = re.compile(r"[CGD][A-Z0-9]{7,}")
_QUIET = logging.getLogger("blackstart.slack")
_QUIET.addHandler(logging.NullHandler())  # failures are returned, and never printed over the view

Reveal = Callable[[SecretRef], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Post to one Slack channel.

    `channel` is its id (C0123…) or its name with #; `token` is a bot token with the scopes
    chat:write, channels:read and channels:history (groups:… for a private channel), and the bot
    is a member. Give the id when you can: a name costs a search when an answer was lost.
    """

    address_kind: ClassVar[str] = ""
    can_look_up: ClassVar[bool] = True

    channel: str
    token: SecretRef
    base_url: str = "https://slack.com/api/"
    timeout_s: int = 5

    def send(self, message: Message, key: str, address: str, reveal: Reveal) -> Delivery:
        """Post once."""
        client = _client(self.base_url, reveal(self.token), self.timeout_s)
        return _post(client, self.channel, message, key)

    def lookup(self, key: str, address: str, reveal: Reveal) -> Lookup:
        """Search the newest messages of the channel for the key."""
        client = _client(self.base_url, reveal(self.token), self.timeout_s)
        try:
            channel = _channel_id(client, self.channel)
            if channel is None:
                return Uncertain(reason=f"Slack lists no channel {self.channel} to look into")
            return _find(client, channel, key)
        except _TROUBLE as trouble:
            return Uncertain(reason=f"Slack could not be asked: {_reason_of(trouble)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """Write to one person in Slack, in the direct conversation with the bot.

    The person's Slack address is the user id (U0123…); `token` needs chat:write, im:write and
    im:history.
    """

    address_kind: ClassVar[str] = "slack"
    can_look_up: ClassVar[bool] = True

    token: SecretRef
    base_url: str = "https://slack.com/api/"
    timeout_s: int = 5

    def send(self, message: Message, key: str, address: str, reveal: Reveal) -> Delivery:
        """Open the conversation and post once."""
        client = _client(self.base_url, reveal(self.token), self.timeout_s)
        try:
            conversation = _conversation_with(client, address)
        except _TROUBLE as trouble:
            answer = classify(trouble)
            if isinstance(answer, Uncertain):  # opening tells nobody anything: it may be repeated
                return Rejected(reason=answer.reason, again=True)
            return answer
        return _post(client, conversation, message, key)

    def lookup(self, key: str, address: str, reveal: Reveal) -> Lookup:
        """Search the conversation for the key."""
        client = _client(self.base_url, reveal(self.token), self.timeout_s)
        try:
            return _find(client, _conversation_with(client, address), key)
        except _TROUBLE as trouble:
            return Uncertain(reason=f"Slack could not be asked: {_reason_of(trouble)}")


# What the SDK lets through: its own errors, and those of urllib, sockets and TLS below it.
_TROUBLE = (
    SlackClientError,
    URLError,
    http.client.HTTPException,
    socket.gaierror,
    ssl.SSLError,
    OSError,
    ValueError,
)


class _Client(WebClient):
    """The SDK's client, which a server that never comes to its end cannot hold."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        """Send once, and read so much and for so long only; the SDK reads without an end."""
        clock = SystemClock()
        over_s = clock.monotonic_s() + self.timeout
        with urlopen(req, context=self.ssl, timeout=self.timeout) as answer:  # noqa: S310  the plan's address
            body = bytearray()
            while piece := answer.read1(65_536):
                body += piece
                if clock.monotonic_s() > over_s or len(body) > _LONGEST_ANSWER_BYTES:
                    raise TimeoutError("the answer does not come to its end")
            return {
                "status": answer.status,
                "headers": answer.headers,
                "body": body.decode("utf-8", "replace"),
            }


def _client(base_url: str, token: str, timeout_s: int) -> WebClient:
    base = base_url if base_url.endswith("/") else f"{base_url}/"
    return _Client(
        token=token.strip(), base_url=base, timeout=timeout_s, retry_handlers=[], logger=_QUIET
    )


def _post(client: WebClient, channel: str, message: Message, key: str) -> Delivery:
    try:
        answer = client.chat_postMessage(
            channel=channel,
            text=_text_of(message),
            metadata={
                "event_type": EVENT_TYPE,
                "event_payload": {"key": key, "incident": message.incident, "kind": message.kind},
            },
            unfurl_links=False,
            unfurl_media=False,
        )
    except _TROUBLE as trouble:
        return classify(trouble)
    return Accepted(receipt=f"{answer['channel']}/{answer['ts']}")


def _text_of(message: Message) -> str:
    """Return the message in Slack's markup; &, < and > would be read as markup."""
    text = f"{_TONES.get(message.tone, ':information_source:')} *{message.subject.strip()}*"
    text = f"{text}\n{message.body.strip()}"
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "\n… (cut)"


def _conversation_with(client: WebClient, user: str) -> str:
    channel: Mapping[str, object] = client.conversations_open(users=[user])["channel"]
    return str(channel["id"])


def _channel_id(client: WebClient, channel: str) -> str | None:
    """Return the id of a channel given by id or by name; None when the workspace lists none."""
    name = channel.removeprefix("#")
    if _CONVERSATION_ID.fullmatch(name):
        return name
    cursor = ""
    while True:
        page = client.conversations_list(
            types="public_channel,private_channel", limit=_PAGE_LENGTH, cursor=cursor
        )
        for found in page["channels"]:
            if found["name"] == name:
                return str(found["id"])
        cursor = _next_of(page.get("response_metadata"))
        if not cursor:
            return None


def _find(client: WebClient, channel: str, key: str) -> Lookup:
    cursor = ""
    for _ in range(_PAGES_READ):
        page = client.conversations_history(
            channel=channel, include_all_metadata=True, limit=_PAGE_LENGTH, cursor=cursor
        )
        for found in page["messages"]:
            metadata = found.get("metadata") or {}
            if metadata.get("event_payload", {}).get("key") == key:
                return Accepted(receipt=f"{channel}/{found['ts']}")
        cursor = _next_of(page.get("response_metadata"))
        if not cursor:
            return Missing()
    read = _PAGES_READ * _PAGE_LENGTH
    return Uncertain(reason=f"the newest {read} messages do not have it, older ones were not read")


def _next_of(metadata: Mapping[str, str] | None) -> str:
    return (metadata or {}).get("next_cursor", "")


def _reason_of(trouble: Exception) -> str:
    return classify(trouble).reason


PROVIDES: Mapping[str, type] = {"post": Post, "direct": Direct}
