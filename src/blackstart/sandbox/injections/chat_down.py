# SPDX-License-Identifier: Apache-2.0
"""The chat is away from the first message to the last: people must be told by mail instead."""

from __future__ import annotations

from blackstart.sandbox.injection import TOLD, Injection, living
from blackstart.sandbox.injections._away import end_program_with
from blackstart.sandbox.layout import ELSEWHERE, Layout


def end_chat(layout: Layout) -> None:
    """End the Slack stand-in."""
    end_program_with(living(layout, ELSEWHERE), "blackstart.sandbox.slack_standin")


INJECTION = Injection(
    name="chat-down",
    what="the chat does not answer during the whole incident",
    expected=TOLD,
    inject=end_chat,
)
