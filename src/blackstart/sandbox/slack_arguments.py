# SPDX-License-Identifier: Apache-2.0
"""How the Web API reads its arguments and shows its objects, shared by all its methods.

Arguments come as a form, a query or JSON; structured ones may be JSON text inside a form. Wrong
ones are refused with the codes of docs.slack.dev/reference/methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from blackstart.sandbox.slack_workspace import Channel, Json, Message, SlackRefusal, Workspace

Arguments = Mapping[str, object]
Method = Callable[[Workspace, str, Arguments], Json]


def text_of(arguments: Arguments, name: str, default: str = "") -> str:
    """Return an argument as text, or the default when it is not given."""
    value = arguments.get(name)
    return default if value is None else str(value)


def is_on(arguments: Arguments, name: str) -> bool:
    """Return True when the argument is 1 or true."""
    return text_of(arguments, name).lower() in {"1", "true"}


def documents_of(arguments: Arguments, name: str) -> list[Json]:
    """Return blocks or attachments: a list, or a list as JSON text."""
    value = arguments.get(name) or []
    try:
        return msgspec.convert(
            msgspec.json.decode(value) if isinstance(value, str) else value, list[Json]
        )
    except msgspec.MsgspecError as wrong:
        raise SlackRefusal(f"invalid_{name}") from wrong


def metadata_of(arguments: Arguments) -> Json | None:
    """Return the message's metadata, checked as Slack checks it."""
    value = arguments.get("metadata")
    try:
        decoded = msgspec.json.decode(value) if isinstance(value, str) else value
        metadata = msgspec.convert(decoded, Json | None)
    except msgspec.MsgspecError as wrong:
        raise SlackRefusal("invalid_metadata_format") from wrong
    if metadata is not None and not {"event_type", "event_payload"} <= metadata.keys():
        raise SlackRefusal("invalid_metadata_schema")
    return metadata


def users_of(arguments: Arguments) -> list[str]:
    """Return the user ids of a list or of a text with commas. Raises SlackRefusal no_user."""
    value = arguments.get("users") or ""
    listed = value if isinstance(value, list) else str(value).split(",")
    found = [str(name).strip() for name in listed if str(name).strip()]
    if not found:
        raise SlackRefusal("no_user")
    return found


def writable_channel(workspace: Workspace, caller: str, arguments: Arguments) -> Channel:
    """Return the channel that the caller may write to. Raises SlackRefusal."""
    channel = member_channel(workspace, caller, arguments)
    if channel.is_archived:
        raise SlackRefusal("is_archived")
    return channel


def member_channel(workspace: Workspace, caller: str, arguments: Arguments) -> Channel:
    """Return the channel, which the caller must be in; a user's id means a direct one."""
    name = text_of(arguments, "channel")
    if any(user.id == name for user in workspace.state.users):
        return workspace.direct_channel(caller, name)
    channel = workspace.channel(name)
    if caller not in channel.members:
        raise SlackRefusal("not_in_channel")
    return channel


def message_of(channel: Channel, ts: str) -> Message:
    """Return the message with that ts. Raises SlackRefusal message_not_found."""
    for message in channel.messages:
        if message.ts == ts:
            return message
    raise SlackRefusal("message_not_found")


def show_channel(channel: Channel, caller: str) -> Json:
    """Return the channel object as the API shows it to the caller."""
    shown: Json = {
        "id": channel.id,
        "created": channel.created,
        "creator": channel.creator,
        "is_channel": not channel.is_im,
        "is_im": channel.is_im,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_member": caller in channel.members,
        "num_members": len(channel.members),
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": channel.purpose, "creator": "", "last_set": 0},
    }
    if not channel.is_im:
        shown |= {"name": channel.name, "name_normalized": channel.name}
    return shown


def show_message(message: Message, *, with_metadata: bool) -> Json:
    """Return the message object as the API shows it."""
    shown: Json = {"type": "message"} | msgspec.to_builtins(message)
    if not with_metadata:
        shown.pop("metadata", None)
    return shown


def show_user(workspace: Workspace, user_id: str) -> Json:
    """Return the user object as the API shows it."""
    user = workspace.user(user_id)
    profile = {"email": user.email, "real_name": user.real_name, "display_name": user.name}
    return {
        "id": user.id,
        "team_id": workspace.state.team_id,
        "name": user.name,
        "real_name": user.real_name,
        "is_bot": user.is_bot,
        "deleted": False,
        "profile": profile,
    }


def page_of(found: list[object], arguments: Arguments, name: str, limit: int) -> Json:
    """Return one page and the cursor of the next, as the Web API pages its lists."""
    cursor = text_of(arguments, "cursor") or "0"
    size = text_of(arguments, "limit") or str(limit)
    if not cursor.isdigit():
        raise SlackRefusal("invalid_cursor")
    if not size.isdigit() or not 0 < int(size) <= 1000:
        raise SlackRefusal("invalid_limit")
    start, end = int(cursor), int(cursor) + int(size)
    following = str(end) if end < len(found) else ""
    return {
        name: found[start:end],
        "has_more": bool(following),
        "response_metadata": {"next_cursor": following},
    }


def is_between(message: Message, arguments: Arguments) -> bool:
    """Return True when the message lies between `oldest` and `latest`."""
    oldest = float(text_of(arguments, "oldest") or 0)
    latest = float(text_of(arguments, "latest") or "inf")
    if is_on(arguments, "inclusive"):
        return oldest <= float(message.ts) <= latest
    return oldest < float(message.ts) < latest
