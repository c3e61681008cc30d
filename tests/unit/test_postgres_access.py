# SPDX-License-Identifier: Apache-2.0
"""Every way into a restored database that nobody ordered is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blackstart.providers.postgres_access import Access, conninfo_of, open_to
from blackstart.providers.postgres_cluster import access_text

WANTED = tuple(access_text("flowforge", "forge", "repl", "10.70.0.1").splitlines())
LOGINS = {"postgres", "forge", "repl"}
GOOD = Access(
    rules=WANTED,
    errors=(),
    logins=("forge", "postgres", "repl"),
    superusers=("postgres",),
    encryption="scram-sha-256",
    port="5432",
)


def test_what_was_ordered_is_in_order() -> None:
    assert open_to(GOOD, WANTED, LOGINS) == ()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (replace(GOOD, rules=(*WANTED, "host all all all trust")), "open without a password"),
        (replace(GOOD, rules=(*WANTED, "host all all 0.0.0.0/0 md5")), "nobody ordered the rule"),
        (replace(GOOD, rules=WANTED[:-1]), "the rule is missing: hostssl replication repl"),
        (replace(GOOD, errors=("line 3: no such method",)), "cannot be read by the server"),
        (replace(GOOD, logins=(*GOOD.logins, "mallory")), "role mallory may log in"),
        (replace(GOOD, superusers=("forge", "postgres")), "role forge is a superuser"),
        (replace(GOOD, encryption="md5"), "new passwords are kept as md5"),
    ],
    ids=["trust", "strange", "missing", "unread", "role", "superuser", "encryption"],
)
def test_each_way_in_is_named(found: Access, words: str) -> None:
    told = open_to(found, WANTED, LOGINS)
    assert len(told) == 1
    assert words in told[0]


def test_a_password_is_quoted_for_the_server() -> None:
    assert conninfo_of("d", "u", "it's \\ here") == (
        "host='127.0.0.1' dbname='d' user='u' password='it\\'s \\\\ here' connect_timeout=5"
    )
