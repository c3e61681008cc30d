# SPDX-License-Identifier: Apache-2.0
"""What Slack's errors mean for a message: not taken and again, not taken for good, or nobody knows.

Error names: docs.slack.dev/reference/methods/chat.postMessage. Of `internal_error` and
`fatal_error` Slack says itself that a part may have been done; the same holds for any answer of
the kind 5xx and for a connection that broke after the request was written.
"""

from __future__ import annotations

import re
import socket
import ssl
from urllib.error import URLError

from slack_sdk.errors import SlackApiError

from blackstart.ports.channel import Rejected, Uncertain

_MAYBE_DONE = frozenset({"internal_error", "fatal_error", "request_timeout"})
_LATER = frozenset({"ratelimited", "rate_limited", "service_unavailable", "team_added_to_org"})
_REMEDIES = {
    "invalid_auth": "the token is wrong: give the bot token of this workspace",
    "not_authed": "no token was given",
    "token_revoked": "the token was revoked: reinstall the app",
    "token_expired": "the token has expired: renew it",
    "account_inactive": "the bot's account is disabled: reinstall the app",
    "missing_scope": "the app lacks a scope (chat:write): add it and reinstall",
    "channel_not_found": "no such channel, or a private one without the bot: invite the bot",
    "not_in_channel": "the bot is not a member: invite it to the channel",
    "is_archived": "the channel is archived: unarchive it or name another",
    "user_not_found": "no such user: correct the address in the plan",
}
_SLUG = re.compile(r"[a-z][a-z0-9_]*")
_BUSY_S = 5.0


def classify(trouble: Exception) -> Rejected | Uncertain:
    """Return what a failed call means for the message that it carried."""
    if isinstance(trouble, SlackApiError):
        return _of_answer(trouble)
    if isinstance(trouble, URLError) and _is_before_sending(trouble.reason):
        return Rejected(reason=f"Slack cannot be reached: {trouble.reason}", again=True)
    if isinstance(trouble, ValueError) and not isinstance(trouble, OSError):
        return Rejected(reason=f"the Slack settings are wrong: {trouble}", again=False)
    return Uncertain(reason=f"the answer of Slack was lost: {_words(trouble)}")


def _of_answer(trouble: SlackApiError) -> Rejected | Uncertain:
    response = trouble.response
    status = int(response.status_code)
    error = str(response.get("error", ""))
    if status == 429 or error in _LATER:
        after_s = float(response.headers.get("Retry-After") or _BUSY_S)
        return Rejected(reason="Slack asks to wait", again=True, after_s=after_s)
    if status >= 500 or error in _MAYBE_DONE or not _SLUG.fullmatch(error):
        said = error.splitlines()[0][:120] if error else "nothing"
        return Uncertain(reason=f"Slack answered {status} and said {said}")
    remedy = _REMEDIES.get(error)
    return Rejected(
        reason=f"Slack refused: {error}" + (f" ({remedy})" if remedy else ""), again=False
    )


def _words(trouble: Exception) -> str:
    return str(trouble) or type(trouble).__name__


def _is_before_sending(reason: object) -> bool:
    """Say whether the connection failed before the request could be on its way.

    urllib wraps what happens up to the writing of the request; our requests are smaller than any
    send buffer, so a time-out there is one of the connection. A reset may come later: not counted.
    """
    return isinstance(
        reason,
        (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError, TimeoutError),
    ) or (isinstance(reason, OSError) and reason.errno in {101, 113})  # no route to net or host
