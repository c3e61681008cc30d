# SPDX-License-Identifier: Apache-2.0
"""SQL as text: where a statement ends, what gives rows, and values as literals."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.model.errors import Refused
from blackstart.providers.sql_text import answers, cut, literal
from blackstart.world.hidden_file import hidden_file


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1", ("SELECT 1",)),
        (" SELECT 1 ;; SELECT 2; ", ("SELECT 1", "SELECT 2")),
        ("SELECT ';' ; SELECT \"a;b\"", ("SELECT ';'", 'SELECT "a;b"')),
        ("SELECT 'it''s;'; x", ("SELECT 'it''s;'", "x")),
        ("SELECT E'\\';'; x", ("SELECT E'\\';'", "x")),
        ("DO $a$ BEGIN; $$;$$ END $a$; x", ("DO $a$ BEGIN; $$;$$ END $a$", "x")),
        ("-- no; nothing\nSELECT 1 /* ; /* ; */ ; */; x", ("SELECT 1", "x")),
        ("SELECT 1 /* never ends ;", ("SELECT 1",)),
        ("SELECT 'never ends ;", ("SELECT 'never ends",)),
        ("SELECT a::int, b[1:2]", ("SELECT a::int, b[1:2]",)),
        ("", ()),
    ],
)
def test_a_text_is_cut_where_its_statements_end(text: str, statements: tuple[str, ...]) -> None:
    assert cut(text, {}) == statements


def test_values_are_put_in_outside_of_quotes_only() -> None:
    text = "SELECT :'v', \":'v'\", ':\"v\"', :\"v\" -- :'v'"
    assert cut(text, {"v": "it's \\"}) == ("SELECT E'it''s \\\\', \":'v'\", ':\"v\"', \"it's \\\"",)
    with pytest.raises(Refused, match="'w', which was not given"):
        cut("SELECT :'w'", {"v": ""})
    with pytest.raises(Refused, match="NUL"):
        literal("\0")


@pytest.mark.parametrize(
    ("statement", "does"),
    [
        ("select 1", True),
        ("VALUES (1)", True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", True),
        ("WITH x AS (SELECT 1) DELETE FROM t", False),
        ("DELETE FROM t RETURNING n", True),
        ("DELETE FROM t WHERE a = 'RETURNING'", False),
        ("/* SELECT */ UPDATE t SET a = 1", False),
        ("", False),
    ],
)
def test_what_gives_rows_is_known(statement: str, does: bool) -> None:
    assert answers(statement) is does


@given(st.text(alphabet=st.characters(exclude_characters="\0")))
def test_a_literal_ends_where_it_should(text: str) -> None:
    assert cut(f"SELECT {literal(text)}; x", {}) == (f"SELECT {literal(text)}", "x")


@given(st.text(alphabet="abc $:;'\"-/*\\\n", max_size=200).filter(lambda text: ":" not in text))
def test_no_text_hangs_or_breaks_the_cutting(text: str) -> None:
    assert all(statement.strip() for statement in cut(text, {}))


def test_a_hidden_file_is_read_and_gone() -> None:
    with hidden_file("geheim\n") as path:
        assert Path(path).read_text() == "geheim\n"
        assert Path(path).stat().st_mode & 0o777 == 0o600
    assert not Path(path).exists()
