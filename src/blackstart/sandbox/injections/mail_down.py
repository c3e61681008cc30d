# SPDX-License-Identifier: Apache-2.0
"""The mail relay is away when users have to be told, at the beginning and at the end."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, degrades, living
from blackstart.sandbox.injections._away import end_program_with
from blackstart.sandbox.layout import ELSEWHERE, Layout


def end_mail(layout: Layout) -> None:
    """End the mail server."""
    end_program_with(living(layout, ELSEWHERE), "blackstart.sandbox.mail_standin")


INJECTION = Injection(
    name="mail-down",
    what="the mail relay does not answer during the whole incident",
    expected=degrades("notify_users", "announce_recovery"),
    inject=end_mail,
)
