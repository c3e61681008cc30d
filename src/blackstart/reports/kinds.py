# SPDX-License-Identifier: Apache-2.0
"""What questions and notices are called where people read of them."""

from __future__ import annotations

from blackstart.reports.phrases import plain

ASK_WORDS = {
    "acknowledge": "to acknowledge",
    "question": "for information",
    "decision": "to decide",
    "gate": "to say go",
    "overdue": "what to do about what is past its limit",
    "stopped": "how to go on",
    "manual": "to do by hand",
    "undo": "what to do about it",
    "customer": "to hear from a customer",
    "signoff": "to sign off",
}
NOTICE_WORDS = {
    "asked": "question",
    "announced": "announcement of the incident",
    "activated": "notice that recovery was activated",
    "outage": "outage notice to users",
    "recovered": "recovery notice to users",
    "stopped": "notice that the recovery stopped",
    "restored": "notice that service is restored",
    "customer": "notice to a customer of what is left for him to do",
    "update": "news to users",
    "situation": "announcement",
    "stood_down": "notice that the incident was stood down",
    "over": "notice to users that it is over",
    "goal": "warning about the goal",
    "delayed": "notice that a step takes long",
    "prolonged": "notice that the outage is prolonged",
}


def notice_title(kind: str) -> str:
    """Return what a notice of this kind is called."""
    return NOTICE_WORDS.get(kind, f"notice “{plain(kind)}”")
