# SPDX-License-Identifier: Apache-2.0
"""Work in a site that is gone is gone with it: nobody waits for its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blackstart.ports.action import Done, Partial, Unknown
from blackstart.ports.secrets import SecretRef
from blackstart.providers.flowfuse_restored import Relocate
from blackstart.providers.postgres import Promote
from blackstart.providers.sql import Execute
from blackstart.providers.traces import finish
from tests.own_site import make_own_site
from tests.provider_stage import Stage

_REF = SecretRef("secret:test/word")


def verbs(place: str) -> dict[str, Any]:
    where: dict[str, Any] = {"place": place, "site": "recovery"}
    promote = Promote(
        **where,
        database="app",
        owner="owner",
        owner_password=_REF,
        replication_password=_REF,
        trusted="",
        replication="",
    )
    return {
        "postgres.promote": promote,
        "flowfuse.relocate": Relocate(**where, public_name="app.example.com"),
        "sql.execute": Execute(**where, database="app", user="postgres", text="SELECT 1"),
    }


@pytest.mark.parametrize("name", ["postgres.promote", "flowfuse.relocate", "sql.execute"])
def test_a_gone_site_is_known_and_a_silent_one_is_not(name: str, tmp_path: Path) -> None:
    directory = make_own_site(tmp_path)
    (directory / "keys").mkdir()
    context, verb = Stage().context(), verbs(str(tmp_path))[name]
    finish(directory, name, context, Done(summary="done"))
    assert isinstance(verb.inspect(context), Unknown)  # it lives, and no server answers there
    (directory / "site.json").unlink()
    found = verb.inspect(context)
    assert isinstance(found, Partial)
    assert "site recovery is gone" in found.note
