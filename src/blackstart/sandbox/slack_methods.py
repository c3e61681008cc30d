# SPDX-License-Identifier: Apache-2.0
"""The methods of Slack's Web API that the stand-in knows, each a function over the workspace.

A method takes the workspace, the calling user's id and the arguments, and returns the fields of the
answer or raises SlackRefusal. Arguments, answers and error codes: docs.slack.dev/reference/methods.
"""

from __future__ import annotations

from collections.abc import Mapping

from blackstart.sandbox.slack_arguments import (
    Arguments,
    Method,
    documents_of,
    member_channel,
    message_of,
    metadata_of,
    show_message,
    show_user,
    text_of,
    writable_channel,
)
from blackstart.sandbox.slack_channels import CHANNEL_METHODS
from blackstart.sandbox.slack_workspace import Json, Message, SlackRefusal, Workspace

_MOST_BLOCKS = 50
_LONGEST_TEXT = 40_000


def _auth_test(workspace: Workspace, caller: str, _: Arguments) -> Json:
    state = workspace.state
    return {
        "url": f"https://{state.team}.slack.com/",
        "team": state.team,
        "team_id": state.team_id,
        "user": workspace.user(caller).name,
        "user_id": caller,
        "bot_id": "B" + caller[1:],
        "is_enterprise_install": False,
    }


def _chat_post_message(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = writable_channel(workspace, caller, arguments)
    message = Message(ts="", user=caller, text="")
    _fill(message, arguments)
    message.metadata = metadata_of(arguments)
    message.thread_ts = text_of(arguments, "thread_ts")
    if message.thread_ts and all(known.ts != message.thread_ts for known in channel.messages):
        raise SlackRefusal("thread_not_found")
    message.ts = workspace.next_ts()
    channel.messages.append(message)
    workspace.keep_message("posted", channel, message)
    shown = show_message(message, with_metadata=True) | {"bot_id": "B" + caller[1:]}
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def _fill(message: Message, arguments: Arguments) -> None:
    """Set text, blocks and attachments from the arguments, checked as Slack checks them."""
    text = text_of(arguments, "text")
    blocks, attachments = (documents_of(arguments, name) for name in ("blocks", "attachments"))
    if not text and not blocks and not attachments:
        raise SlackRefusal("no_text")
    if len(text) > _LONGEST_TEXT:
        raise SlackRefusal("msg_too_long")
    if len(blocks) > _MOST_BLOCKS or any("type" not in block for block in blocks):
        raise SlackRefusal("invalid_blocks")
    message.text, message.blocks, message.attachments = text, blocks, attachments


def _chat_update(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = writable_channel(workspace, caller, arguments)
    message = message_of(channel, text_of(arguments, "ts"))
    if message.user != caller:
        raise SlackRefusal("cant_update_message")
    _fill(message, arguments)
    if arguments.get("metadata") is not None:
        message.metadata = metadata_of(arguments)
    message.edited = {"user": caller, "ts": workspace.next_ts()}
    workspace.keep_message("updated", channel, message)
    shown = show_message(message, with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def _chat_get_permalink(workspace: Workspace, caller: str, arguments: Arguments) -> Json:
    channel = member_channel(workspace, caller, arguments)
    message = message_of(channel, text_of(arguments, "message_ts"))
    place = f"https://{workspace.state.team}.slack.com/archives/{channel.id}"
    return {"channel": channel.id, "permalink": f"{place}/p{message.ts.replace('.', '')}"}


def _users_info(workspace: Workspace, _: str, arguments: Arguments) -> Json:
    return {"user": show_user(workspace, text_of(arguments, "user"))}


def _users_lookup_by_email(workspace: Workspace, _: str, arguments: Arguments) -> Json:
    wanted = text_of(arguments, "email").casefold()
    for user in workspace.state.users:
        if wanted and user.email.casefold() == wanted:
            return {"user": show_user(workspace, user.id)}
    raise SlackRefusal("users_not_found")


METHODS: Mapping[str, Method] = {
    **CHANNEL_METHODS,
    "auth.test": _auth_test,
    "chat.getPermalink": _chat_get_permalink,
    "chat.postMessage": _chat_post_message,
    "chat.update": _chat_update,
    "users.info": _users_info,
    "users.lookupByEmail": _users_lookup_by_email,
}
