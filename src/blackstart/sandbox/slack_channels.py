# SPDX-License-Identifier: Apache-2.0
"""The methods of Slack's Web API about channels: conversations.*, pins.* and bookmarks.*."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from blackstart.sandbox.slack_arguments import (
    Arguments,
    Method,
    is_between,
    is_on,
    member_channel,
    message_of,
    page_of,
    show_channel,
    show_message,
    text_of,
    users_of,
    writable_channel,
)
from blackstart.sandbox.slack_workspace import Json, Message, SlackRefusal, Workspace

_LONGEST_NAME = 80
_NAME = re.compile(r"[a-z0-9_\-]+")


def _conversations_create(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    name = text_of(arguments, "name")
    if not name:
        raise SlackRefusal("invalid_name_required")
    if len(name) > _LONGEST_NAME:
        raise SlackRefusal("invalid_name_maxlength")
    if not _NAME.fullmatch(name):
        raise SlackRefusal("invalid_name_specials")
    if any(channel.name == name and not channel.is_im for channel in workspace.state.channels):
        raise SlackRefusal("name_taken")
    is_private = is_on(arguments, "is_private")
    channel = workspace.add_channel(name, caller, [caller], is_private=is_private)
    return {"channel": show_channel(channel, caller)}


def _conversations_list(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    types = text_of(arguments, "types", "public_channel").replace(" ", "").split(",")
    found: list[object] = []
    for channel in workspace.state.channels:
        kind = (
            "im" if channel.is_im else "private_channel" if channel.is_private else "public_channel"
        )
        is_hidden = (kind != "public_channel" and caller not in channel.members) or (
            channel.is_archived and is_on(arguments, "exclude_archived")
        )
        if kind in types and not is_hidden:
            found.append(show_channel(channel, caller))
    return page_of(found, arguments, "channels", 100)


def _conversations_info(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = workspace.channel(text_of(arguments, "channel"))
    if (channel.is_private or channel.is_im) and caller not in channel.members:
        raise SlackRefusal("channel_not_found")
    return {"channel": show_channel(channel, caller)}


def _conversations_history(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = member_channel(workspace, caller, arguments)
    top = [m for m in channel.messages if m.thread_ts in {"", m.ts} and is_between(m, arguments)]
    return page_of(_shown_newest_last(top, arguments)[::-1], arguments, "messages", 100)


def _conversations_replies(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = member_channel(workspace, caller, arguments)
    parent = text_of(arguments, "ts")
    if all(message.ts != parent for message in channel.messages):
        raise SlackRefusal("thread_not_found")
    thread = [m for m in channel.messages if parent in {m.ts, m.thread_ts}]
    thread = [m for m in thread if m.ts == parent or is_between(m, arguments)]
    return page_of(_shown_newest_last(thread, arguments), arguments, "messages", 1000)


def _shown_newest_last(messages: list[Message], arguments: Arguments) -> list[object]:
    with_metadata = is_on(arguments, "include_all_metadata")
    return [show_message(message, with_metadata=with_metadata) for message in messages]


def _conversations_invite(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = writable_channel(workspace, caller, arguments)
    invited = [workspace.user(name).id for name in users_of(arguments)]
    if caller in invited:
        raise SlackRefusal("cant_invite_self")
    if any(user in channel.members for user in invited):
        raise SlackRefusal("already_in_channel")
    channel.members.extend(invited)
    workspace.keep()
    return {"channel": show_channel(channel, caller)}


def _conversations_join(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = workspace.channel(text_of(arguments, "channel"))
    if channel.is_archived:
        raise SlackRefusal("is_archived")
    if channel.is_private or channel.is_im:
        raise SlackRefusal("method_not_supported_for_channel_type")
    if caller not in channel.members:
        channel.members.append(caller)
        workspace.keep()
    return {"channel": show_channel(channel, caller)}


def _conversations_open(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    users = users_of(arguments)
    if len(users) != 1:
        raise SlackRefusal("method_not_supported_for_channel_type")
    return {"channel": show_channel(workspace.direct_channel(caller, users[0]), caller)}


def _conversations_set_topic(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = writable_channel(workspace, caller, arguments)
    channel.topic = text_of(arguments, "topic")
    workspace.keep()
    return {"channel": show_channel(channel, caller)}


def _conversations_archive(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = member_channel(workspace, caller, arguments)
    if channel.is_archived:
        raise SlackRefusal("already_archived")
    channel.is_archived = True
    workspace.keep()
    return {}


def _conversations_unarchive(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = member_channel(workspace, caller, arguments)
    if not channel.is_archived:
        raise SlackRefusal("not_archived")
    channel.is_archived = False
    workspace.keep()
    return {}


def _pins_add(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = writable_channel(workspace, caller, arguments)
    message = message_of(channel, text_of(arguments, "timestamp"))
    if message.ts in channel.pins:
        raise SlackRefusal("already_pinned")
    channel.pins.append(message.ts)
    workspace.keep()
    return {}


def _bookmarks_add(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = workspace.channel(text_of(arguments, "channel_id"))
    if caller not in channel.members:
        raise SlackRefusal("channel_not_found")
    bookmark: Json = {
        "id": workspace.next_id("Bk"),
        "channel_id": channel.id,
        "title": text_of(arguments, "title"),
        "type": text_of(arguments, "type"),
        "link": text_of(arguments, "link"),
        "date_created": int(datetime.now(UTC).timestamp()),
    }
    channel.bookmarks.append(bookmark)
    workspace.keep()
    return {"bookmark": bookmark}


def _bookmarks_list(workspace: Workspace, _: str, arguments: Arguments) -> Json:
    return {"bookmarks": workspace.channel(text_of(arguments, "channel_id")).bookmarks}


CHANNEL_METHODS: Mapping[str, Method] = {
    "bookmarks.add": _bookmarks_add,
    "bookmarks.list": _bookmarks_list,
    "conversations.archive": _conversations_archive,
    "conversations.create": _conversations_create,
    "conversations.history": _conversations_history,
    "conversations.info": _conversations_info,
    "conversations.invite": _conversations_invite,
    "conversations.join": _conversations_join,
    "conversations.list": _conversations_list,
    "conversations.open": _conversations_open,
    "conversations.replies": _conversations_replies,
    "conversations.setTopic": _conversations_set_topic,
    "conversations.unarchive": _conversations_unarchive,
    "pins.add": _pins_add,
}
