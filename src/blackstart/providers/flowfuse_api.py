# SPDX-License-Identifier: Apache-2.0
"""FlowFuse's own HTTP interface (version 2.4.0), asked from inside the site or by its public name.

There is no health endpoint: any unknown path is answered 200 with the page of the application. So
only answers that cannot come from there are believed.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256

import msgspec

from blackstart.model.errors import WorldFailed
from blackstart.providers.manifest import Instance, Probe
from blackstart.providers.places import Workplace
from blackstart.world.http import FetchFailed, Response
from blackstart.world.random import token

PLATFORM = "http://127.0.0.1:3000"
LAUNCHER_OFFSET = 1000  # the launcher's own port is the instance's plus this
_JSON = {"Content-Type": "application/json"}
_TOKEN_MINUTES = 15

Ask = Callable[..., Response]  # (path, method=, headers=, body=) of one server

_ADD_ROW = """
DELETE FROM "AccessTokens" WHERE name = :'name';
INSERT INTO "AccessTokens"
  (token, name, scope, "ownerType", "ownerId", "expiresAt", "createdAt", "updatedAt")
SELECT :'hash', :'name', '', 'user', id::text,
  now() + :'minutes' * interval '1 minute', now(), now()
FROM "Users" WHERE admin AND NOT coalesce(suspended, false) ORDER BY id LIMIT 1 RETURNING id;
"""


class _Settings(msgspec.Struct):
    features: dict[str, object]


class _Launcher(msgspec.Struct):
    id: str
    state: str
    last_start_ms: int = msgspec.field(default=0, name="lastStartTime")


class _User(msgspec.Struct):
    username: str


def is_up(ask: Ask) -> bool:
    """Say whether the platform's interface answers with its settings."""
    try:
        answer = ask("/api/v1/settings")
        msgspec.json.decode(answer.body, type=_Settings)
    except (FetchFailed, msgspec.DecodeError):
        return False
    return answer.status == 200


def log_in_problem(ask: Ask, login: str) -> str:
    """Log in, read the own account, log out; return what went wrong, or an empty text.

    `login` is `user:password`. Raises FetchFailed when the platform does not answer.
    """
    username, _, password = login.strip().partition(":")
    body = msgspec.json.encode({"username": username, "password": password})
    answer = ask("/account/login", method="POST", headers=_JSON, body=body)
    cookie = answer.header("set-cookie").partition(";")[0]
    if answer.status != 200 or not cookie.startswith("sid="):
        return f"the platform answers {answer.status} to the log-in of {username}"
    who = ask("/api/v1/user", headers={"Cookie": cookie})
    ask("/account/logout", method="POST", headers={**_JSON, "Cookie": cookie}, body=b"{}")
    try:
        found = msgspec.json.decode(who.body, type=_User).username
    except msgspec.DecodeError:
        return f"the account of {username} is answered with {who.status}"
    return "" if found == username else f"logged in as {username}, the platform says {found}"


def accepts_wrong_password(ask: Ask, login: str) -> bool:
    """Say whether the platform takes a password that is certainly wrong."""
    username = login.strip().partition(":")[0]
    body = msgspec.json.encode({"username": username, "password": token(12)})
    return ask("/account/login", method="POST", headers=_JSON, body=body).status == 200


def probe_problem(ask: Ask, instance: Instance, probe: Probe) -> str:
    """Ask one page of a flow; return what is wrong with the answer, or an empty text."""
    try:
        answer = ask(probe.path)
    except FetchFailed as failure:
        return f"{instance.name}{probe.path} does not answer ({failure.what.rpartition(': ')[2]})"
    if answer.status != 200:
        return f"{instance.name}{probe.path} answers {answer.status}"
    if sha256(answer.body).hexdigest() != probe.sha256:
        return f"{instance.name}{probe.path} answers something else than before"
    return ""


def instance_state(work: Workplace, port: int, instance_id: str) -> tuple[str, int]:
    """Return what the launcher says: the instance's state, and when it last started (ms).

    The state is `unreachable`, or `another`, when it is not the launcher of that instance.
    """
    try:
        url = f"http://127.0.0.1:{port + LAUNCHER_OFFSET}/flowforge/info"
        told = msgspec.json.decode(work.get(url, limit_s=2.0).body, type=_Launcher)
    except (FetchFailed, msgspec.DecodeError):
        return "unreachable", 0
    return (told.state, told.last_start_ms) if told.id == instance_id else ("another", 0)


def act_on_instance(work: Workplace, bearer: str, instance_id: str, act: str) -> None:
    """Ask the platform to `start` or `suspend` an instance. Raises WorldFailed, FetchFailed."""
    answer = work.get(
        f"{PLATFORM}/api/v1/projects/{instance_id}/actions/{act}",
        method="POST",
        headers={**_JSON, "Authorization": f"Bearer {bearer}"},
        body=b"{}",
        limit_s=30.0,
    )
    if answer.status != 200:
        raise WorldFailed(
            f"the platform refuses to {act} instance {instance_id}: {answer.text[:200]}",
            "read log/flowfuse.log; is the team's type allowed to run it?",
        )


@contextmanager
def administrator_token(work: Workplace) -> Iterator[str]:
    """Give a token of an administrator for a few minutes, and take it back.

    Only the row of a fresh random token's SHA-256 goes into the database, as FlowFuse itself keeps
    it; it ends by itself after 15 minutes, should we die. Nobody's password is needed, and none is
    changed. FlowFuse notes the starts in its audit log under that administrator's name.
    """
    secret = f"ffpat_{token(32)}"
    name = f"blackstart {work.context.marker}"
    digest = b64encode(hashlib.sha256(secret.encode()).digest()).decode()
    values = {"hash": digest, "name": name, "minutes": str(_TOKEN_MINUTES)}
    if not work.sql(_ADD_ROW, values=values):
        raise WorldFailed(
            "the platform has no administrator to start instances with",
            "start the instances by hand, or give a user administrator's rights",
        )
    try:
        yield secret
    finally:
        work.sql("""DELETE FROM "AccessTokens" WHERE name = :'name'""", values={"name": name})


def asking(work: Workplace, base: str = PLATFORM) -> Ask:
    """Return a function that asks one server inside the site."""

    def ask(
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        return work.get(f"{base}{path}", method=method, headers=headers, body=body, limit_s=10.0)

    return ask
