# SPDX-License-Identifier: Apache-2.0
"""Fills the new application through its own API: accounts, countries, room for orders."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import httpx

from blackstart.sandbox.layout import SandboxError
from blackstart.sandbox.secrets_kept import Person
from blackstart.sandbox.webapp.names import PORT, SHOP
from blackstart.world.namespaces import call_in_network
from blackstart.world.random import token
from blackstart.world.sites import Site

ADMIN, WRITER = "admin", "writer"
_COUNTRIES = {"nl": "Amsterdam", "pt": "Lisbon", "pl": "Warsaw", "fi": "Helsinki", "it": "Rome"}
_OPEN = {"read": ["system.Everyone"]}


def invent_people() -> tuple[Person, ...]:
    """Return the people who have accounts, with new passwords."""
    names = ((ADMIN, "Admin"), (WRITER, "The Till"), ("anna", "Anna"), ("joao", "João"))
    return tuple(
        Person(
            username=name,
            name=called,
            email=f"{name}@users.flowfuse.test",
            password=token(),
            is_admin=name == ADMIN,
            team="shop",
        )
        for name, called in names
    )


def fill(site: Site, people: tuple[Person, ...]) -> None:
    """Make everything; the administrator exists already. Raises SandboxError."""
    admin = next(person for person in people if person.is_admin)
    call_in_network(site, partial(_fill, admin, people))


def _fill(admin: Person, people: tuple[Person, ...]) -> None:
    base = f"http://127.0.0.1:{PORT}"
    login = (admin.username, admin.password)
    with httpx.Client(base_url=base, auth=login, timeout=20, trust_env=False) as client:
        for person in people:
            if not person.is_admin:
                _put(client, f"/v1/accounts/{person.username}", {"password": person.password})
        _put(client, "/v1/buckets/shop", {})
        _put(client, f"{SHOP}/countries", {}, _OPEN)
        for code, capital in _COUNTRIES.items():
            _put(client, f"{SHOP}/countries/records/{code}", {"capital": capital})
        _put(client, f"{SHOP}/orders", {}, {"record:create": [f"account:{WRITER}"]})


def _put(
    client: httpx.Client,
    path: str,
    content: Mapping[str, str],
    permissions: Mapping[str, list[str]] | None = None,
) -> None:
    body = {"data": content, **({"permissions": permissions} if permissions else {})}
    answer = client.put(path, json=body)
    if answer.status_code not in {200, 201}:
        said = f"{path}: {answer.status_code} {answer.text[:200]}"
        raise SandboxError(f"the web application refuses what fills it: {said}", "read its log")
