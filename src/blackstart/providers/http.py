# SPDX-License-Identifier: Apache-2.0
"""One HTTP question with an expected answer, asked from where the check runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import seconds_left
from blackstart.providers.traces import returns_failures
from blackstart.world.clock import SystemClock
from blackstart.world.http import Response, fetch

_NO_SECRET = SecretRef("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Expect a status, and if wanted a text, from a URL.

    `connect_to` sends the request to that address while name, Host header and certificate check
    stay those of the URL, so that a new site can be asked before its name points to it.
    `ca_certificate` is the only authority trusted (empty: those of the system). With `contains`
    the body must hold that text. With `bearer` the request carries that token. Redirects are not
    followed: they are an answer.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "status": "the status that came",
        "took_ms": "time from the question to the whole answer, in milliseconds",
    }

    url: str
    status: int = 200
    connect_to: str = ""
    ca_certificate: str = ""
    contains: str = ""
    bearer: SecretRef = _NO_SECRET
    method: str = "GET"
    timeout_s: float = 5.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Ask once."""
        clock = SystemClock()
        started_s = clock.monotonic_s()
        answer = fetch(
            self.url,
            method=self.method,
            headers=self._headers(context),
            connect_to=self.connect_to or None,
            ca=Path(self.ca_certificate) if self.ca_certificate else None,
            timeout_s=min(self.timeout_s, seconds_left(context)),
        )
        return self._judge(answer, round((clock.monotonic_s() - started_s) * 1000), context)

    def _headers(self, context: Context) -> Mapping[str, str]:
        if self.bearer == _NO_SECRET:
            return {}
        return {"Authorization": f"Bearer {context.reveal(self.bearer).strip()}"}

    def _judge(self, answer: Response, took_ms: int, context: Context) -> Outcome:
        asked = f"{self.method} {self.url}"
        if self.connect_to:
            asked += f" at {self.connect_to}"
        if answer.status != self.status:
            return Failed(
                summary=f"{asked} answered {answer.status}, expected {self.status}.",
                hint=_hint_for(answer.status, self.status),
                evidence=(context.keep("http-answer.txt", answer.body[:20_000]),),
            )
        if self.contains and self.contains not in answer.text:
            return Failed(
                summary=f"{asked} answered {answer.status} without the text {self.contains!r}.",
                hint="another page is served under this name: look at what came (evidence)",
                evidence=(context.keep("http-answer.txt", answer.body[:20_000]),),
            )
        return Done(
            summary=f"{asked} answered {answer.status} in {took_ms} ms.",
            outputs={"status": answer.status, "took_ms": took_ms},
        )


def _hint_for(status: int, expected: int) -> str:
    if expected == 503 and status in {401, 404}:
        return "devices clear their configuration on 401 and 404: stop this front at once"
    if status in {502, 504}:
        return "the front runs and what is behind it does not answer: look at the platform's log"
    if status == 503:
        return "the front still holds visitors back: it has to be told to admit them"
    return "look which program answers at this address, and at its log"


PROVIDES: Mapping[str, type] = {"expect": Expect}
