# SPDX-License-Identifier: Apache-2.0
"""A web application, verified by what it answers: its pages, its log-in, its public name.

A log-in is tried by HTTP Basic (RFC 7617): `user:password` in the Authorization header.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeAlias

from blackstart.model.errors import BlackstartError
from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.flowfuse_public import resolve
from blackstart.providers.limits import wait_within
from blackstart.providers.places import look_into
from blackstart.providers.traces import returns_failures
from blackstart.world.http import Response, fetch
from blackstart.world.random import token

_NO_SECRET = SecretRef("")
_LOOK_EVERY_S = 0.25
_TIMEOUT_S = 5.0
_REFUSALS = (401, 403)

Ask: TypeAlias = Callable[[str, Mapping[str, str]], Response]  # (path, headers) of one server


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectPages:
    """Expect that each page of the application answers 200 and holds a text, asked inside the site.

    `pages` maps a path to a text. Choose pages that only the right application can answer, and only
    with the right data: a known record, the name of the oldest customer.
    """

    outputs: ClassVar[Mapping[str, str]] = {"pages": "how many pages are right"}
    place: str
    site: str
    url: str
    pages: Mapping[str, str]

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Ask for each page once."""
        work = look_into(self.place, self.site, context)

        def ask(path: str, headers: Mapping[str, str]) -> Response:
            return work.get(f"{self.url}{path}", headers=headers, limit_s=_TIMEOUT_S)

        problems = page_problems(ask, self.pages)
        if problems or not self.pages:
            return Failed(
                summary="; ".join(problems) or "there is no page to look at: it proves nothing",
                hint="read the application's log; is this its right version, and the right data?",
            )
        return Done(
            summary=f"{len(self.pages)} pages answer as they should",
            outputs={"pages": len(self.pages)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectLogin:
    """Expect that an old password opens a page, and that a wrong password and none do not.

    `login` is `user:password` of an account that existed before; `page` is a path that needs one.
    """

    outputs: ClassVar[Mapping[str, str]] = {}
    place: str
    site: str
    url: str
    page: str
    login: SecretRef

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Ask three times: with the password, with a wrong one, without any."""
        work = look_into(self.place, self.site, context)

        def ask(path: str, headers: Mapping[str, str]) -> Response:
            return work.get(f"{self.url}{path}", headers=headers, limit_s=_TIMEOUT_S)

        problem = login_problem(ask, self.page, context.reveal(self.login))
        if problem:
            return Failed(
                summary=problem,
                hint="are the accounts in the restored data, and is the application's own secret "
                "the old one?",
            )
        return Done(summary=f"an old password opens {self.page}; a wrong one and none do not")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectPublic:
    """Expect that the public name serves the application: resolved afresh, certificate good, an
    old password opens the page that needs one, and every page is right.

    Looks again until `within_s` is over. First service is when the first page was right under the
    public name, full service when all were and the log-in too. Without `login_page` no log-in is
    tried, and the result says so.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "first_service_at": "when the public name first served a right page (ISO 8601)",
        "full_service_at": "when all pages and the log-in were right (ISO 8601)",
    }
    public_name: str
    address: str
    ca_certificate: str
    pages: Mapping[str, str]
    login_page: str = ""
    login: SecretRef = _NO_SECRET
    within_s: float = 30.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look until everything is as it should be."""
        if not self.pages:
            return Failed(summary="there is no page to look at", hint="name one in `pages`")
        look = _Look(action=self, context=context)
        if not wait_within(
            context, look.is_served, at_most_s=float(self.within_s), every_s=_LOOK_EVERY_S
        ):
            return Failed(
                summary="; ".join(look.problems) or "stopped on request",
                hint="look at the record, the front (log/front.log) and the application's log; "
                "roll the record back if users get something wrong",
            )
        login = "the log-in works" if self.login_page else "no log-in was tried"
        return Done(
            summary=f"https://{self.public_name} serves from {self.address}: {login} and "
            f"{len(self.pages)} pages are right",
            outputs={"first_service_at": look.first, "full_service_at": look.full},
        )


@dataclass(slots=True, kw_only=True)
class _Look:
    """What was seen so far."""

    action: ExpectPublic
    context: Context
    first: str = ""
    full: str = ""
    problems: list[str] = field(default_factory=list)

    def is_served(self) -> bool:
        """Look once."""
        try:
            self.problems = self._problems()
        except BlackstartError as failure:
            self.problems = [failure.what]
        if not self.problems:
            self.full = self._now()
        return bool(self.full)

    def _problems(self) -> list[str]:
        name, address = self.action.public_name, self.action.address
        found = resolve(name)
        if found != (address,):
            return [f"{name} leads to {', '.join(found) or 'nowhere'}, not to {address}"]
        problems = page_problems(self._ask, self.action.pages)
        if len(problems) < len(self.action.pages):
            self.first = self.first or self._now()
        if not problems and self.action.login_page:
            login = self.context.reveal(self.action.login)
            problem = login_problem(self._ask, self.action.login_page, login)
            problems = [problem] if problem else []
        return problems

    def _ask(self, path: str, headers: Mapping[str, str]) -> Response:
        return fetch(
            f"https://{self.action.public_name}{path}",
            headers=headers,
            ca=Path(self.action.ca_certificate),
            timeout_s=_TIMEOUT_S,
        )

    def _now(self) -> str:
        return self.context.now().isoformat(timespec="milliseconds")


def page_problems(ask: Ask, pages: Mapping[str, str]) -> list[str]:
    """Return one sentence for each page that is not as it should be."""
    told = []
    for path, text in pages.items():
        answer = ask(path, {})
        if answer.status != 200:
            told.append(f"{path} answers {answer.status}, not 200")
        elif text not in answer.text:
            told.append(f"{path} answers without the text {text!r}")
    return told


def login_problem(ask: Ask, page: str, login: str) -> str:
    """Return what is wrong with the log-in, or nothing. The password is in no sentence."""
    user, _, password = login.strip().partition(":")
    if not user or not password:
        return "the log-in to try is not of the form user:password"
    status = ask(page, _basic(user, password)).status
    if status != 200:
        return f"the old password of {user} does not open {page}: {status}"
    for what, headers in (("a wrong password", _basic(user, token())), ("no password", {})):
        status = ask(page, headers).status
        if status not in _REFUSALS:
            return f"{page} answers {status} to {what}"
    return ""


def _basic(user: str, password: str) -> Mapping[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


PROVIDES: Mapping[str, type] = {
    "expect_pages": ExpectPages,
    "expect_login": ExpectLogin,
    "expect_public": ExpectPublic,
}
