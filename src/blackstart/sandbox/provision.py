# SPDX-License-Identifier: Apache-2.0
"""Fills a new FlowFuse through its own API: people, teams, applications, instances, flows, a token.

Sources of the calls: reference/flowfuse.md §2 and §3, run against FlowFuse 2.4.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import msgspec

from blackstart.sandbox.flows import Flow, greenhouse, packing_line
from blackstart.sandbox.layout import SandboxError
from blackstart.sandbox.platform import local_client
from blackstart.sandbox.secrets_kept import Instance, Person, SandboxSecrets
from blackstart.world.clock import SystemClock, wait_until
from blackstart.world.namespaces import call_in_network
from blackstart.world.random import token
from blackstart.world.sites import Site

GROWERS, PACKERS = "Growers", "Packers"
_ROLE_OWNER, _ROLE_MEMBER = 50, 30
_TOKEN_LIFE = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """One instance to be made, with the place it goes to."""

    team: str
    application: str
    name: str
    flow: Flow


def invent_people() -> tuple[Person, ...]:
    """Return an administrator and four users in two teams, with fresh passwords."""
    names = (
        ("opsadmin", "Olga Perez", GROWERS, True),
        ("alice", "Alice Moreau", GROWERS, False),
        ("bob", "Bob Lindqvist", GROWERS, False),
        ("carol", "Carol Adeyemi", PACKERS, False),
        ("dave", "Dave Tanaka", PACKERS, False),
    )
    return tuple(
        Person(
            username=username,
            name=name,
            email=f"{username}@users.flowfuse.test",
            password=token(12),
            is_admin=is_admin,
            team=team,
        )
        for username, name, team, is_admin in names
    )


def provision(site: Site, kept: SandboxSecrets) -> SandboxSecrets:
    """Fill the platform of the site; return the secrets with what was made. Raises SandboxError."""
    return call_in_network(site, lambda: _provision(kept))


def _provision(kept: SandboxSecrets) -> SandboxSecrets:
    _set_up(kept.admin)
    with _logged_in(kept.admin) as admin:
        return _fill(admin, kept)


def _fill(admin: httpx.Client, kept: SandboxSecrets) -> SandboxSecrets:
    for person in kept.people:
        if not person.is_admin:
            _post(admin, "/api/v1/users", {**_account(person), "isAdmin": False})
    team_type = _first_id(admin, "/api/v1/team-types", "types")
    teams = {
        name: _post(admin, "/api/v1/teams", {"name": name, "slug": name.lower(), "type": team_type})
        for name in (GROWERS, PACKERS)
    }
    for person in kept.people:
        if not person.is_admin:
            _join(admin, teams[person.team], person)
    wanted = (
        _Wanted(team=GROWERS, application="Climate", name="greenhouse", flow=greenhouse()),
        _Wanted(team=PACKERS, application="Lines", name="packing-line", flow=packing_line()),
    )
    ids = [_create_instance(admin, teams[one.team], one) for one in wanted]
    made = tuple(
        _fill_instance(admin, project, one) for project, one in zip(ids, wanted, strict=True)
    )
    writer = next(person for person in kept.people if person.username == "alice")
    return replace(
        kept, instances=made, writer_token=_make_token(writer), writer_team=teams[GROWERS]
    )


def _set_up(admin: Person) -> None:
    """Do what the set-up page does."""
    with local_client() as client:
        page = client.get("/setup")
        found = re.search(r'SETUP_CSRF_TOKEN = "([^"]+)"', page.text)
        if found is None:
            raise SandboxError("FlowFuse offers no set-up page", "read the log of FlowFuse")
        client.headers["csrf-token"] = found.group(1)
        for path, body in (
            ("/setup/create-user", _account(admin)),
            ("/setup/settings", {"telemetry": False}),
            ("/setup/finish", {}),
        ):
            _answer(client.post(path, json=body))


@contextmanager
def _logged_in(person: Person) -> Iterator[httpx.Client]:
    with local_client() as client:
        login = {"username": person.username, "password": person.password}
        _answer(client.post("/account/login", json=login))
        yield client


def _account(person: Person) -> dict[str, str]:
    return {
        "name": person.name,
        "username": person.username,
        "password": person.password,
        "email": person.email,
    }


def _join(admin: httpx.Client, team: str, person: Person) -> None:
    """Invite the person and accept in their name; the first of a team also owns it."""
    role = _ROLE_OWNER if person.username in {"alice", "carol"} else _ROLE_MEMBER
    body = {"user": person.username, "role": role}
    _answer(admin.post(f"/api/v1/teams/{team}/invitations", json=body))
    with _logged_in(person) as client:
        answer = _answer(client.get("/api/v1/user/invitations"))
        for invitation in msgspec.json.decode(answer.content)["invitations"]:
            _answer(client.patch(f"/api/v1/user/invitations/{invitation['id']}", json={}))


def _create_instance(admin: httpx.Client, team: str, wanted: _Wanted) -> str:
    application = _post(admin, "/api/v1/applications", {"name": wanted.application, "teamId": team})
    kind = _first_id(admin, "/api/v1/project-types", "types")
    body = {
        "name": wanted.name,
        "applicationId": application,
        "projectType": kind,
        "stack": _first_id(admin, f"/api/v1/stacks?projectType={kind}", "stacks"),
        "template": _first_id(admin, "/api/v1/templates", "templates"),
    }
    return _post(admin, "/api/v1/projects", body)


def _fill_instance(admin: httpx.Client, project: str, wanted: _Wanted) -> Instance:
    """Import the flow, wait until it answers, take a snapshot of it."""
    path = f"/api/v1/projects/{project}"
    _await_running(admin, path, wanted.name)
    body = {
        "flows": json.dumps(wanted.flow.nodes),
        "credentials": json.dumps(wanted.flow.credentials),
        "credsSecret": "",
    }
    _answer(admin.post(f"{path}/import", json=body))
    url = str(msgspec.json.decode(_answer(admin.get(path)).content)["url"])
    local = f"http://127.0.0.1:{httpx.URL(url).port}"
    for page, text in wanted.flow.answers:
        _await_answer(f"{local}{page}", text)
    _answer(admin.post(f"{path}/snapshots", json={"name": "first", "description": ""}))
    return Instance(
        id=project, name=wanted.name, team=wanted.team, url=url, answers=wanted.flow.answers
    )


def _await_running(admin: httpx.Client, path: str, name: str) -> None:
    def runs() -> bool:
        answer = msgspec.json.decode(_answer(admin.get(path)).content)
        return bool(answer.get("meta", {}).get("state") == "running")

    if not wait_until(runs, timeout_s=90, every_s=0.2):
        raise SandboxError(f"instance {name} did not start", "read its out.log in var/projects")


def _await_answer(url: str, text: str) -> None:
    last = ["no answer"]

    def is_right() -> bool:
        try:
            with local_client() as client:
                last[0] = client.get(url, timeout=5).text
        except httpx.HTTPError as failure:
            last[0] = repr(failure)
        return last[0] == text

    if not wait_until(is_right, timeout_s=60, every_s=0.2):
        raise SandboxError(f"{url} does not answer {text!r} but {last[0][:200]!r}", "see out.log")


def _make_token(person: Person) -> str:
    expires = SystemClock().now() + _TOKEN_LIFE
    body = {"name": "writer", "scope": "", "expiresAt": int(expires.timestamp() * 1000)}
    with _logged_in(person) as client:
        answer = _answer(client.post("/api/v1/user/tokens", json=body))
    return str(msgspec.json.decode(answer.content)["token"])


def _first_id(client: httpx.Client, path: str, key: str) -> str:
    return str(msgspec.json.decode(_answer(client.get(path)).content)[key][0]["id"])


def _post(client: httpx.Client, path: str, body: Mapping[str, object]) -> str:
    """Post and return the id of what was made."""
    return str(msgspec.json.decode(_answer(client.post(path, json=body)).content)["id"])


def _answer(response: httpx.Response) -> httpx.Response:
    if not response.is_success:
        asked = f"{response.request.method} {response.request.url.path}"
        raise SandboxError(
            f"FlowFuse refused {asked}: {response.status_code} {response.text[:200]}",
            "read the log of FlowFuse in the site's folder log/",
        )
    return response
