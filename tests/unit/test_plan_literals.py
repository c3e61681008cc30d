# SPDX-License-Identifier: Apache-2.0
"""A plan that holds a password itself is a problem, wherever it stands; a reference is none."""

from __future__ import annotations

import pytest

from tests.sample_plan import edited, only_problem_of, problems_of

MAIL = "smtp.example.net"


@pytest.mark.parametrize(
    "text",
    [
        "https://ada:hunter2@example.net/",
        "postgresql://:hunter2@db/app",
        "host=db user=app password=hunter2",
        "host=db;PASSWD = hunter2",
    ],
)
def test_a_password_in_the_plan_is_named_by_its_place_and_not_by_its_value(text: str) -> None:
    problem = only_problem_of(
        edited(("public_name: app.example.com\n", f"public_name: '{text}'\n"))
    )
    assert "a password stands in the plan" in problem
    assert "secret:file/PATH" in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    "text",
    [
        "https://example.net:8443/a@b",
        "https://ada@example.net/",
        "host=db user=app",
        "the password is with ada",
        "password=${settings.public_name}",
    ],
)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    plan = edited(("public_name: app.example.com\n", f"public_name: '{text}'\n"))
    assert not [line for line in problems_of(plan) if "password stands" in line]
